/* SPDX-License-Identifier: Apache-2.0 */
/* Text form and Merkle hashes against the protocol's values (xet-cas.md, 3.1, 4 and 6). */
#include "vectors.h"

static const struct {
	size_t count;
	const char *xorb, *file;
} AGGREGATES[] = {
        {1, "10bb77c0c77ad7311e5235905cd4edc1f36641f3a2c9b9d4e5cd8b2c9694067a",
         "264e113f74142fe2156701c7515230dcd8d56625277a704eb675c5d3b169e592"},
        {2, "e448c2b12f43d54578cadd365aea6b18960e9cbe5d4ac526f0bf572ee15204e9",
         "bce5d2aabcb50415a65478d47c1dfd2f31e223cccaffa5e4b4c29cddc9cac62b"},
        {3, "3e494e85acacc071565993da583ac2d4b5015cb5f771294aec4a4ea5eab013f5",
         "1252fc695ca043e0cd72e1ca3d93ee77abff5e65337dece3570b2e49009a2a9c"},
        {4, "6a208cf4c002c9c0b37310a99a1a22912fee1d43798a96df2c71beb13cf16071",
         "11ce6e40167165bfeb3d88a91c45f89649cca26353b6f491b804d584ea650c80"},
        {8, "5dca3b0573e0bd4b40e3672300f041a65de4e7ee35398f3409b3dda6786acc54",
         "5583f9155a59a11bf7eaa642e60a7bd30da7daab5c1361c5d453436ef1a03e92"},
        {9, "747f63f891c94d37b375f72a4342b44f2e4f21994dc57fff2ab0dceab09da523",
         "06772e5a3dadac78c97e8c1dc7dea603a7dee1fb2974cde4edcefc8617e8aa53"},
        {10, "73fb92c7829f3734f46b76fba9baed4ea69b404c2c060a0f4ee70f66ec5ac0b7",
         "44d83c31d6199e746bdf8f1b92819c3c6896f75ac83d482ea861ef6a28554f0c"},
        {11, "953f957d5edcd529ad78d7de67abfdd1892ab67c3af8e583452f260e16561d5d",
         "f985bf2434aacbdd9a7df7b0f4dfee94102a1530254d201f84075574f0e6641c"},
        {16, "5289aa5f073957f533f7015fcdf69a3105645420e03f07dc0cb29bf53f695c6c",
         "2f5ce254be86bbec85db5e86a08de3ac6b3bd59c49e998c08c6ba60082fc0fc0"},
        {19, "261ff8e66e088326953257ccd6fcd5ac9acb776619b4f89c85288c7b2708b4ea",
         "b01a14ee5164cd5e99e8c00aa544541ad978a14a36cf872a3794ab10cfacc062"},
        {20, "98a9ffd667f8132ee4d231054270a96dfad9e7c97cacc714704a6d6f1bf24def",
         "7cf692b0f34df279b02200e59e82f7a5041962c4c414870cf1b45626c0761b13"},
        {64, "27423ca868036332c90324529c8f533c34265b12359e426c55cf50225c03825c",
         "550ab43ecae69d75d0241fd5653c5b2b25fd036c09bc6b8bdb9ca83b5109225b"},
        {100, "3cfe11045b4be99ad552fd35573c90b106c2bf8a743e428b813b6759dc052535",
         "3355ecd90dfed4c935db61610a7099434ff505e59d8d6a23dafa107b46063aa9"},
        {1000, "a62ed5b322f51c7cfbd6f77fce709e376006cdaecbff94a2cc02288eaf3fe9b4",
         "8191ed0852b878026b519d97de9958830418156ff55a7b3dc936b44cc831bd3a"},
        {8192, "532e27fb00fbe48b43f12e1c6f60f59a99d44d25db473a5af0f7ae1a11ca856c",
         "b1cc8d39287eb68adf0981d651ca339753b6ff7129deeb8dcb657da84d61d570"},
};

