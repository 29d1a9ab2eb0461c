/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, buffers, ids, clocks, quantities, digests. */
#include "../unit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <stdlib.h>
#include <string.h>

static void errors_are_one_line(void **state)
{
	struct error err = ERROR_INIT;
	assert_int_equal(fail(&err, E_CONFLICT, "a\nb %d", 5), -1);
	assert_string_equal(err.text, "a b 5");
	assert_int_equal(error_prefix(&err, "while %s", "testing"), -1);
	assert_string_equal(err.text, "while testing: a b 5");
	assert_int_equal(err.code, E_CONFLICT);
	assert_int_equal(error_http_status(err.code), 409);
	assert_int_equal(error_http_status(E_PAYMENT), 402);
	assert_int_equal(fail_errno(&err, E_INTERNAL, 2, "cannot open x"), -1);
	assert_string_equal(err.text, "cannot open x: No such file or directory");
	for (int code = E_INVALID; code <= E_INTERNAL; code++)
		assert_int_equal(error_code_by_name(error_code_name(code)), code);
	assert_int_equal(error_code_by_name("nonsense"), E_INTERNAL);
}

static void long_errors_end_at_a_character(void **state)
{
	/* Every alignment of the cut within a three-byte character. */
	for (int shift = 0; shift < 3; shift++) {
		struct error err = ERROR_INIT;
		char text[3000] = "";
		memset(text, 'x', (size_t)shift);
		for (size_t i = (size_t)shift; i + 3 < sizeof(text) - 3; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		fail(&err, E_INVALID, "%s", text);
		size_t len = strlen(err.text);
		assert_int_equal((len - (size_t)shift) % 3, 0);
		assert_true(len > ERROR_TEXT_SIZE - 5);
	}
}

static void buffers_keep_their_maximum(void **state)
{
	struct buffer b = BUFFER_INIT(10);
	assert_string_equal(buffer_text(&b), "");
	assert_int_equal(buffer_add_text(&b, "0123456"), 0);
	assert_int_equal(buffer_add_text(&b, "7890"), -1);
	assert_string_equal(buffer_text(&b), "0123456");
	assert_int_equal(buffer_printf(&b, "%d", 123), 0);
	assert_int_equal(buffer_add_byte(&b, 'x'), -1);
	assert_int_equal(buffer_printf(&b, "%d", 1), -1);
	assert_int_equal(buffer_reserve(&b, SIZE_MAX), -1);
	assert_string_equal(b.data, "0123456123");
	buffer_drop(&b, 7);
	assert_string_equal(b.data, "123");
	assert_int_equal(b.len, 3);
	buffer_drop(&b, 70);
	assert_int_equal(b.len, 0);
	buffer_clear(&b);
	autobuffer struct buffer other = BUFFER_INIT(4);
	char *taken = buffer_take(&other);
	assert_string_equal(taken, "");
	free(taken);
	/* A NUL inside is just a byte. */
	assert_int_equal(buffer_add(&other, "a\0b", 3), 0);
	assert_memory_equal(other.data, "a\0b", 4);
}

static void ids_are_ordered(void **state)
{
	char last[ID_SIZE] = "", id[ID_SIZE];
	for (int i = 0; i < 20000; i++) {
		id_new(id);
		assert_true(id_is_valid(id));
		assert_true(strncmp(last, id, 16) < 0);
		memcpy(last, id, sizeof(id));
	}
	char seconds[9];
	memcpy(seconds, id, 8);
	seconds[8] = '\0';
	assert_in_range(strtoull(seconds, NULL, 16), (uint64_t)(clock_now_ms() / 1000 - 2),
	                (uint64_t)(clock_now_ms() / 1000 + 2));
	assert_false(id_is_valid(""));
	assert_false(id_is_valid("687fb701029421ae5549d99"));
	assert_false(id_is_valid("687fb701029421ae5549d9980"));
	assert_false(id_is_valid("687FB701029421AE5549D998"));
}

static void clocks_format_and_parse(void **state)
{
	char text[CLOCK_TEXT_SIZE];
	assert_string_equal(clock_format_iso(1778597860079, text), "2026-05-12T14:57:40.079Z");
	assert_string_equal(clock_format_plain(1778597860079, text), "2026-05-12 14:57:40");
	assert_string_equal(clock_format_iso(-1, text), "1969-12-31T23:59:59.999Z");
	assert_int_equal(clock_parse_iso("2026-05-12T14:57:40.079Z"), 1778597860079);
	assert_int_equal(clock_parse_iso("2026-05-12T14:57:40Z"), 1778597860000);
	assert_int_equal(clock_parse_iso("2026-05-12T14:57:40.0791239Z"), 1778597860079);
	assert_int_equal(clock_parse_iso("2024-02-29T00:00:00Z"), 1709164800000);
	const char *const bad[] = {"",
	                           "2026-05-12",
	                           "2026-05-12T14:57:40",
	                           "2026-05-12T14:57:40+00:00",
	                           "2026-05-12T14:57:40.Z",
	                           "2026-02-31T00:00:00Z",
	                           "2026-13-01T00:00:00Z",
	                           "2026-05-12T25:00:00Z",
	                           "2026-05-12T14:57:40Zx"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(clock_parse_iso(bad[i]), -1);
	int64_t before = clock_monotonic_us();
	assert_true(clock_monotonic_us() >= before);
}

static void quantities(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} durations[] = {{"90", 90}, {"1.5h", 5400}, {"30m", 1800}, {"2d", 172800}, {"10s", 10},
	                 {"0", 0},   {"0.5m", 30},   {" 5 m", 300}, {"1w", 604800}};
	static const struct {
		const char *text;
		int64_t bytes;
	} sizes[] = {{"512M", 536870912},  {"512MiB", 536870912},
	             {"16G", 17179869184}, {"16GB", 16000000000},
	             {"1024", 1024},       {"1.5K", 1536},
	             {"2Gi", 2147483648},  {"0", 0}};
	struct error err;
	int64_t value;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		assert_int_equal(quantity_parse_seconds(durations[i].text, "x", &value, &err), 0);
		assert_int_equal(value, durations[i].seconds);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(quantity_parse_bytes(sizes[i].text, "x", &value, &err), 0);
		assert_int_equal(value, sizes[i].bytes);
	}
	assert_int_equal(quantity_parse_millis("1.5", "x", &value, &err), 0);
	assert_int_equal(value, 1500);
	static const char *const bad[] = {"",
	                                  "-1",
	                                  "m",
	                                  "1x",
	                                  "1..5",
	                                  "1.",
	                                  ".5",
	                                  "9999999999999999999",
	                                  "9223372036854775807d",
	                                  "1 5",
	                                  "0x10",
	                                  "nan"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 77;
		assert_int_equal(quantity_parse_seconds(bad[i], "--timeout", &value, &err), -1);
		assert_int_equal(value, 77);
		assert_int_equal(err.code, E_INVALID);
		assert_non_null(strstr(err.text, "--timeout"));
	}
	char text[QUANTITY_TEXT_SIZE];
	assert_string_equal(quantity_format_bytes(0, text), "0 B");
	assert_string_equal(quantity_format_bytes(1023, text), "1023 B");
	assert_string_equal(quantity_format_bytes(536870912, text), "512 MiB");
	assert_string_equal(quantity_format_bytes(1610612736, text), "1.5 GiB");
	assert_string_equal(quantity_format_bytes(INT64_MAX, text), "8 EiB");
	assert_string_equal(quantity_format_duration(92, text), "1m 32s");
	assert_string_equal(quantity_format_duration(5, text), "5s");
	assert_string_equal(quantity_format_duration(3600, text), "1h");
	assert_string_equal(quantity_format_duration(90000, text), "1d 1h");
}

