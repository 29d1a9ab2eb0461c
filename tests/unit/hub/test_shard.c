/* SPDX-License-Identifier: Apache-2.0 */
/* Shards: the protocol's examples, and what must be refused (xet-cas.md, 6). */
#include "vectors.h"

#include "hub/shard.h"

#define R_HEADER                                                                                   \
	"48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9 0200000000000000 "       \
	"0000000000000000"
#define R_HEADER_JS                                                                                \
	"48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9 0200000000000000 "       \
	"c800000000000000"
#define R_FILE "780357fcd41f88cc820c157892ae6a8f65c9ede0992b6d0835ff5e5b9919565a "
#define R_TERM "8aa9e519b8c0bceb70b303af9e52ae794cd08339090d62eb258887ccbb1a3005 "
#define R_VERIFICATION                                                                             \
	"c05353947ad51fc92cc7b09edc6ad42935df0d93a6d398156ff52e4fcde3f376 "                        \
	"00000000000000000000000000000000"
#define R_SHA256                                                                                   \
	"aec74204dbaa98d3c9b160d5f0e380499c5036e8928dfd35bc0e39ec8b77dcf0 "                        \
	"00000000000000000000000000000000"
#define R_BOOKEND                                                                                  \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff "                        \
	"00000000000000000000000000000000"
#define R_ZERO "0000000000000000000000000000000000000000000000000000000000000000 "
#define FILE_OF_1 R_FILE "00000080 01000000 0000000000000000"
#define TERM_0_1 R_TERM "00000000 17000000 00000000 01000000"
#define XORB_OF_1 R_TERM "00000000 01000000 17000000 00000000"
#define CHUNK_1 R_TERM "00000000 17000000 00000000 00000000"
#define FILES_A FILE_OF_1 TERM_0_1 R_VERIFICATION R_BOOKEND
#define FOOTER_50                                                                                  \
	"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c" \
	"2d2e2f303132"

#define SHARD_A R_HEADER FILES_A XORB_OF_1 CHUNK_1 R_BOOKEND
#define SHARD_EMPTY R_HEADER R_ZERO "00000080 00000000 0000000000000000" R_BOOKEND R_BOOKEND
#define SHARD_B                                                                                    \
	"48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9 "                        \
	"02000000000000000000000000000000"                                                         \
	"780357fcd41f88cc820c157892ae6a8f65c9ede0992b6d0835ff5e5b9919565a "                        \
	"00000080010000000000000000000000"                                                         \
	"f955c4c3ef63cfe1567782a69eeec942ea740216c1b19f79c40ec1b27b0e6f2a "                        \
	"00000000170000000000000001000000"                                                         \
	"c05353947ad51fc92cc7b09edc6ad42935df0d93a6d398156ff52e4fcde3f376 "                        \
	"00000000000000000000000000000000"                                                         \
	"feb2e36dd0944bd590c9b736229862495d33adb9d5f025ce89c9151217a5660b "                        \
	"00000080010000000000000000000000"                                                         \
	"f955c4c3ef63cfe1567782a69eeec942ea740216c1b19f79c40ec1b27b0e6f2a "                        \
	"00000000e80300000100000002000000"                                                         \
	"b7c75697da3dcd8aeef630426d824ad7ed3e4075b78fb2d483f2192aff681174 "                        \
	"00000000000000000000000000000000"                                                         \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff "                        \
	"00000000000000000000000000000000"                                                         \
	"f955c4c3ef63cfe1567782a69eeec942ea740216c1b19f79c40ec1b27b0e6f2a "                        \
	"0000000002000000ff03000000000000"                                                         \
	"8aa9e519b8c0bceb70b303af9e52ae794cd08339090d62eb258887ccbb1a3005 "                        \
	"00000000170000000000000000000000"                                                         \
	"b58e5f5c4eda454fa600d0ef45f844ea7f55c7d81215b86395cc5476531ea0da "                        \
	"17000000e80300000000000000000000"                                                         \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff "                        \
	"00000000000000000000000000000000"

struct seen {
	size_t count;
	struct shard_file files[4];
	bool stops;
};

