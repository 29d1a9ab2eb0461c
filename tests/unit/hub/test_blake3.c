/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE3 against published values, against a plain reading of its definition, and in any pieces. */
#include "vectors.h"

#include "hub/blake3.h"
#include "hub/blake3_wide.h"

#define INPUT_MAX 131072

static const char *const KEY = "6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229";

static const struct {
	size_t len;
	const char *plain, *keyed;
} VECTORS[] = {
        {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
         "105f7e4e78cff2e05f9a0e15af844fc315d9bade164266f9670f874910744d36"},
        {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
         "d57cf6db8c2993dfcfc090628dd2ae0729a6df88aaa09a7f1094658086f9fccf"},
        {64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98",
         "b30f89d540d0b0826ef0e3f8b7bcfb5c6394d033ce2e6bf87e3a83c4366562d9"},
        {65, "de1e5fa0be70df6d2be8fffd0e99ceaa8eb6e8c93a63f2d8d1c30ecb6b263dee",
         "06159f774b324cc00860897a7f107fbb5c4f63783b7e0c333a038d979c9453cd"},
        {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
         "b8a98b5d06b7022f584efc915a74c397ae17939ba66ad1083e228d9f2c42abc1"},
        {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
         "fd8b36929709a1ace7d9361d1298d4089b93b648422f180d6c2932413c129eb3"},
        {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030",
         "79e2de619a2be288605d5258fef5bacd2e8f11c448b51cac28d3c18be0d3d943"},
        {3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3",
         "3022b9f20af7eb569b9ac5e9f01b22de5b27589f9a6cb4dcb0b426662b846fea"},
        {65536, "68d647e619a930e7b1082f74f334b0c65a315725569bdc123f0ee11881717bfe",
         "3a80b4375c02929f5647281a7b05653aeea25e0bb0d5f9a9381ad11d7140bbc3"},
        {131072, "306baba93b1a393cbd35172837c98b0f59a41f64e1b2682ae102d8b2534b9e1c",
         "ce3bad33da319c60359a8a600d356d3cda7b12e77f91252a90c1f8cc4830d3c3"},
};

static uint8_t *make_input(void)
{
	uint8_t *input = xmalloc(INPUT_MAX);

	for (size_t i = 0; i < INPUT_MAX; i++)
		input[i] = (uint8_t)(i % 251);
	return input;
}

static void published_values(void **state)
{
	autofree uint8_t *input = make_input();
	autobytes struct bytes key = bytes_of_hex(KEY);

	for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
		autobytes struct bytes plain = bytes_of_hex(VECTORS[i].plain);
		autobytes struct bytes keyed = bytes_of_hex(VECTORS[i].keyed);
		uint8_t is[BLAKE3_SIZE];

		blake3_hash(NULL, input, VECTORS[i].len, is);
		assert_memory_equal(is, plain.data, sizeof(is));
		blake3_hash(key.data, input, VECTORS[i].len, is);
		assert_memory_equal(is, keyed.data, sizeof(is));
	}
}

/* The definition, one compression after the other. */
static void define(const uint32_t key[8], uint32_t flags, const uint8_t *data, size_t len,
                   uint64_t leaf, uint32_t root, uint32_t ret[8])
{
	uint8_t block[BLAKE3_BLOCK];
	size_t left = BLAKE3_LEAF, done = 0;

	memcpy(ret, key, 32);
	if (len > BLAKE3_LEAF) {
		while (2 * left < len)
			left *= 2;
		define(key, flags, data, left, leaf, 0, (uint32_t *)(void *)block);
		define(key, flags, data + left, len - left, leaf + left / BLAKE3_LEAF, 0,
		       (uint32_t *)(void *)(block + 32));
		blake3_compress(ret, block, 0, BLAKE3_BLOCK, flags | BLAKE3_PARENT | root);
		return;
	}
	do {
		size_t part = len - done < BLAKE3_BLOCK ? len - done : BLAKE3_BLOCK;
		uint32_t now = flags | (done == 0 ? BLAKE3_CHUNK_START : 0U);

		if (done + part == len)
			now |= BLAKE3_CHUNK_END | root;
		memset(block, 0, sizeof(block));
		memcpy(block, data + done, part);
		blake3_compress(ret, block, leaf, (uint32_t)part, now);
		done += part;
	} while (done < len);
}