static void text_form(void **state)
{
	static const char *const WRONG[] = {
	        "",
	        "ab",
	        "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509",
	        "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509g",
	        "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509ff",
	        " d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f"};
	const char *text = "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f";
	autobytes struct bytes raw =
	        bytes_of_hex("16af3a84044b83d6be998a42e20399f2cc5650eaf99950639f50418aece7954e");
	struct xet_hash hash = {{1}}, upper, before;

	assert_true(xet_hash_parse(
	        "D6834B04843AAF16F29903E2428A99BE635099F9EA5056CC4E95E7EC8A41509F", &upper));
	assert_true(xet_hash_parse(text, &hash));
	assert_true(xet_hash_equal(&hash, &upper));
	assert_false(xet_hash_is_zero(&hash));
	assert_hash(&hash, text);
	before = hash;
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		assert_false(xet_hash_parse(WRONG[i], &hash));
		assert_true(xet_hash_equal(&hash, &before));
	}
	assert_memory_equal(hash.bytes, raw.data, XET_HASH_SIZE);
}

static void text_of_counted_bytes(void **state)
{
	struct xet_hash hash, zero = {{0}};

	for (size_t i = 0; i < XET_HASH_SIZE; i++)
		hash.bytes[i] = (uint8_t)i;
	assert_hash(&hash, "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918");
	assert_true(xet_hash_is_zero(&zero));
	assert_hash(&zero, "0000000000000000000000000000000000000000000000000000000000000000");
}

static void example_a(void **state)
{
	autobytes struct bytes file = bytes_of_hex(FILE_A);
	struct xet_node node = {.length = file.len};
	struct xet_hash hash;

	xet_chunk_hash(file.data, file.len, &node.hash);
	assert_hash(&node.hash, XORB_HASH_A);
	xet_root(&node, 1, &hash);
	assert_hash(&hash, XORB_HASH_A);
	xet_file_hash(&node, 1, &hash);
	assert_hash(&hash, FILE_HASH_A);
	xet_range_hash(&node, 1, &hash);
	assert_hash(&hash, RANGE_HASH_A);
}

static void example_b(void **state)
{
	struct xet_node nodes[2] = {{hash_of_text(XORB_HASH_A), 23},
	                            {hash_of_text(CHUNK_HASH_B), 1000}};
	struct xet_hash hash;

	xet_root(nodes, 2, &hash);
	assert_hash(&hash, XORB_HASH_B);
	xet_file_hash(&nodes[1], 1, &hash);
	assert_hash(&hash, FILE_HASH_B);
	xet_range_hash(&nodes[1], 1, &hash);
	assert_hash(&hash, "8acd3dda9756c7b7d74a826d4230f6eed4b28fb775403eed741168ff2a19f283");
}

static void nothing_is_zero(void **state)
{
	struct xet_hash hash;

	xet_root(NULL, 0, &hash);
	assert_true(xet_hash_is_zero(&hash));
	xet_file_hash(NULL, 0, &hash);
	assert_true(xet_hash_is_zero(&hash));
}

static void published_aggregates(void **state)
{
	for (size_t i = 0; i < sizeof(AGGREGATES) / sizeof(AGGREGATES[0]); i++) {
		size_t count = AGGREGATES[i].count;
		autofree struct xet_node *nodes = xcalloc(count, sizeof(nodes[0]));
		struct xet_hash hash;

		for (uint64_t k = 0; k < count; k++) {
			uint8_t bytes[8];

			for (int b = 0; b < 8; b++)
				bytes[b] = (uint8_t)(k >> 8 * b);
			xet_chunk_hash(bytes, sizeof(bytes), &nodes[k].hash);
			nodes[k].length = 1000 + k;
		}
		xet_root(nodes, count, &hash);
		assert_hash(&hash, AGGREGATES[i].xorb);
		xet_file_hash(nodes, count, &hash);
		assert_hash(&hash, AGGREGATES[i].file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(text_form),       cmocka_unit_test(text_of_counted_bytes),
	        cmocka_unit_test(example_a),       cmocka_unit_test(example_b),
	        cmocka_unit_test(nothing_is_zero), cmocka_unit_test(published_aggregates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