static int see_file(void *arg, const struct shard_file *file, struct error *err)
{
	struct seen *seen = arg;

	if (seen->stops)
		return fail(err, E_CONFLICT, "enough");
	assert_true(seen->count < 4);
	seen->files[seen->count++] = *file;
	return 0;
}

static int parse(const struct bytes *shard, struct seen *seen, struct error *err)
{
	*err = ERROR_INIT;
	*seen = (struct seen){0};
	return shard_parse(shard->data, shard->len, see_file, seen, err);
}

static void assert_file_a(const struct shard_file *file)
{
	struct shard_term term;

	assert_hash(&file->hash, FILE_HASH_A);
	assert_int_equal(file->n_terms, 1);
	shard_file_term(file, 0, &term);
	assert_hash(&term.xorb, XORB_HASH_A);
	assert_hash(&term.range_hash, RANGE_HASH_A);
	assert_int_equal(term.first, 0);
	assert_int_equal(term.end, 1);
	assert_int_equal(term.bytes, 23);
}

/* As hf_xet sends it; with a SHA-256; again, without its xorb; with a footer as the JS client
 * sends. */
static void example_a(void **state)
{
	static const char *const FORMS[] = {
	        SHARD_A,
	        R_HEADER R_FILE "000000c0 01000000 0000000000000000" TERM_0_1 R_VERIFICATION
	                R_SHA256 R_BOOKEND XORB_OF_1 CHUNK_1 R_BOOKEND,
	        R_HEADER FILES_A R_BOOKEND,
	        R_HEADER_JS FILES_A XORB_OF_1 CHUNK_1 R_BOOKEND FOOTER_50 FOOTER_50 FOOTER_50
	                FOOTER_50,
	        R_HEADER_JS FILES_A XORB_OF_1 CHUNK_1 R_BOOKEND,
	};
	static const size_t SIZES[] = {384, 432, 288, 584, 384};

	for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
		autobytes struct bytes shard = bytes_of_hex(FORMS[i]);
		struct seen seen;
		struct error err;

		assert_int_equal(shard.len, SIZES[i]);
		assert_int_equal(parse(&shard, &seen, &err), 0);
		assert_int_equal(seen.count, 1);
		assert_file_a(&seen.files[0]);
	}
}