static void assert_defined(const uint8_t *key, const uint8_t *data, size_t len)
{
	uint32_t words[8], should[8];
	uint8_t is[BLAKE3_SIZE];

	memcpy(words, key ? (const void *)key : (const void *)BLAKE3_IV, sizeof(words));
	define(words, key ? BLAKE3_KEYED : 0, data, len, 0, BLAKE3_ROOT, should);
	blake3_hash(key, data, len, is);
	assert_memory_equal(is, should, sizeof(is));
}

static void every_number_of_leaves_is_as_defined(void **state)
{
	static const int AROUND[] = {-1, 0, 1, 63, 64, 65};
	autofree uint8_t *input = make_input();
	autobytes struct bytes key = bytes_of_hex(KEY);

	for (size_t len = 0; len <= 300; len++)
		assert_defined(key.data, input, len);
	for (size_t leaves = 1; leaves < 128; leaves++) {
		for (size_t i = 0; i < sizeof(AROUND) / sizeof(AROUND[0]); i++)
			assert_defined(i % 2 ? key.data : NULL, input,
			               (size_t)((int)(leaves * BLAKE3_LEAF) + AROUND[i]));
	}
}

/* Pieces of all sizes: some of a few bytes, some of whole leaves, some empty. */
static size_t some_length(uint64_t *state, size_t most)
{
	uint64_t number = next_number(state);
	size_t len = (number & 3) == 0   ? (number >> 8) % 70
	             : (number & 3) == 1 ? (number >> 8) % 12 * BLAKE3_LEAF
	             : (number & 3) == 2 ? (number >> 8) % 90000
	                                 : (number >> 8) % 3000;

	return len < most ? len : most;
}

static void pieces_make_no_difference(void **state)
{
	autofree uint8_t *input = make_input();
	autobytes struct bytes key = bytes_of_hex(KEY);
	uint64_t numbers = 7;

	for (int round = 0; round < 600; round++) {
		size_t len = next_number(&numbers) % (round % 2 ? 5000 : INPUT_MAX) + 1, done = 0;
		uint8_t once[BLAKE3_SIZE], pieces[BLAKE3_SIZE];
		struct blake3 hash;

		if (round % 3 == 0)
			len = (len + BLAKE3_LEAF - 1) / BLAKE3_LEAF * BLAKE3_LEAF;
		blake3_hash(round % 5 ? key.data : NULL, input, len, once);
		if (round % 5)
			blake3_init_keyed(&hash, key.data);
		else
			blake3_init(&hash);
		while (done < len) {
			size_t part = some_length(&numbers, len - done);

			blake3_update(&hash, input + done, part);
			done += part;
		}
		blake3_final(&hash, pieces);
		assert_memory_equal(pieces, once, sizeof(once));
	}
}

static void goes_on_after_an_end(void **state)
{
	autofree uint8_t *input = make_input();
	struct blake3 hash;
	uint8_t is[BLAKE3_SIZE], should[BLAKE3_SIZE];

	blake3_init(&hash);
	for (size_t done = 0; done < 9000; done += 300) {
		blake3_final(&hash, is);
		blake3_hash(NULL, input, done, should);
		assert_memory_equal(is, should, sizeof(is));
		blake3_update(&hash, input + done, 300);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(published_values),
	        cmocka_unit_test(every_number_of_leaves_is_as_defined),
	        cmocka_unit_test(pieces_make_no_difference),
	        cmocka_unit_test(goes_on_after_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