static void digest_vectors(void **state)
{
	/* FIPS 180-2, appendix B. */
	static const char abc[] =
	        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char empty[] =
	        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	char text[DIGEST_SIZE];
	digest_of("abc", 3, text);
	assert_string_equal(text, abc);
	digest_of(NULL, 0, text);
	assert_string_equal(text, empty);
	struct digest *d = digest_new();
	digest_add(d, "a", 1);
	digest_add(d, "bc", 2);
	digest_finish(d, text);
	digest_free(d);
	assert_string_equal(text, abc);
	assert_true(digest_is_valid(text));
	assert_string_equal(digest_hex(text), abc + 7);
	text[10] = 'A';
	assert_false(digest_is_valid(text));
	assert_false(digest_is_valid("sha256:"));
	assert_false(digest_is_valid("sha512:ba7816bf8f01cfea"));
	assert_false(digest_is_valid(""));
}

static void amounts_of_money_are_exact(void **state)
{
	static const struct {
		const char *text;
		int64_t micro_usd;
		const char *shown;
	} good[] = {
	        {"0.40", 400000, "$0.40"},
	        {"0", 0, "$0.00"},
	        {" $12.5 ", 12500000, "$12.50"},
	        {"0.000001", 1, "$0.000001"},
	        {"0.1230000000000", 123000, "$0.123"},
	        {"4.35", 4350000, "$4.35"}, /* 4.35 * 1e6 is less than that in a double */
	        {"1000000", 1000000000000, "$1000000.00"},
	};
	static const struct {
		const char *text, *words;
	} bad[] = {
	        {"-1", "negative"},
	        {"-0.40", "negative"},
	        {"", "not an amount"},
	        {".5", "not an amount"},
	        {"5.", "not an amount"},
	        {"1e3", "not an amount"},
	        {"0x10", "not an amount"},
	        {"nan", "not an amount"},
	        {"inf", "not an amount"},
	        {"1 2", "not an amount"},
	        {"1,5", "not an amount"},
	        {"0.0000001", "finer than 0.000001 USD"},
	        {"1000000.000001", "too much; at most 1000000 USD"},
	        {"99999999999999999999999999999", "too much; at most 1000000 USD"},
	};
	char text[QUANTITY_TEXT_SIZE];
	struct error err = ERROR_INIT;
	int64_t value;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(quantity_parse_usd(good[i].text, "x", 1000000, &value, &err), 0);
		assert_int_equal(value, good[i].micro_usd);
		assert_string_equal(quantity_format_usd(value, text), good[i].shown);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(quantity_parse_usd(bad[i].text, "x", 1000000, &value, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_non_null(strstr(err.text, bad[i].words));
	}
	assert_string_equal(quantity_format_usd(-1, text), "-$0.000001");
	assert_string_equal(quantity_format_usd(INT64_MIN, text), "-$9223372036854.775808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(errors_are_one_line),
	        cmocka_unit_test(amounts_of_money_are_exact),
	        cmocka_unit_test(long_errors_end_at_a_character),
	        cmocka_unit_test(buffers_keep_their_maximum),
	        cmocka_unit_test(ids_are_ordered),
	        cmocka_unit_test(clocks_format_and_parse),
	        cmocka_unit_test(quantities),
	        cmocka_unit_test(digest_vectors),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