static void example_b(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(SHARD_B);
	struct shard_term term;
	struct seen seen;
	struct error err;

	assert_int_equal(shard.len, 576);
	assert_int_equal(parse(&shard, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	assert_hash(&seen.files[0].hash, FILE_HASH_A);
	assert_hash(&seen.files[1].hash, FILE_HASH_B);
	shard_file_term(&seen.files[1], 0, &term);
	assert_hash(&term.xorb, XORB_HASH_B);
	assert_int_equal(term.first, 1);
	assert_int_equal(term.end, 2);
	assert_int_equal(term.bytes, 1000);
}

static void the_empty_file(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(SHARD_EMPTY);
	struct seen seen;
	struct error err;

	assert_int_equal(shard.len, 192);
	assert_int_equal(parse(&shard, &seen, &err), 0);
	assert_int_equal(seen.count, 1);
	assert_true(xet_hash_is_zero(&seen.files[0].hash));
	assert_int_equal(seen.files[0].n_terms, 0);
}

static void no_files_at_all(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(R_HEADER R_BOOKEND R_BOOKEND);
	struct seen seen;
	struct error err;

	assert_int_equal(parse(&shard, &seen, &err), 0);
	assert_int_equal(seen.count, 0);
}

static const struct {
	const char *hex, *reason;
} REFUSED[] = {
        {"", "the shard's header is cut short"},
        {R_VERIFICATION FILES_A R_BOOKEND, "the body does not begin as a shard"},
        {"48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9 0300000000000000"
         "0000000000000000" FILES_A R_BOOKEND,
         "the shard has version 3 instead of 2"},
        {"48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9 0200000000000000"
         "0100000000000000" FILES_A R_BOOKEND "00",
         "the shard says that its footer has 1 bytes instead of 0 or 200"},
        {R_HEADER, "the shard's list of files does not end"},
        {R_HEADER R_BOOKEND, "the shard's list of xorbs does not end"},
        {R_HEADER FILES_A, "the shard's list of xorbs does not end"},
        {R_HEADER FILES_A R_BOOKEND "00", "1 bytes follow the shard's lists"},
        {R_HEADER_JS FILES_A R_BOOKEND FOOTER_50, "50 bytes follow the shard's lists"},
        {R_HEADER FILES_A R_BOOKEND FOOTER_50 FOOTER_50 FOOTER_50 FOOTER_50,
         "200 bytes follow the shard's lists"},
        {R_HEADER R_FILE
         "00000080 ffffffff 0000000000000000" TERM_0_1 R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: the shard ends before its 4294967295 terms do"},
        {R_HEADER R_FILE
         "00000080 03000000 0000000000000000" TERM_0_1 R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: the shard ends before its 3 terms do"},
        {R_HEADER R_FILE "000000c0 01000000 0000000000000000" TERM_0_1 R_VERIFICATION,
         "file 0 of the shard: the shard ends before its metadata entry"},
        {R_HEADER R_FILE
         "00000000 01000000 0000000000000000" TERM_0_1 R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: it has no verification entries (flag bit 31)"},
        {R_HEADER FILE_OF_1 R_TERM
         "00000000 17000000 01000000 01000000" R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: term 0 has chunks 1 to 1, which are none"},
        {R_HEADER FILE_OF_1 R_TERM
         "00000000 17000000 02000000 01000000" R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: term 0 has chunks 2 to 1, which are none"},
        {R_HEADER R_FILE "00000080 00000000 0000000000000000" R_BOOKEND R_BOOKEND,
         "file 0 of the shard: it has no terms, but not the hash of zeros"},
        {R_HEADER R_ZERO
         "00000080 01000000 0000000000000000" TERM_0_1 R_VERIFICATION R_BOOKEND R_BOOKEND,
         "file 0 of the shard: it has the hash of zeros, but terms"},
        {R_HEADER FILES_A R_TERM "00000000 ffffffff 17000000 00000000" CHUNK_1 R_BOOKEND,
         "xorb 0 of the shard: the shard ends before its 4294967295 chunks do"},
        {R_HEADER FILES_A R_TERM "00000000 02000000 17000000 00000000" CHUNK_1 R_BOOKEND,
         "the shard's list of xorbs does not end"},
};

/* With the reason, and without a single file having been seen: a shard is taken as a whole. */
static void refused_with_the_reason(void **state)
{
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		autobytes struct bytes shard = bytes_of_hex(REFUSED[i].hex);
		struct seen seen;
		struct error err;

		assert_int_equal(parse(&shard, &seen, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_int_equal(seen.count, 0);
		if (strcmp(err.text, REFUSED[i].reason) != 0)
			fail_msg("%zu: \"%s\" instead of \"%s\"", i, err.text, REFUSED[i].reason);
	}
}

static void cut_anywhere(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(SHARD_B);

	for (size_t len = 0; len < shard.len; len++) {
		autofree uint8_t *copy = xmalloc(len);
		struct bytes cut = {copy, len};
		struct seen seen;
		struct error err;

		memcpy(copy, shard.data, len);
		assert_int_equal(parse(&cut, &seen, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
}

static void the_caller_may_stop(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(SHARD_B);
	struct seen seen = {.stops = true};
	struct error err = ERROR_INIT;

	assert_int_equal(shard_parse(shard.data, shard.len, see_file, &seen, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_string_equal(err.text, "enough");
}

static void too_large(void **state)
{
	autobytes struct bytes shard = bytes_of_hex(SHARD_A);
	struct seen seen = {0};
	struct error err = ERROR_INIT;

	assert_int_equal(shard_parse(shard.data, SHARD_BODY_MAX + 1, see_file, &seen, &err), -1);
	assert_int_equal(err.code, E_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(example_a),           cmocka_unit_test(example_b),
	        cmocka_unit_test(the_empty_file),      cmocka_unit_test(no_files_at_all),
	        cmocka_unit_test(cut_anywhere),        cmocka_unit_test(refused_with_the_reason),
	        cmocka_unit_test(the_caller_may_stop), cmocka_unit_test(too_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
