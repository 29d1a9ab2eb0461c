/* SPDX-License-Identifier: Apache-2.0 */
/* JSON is strict on the way in and ASCII on the way out. */
#include "../unit.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static void refuses_loose_json(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
#define ROW(s) {s, sizeof(s) - 1}
	        ROW(""),
	        ROW("{\"a\":1,\"a\":2}"),
	        ROW("{\"a\":1} x"),
	        ROW("{\"a\":1}{}"),
	        ROW("{\"a\":\"\\u0000\"}"),
	        ROW("{\"a\":\"b\0c\"}"),
	        ROW("{}\0"),
	        ROW("{\"a\":\"\xff\"}"),
	        ROW("{\"a\":\"\xed\xa0\x80\"}"),
	        ROW("{\"a\":\"\xc0\x80\"}"),
	        ROW("{\"a\":\"\\ud800\"}"),
	        ROW("{'a':1}"),
	        ROW("{\"a\":NaN}"),
	        ROW("{\"a\":01}"),
	        ROW("[1,]"),
#undef ROW
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *value = NULL;
		struct error err = ERROR_INIT;
		assert_int_equal(
		        json_parse(rows[i].text, rows[i].len, "request body", &value, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_non_null(strstr(err.text, "request body"));
		assert_null(value);
	}
}

static void refuses_deep_json(void **state)
{
	struct error err = ERROR_INIT;
	autobuffer struct buffer text = BUFFER_INIT(8 << 20);
	for (int i = 0; i < 1000000; i++)
		assert_int_equal(buffer_add_byte(&text, '['), 0);
	json_t *value;
	assert_int_equal(json_parse(text.data, text.len, "request body", &value, &err), -1);
	assert_non_null(strstr(err.text, "nested"));
	/* Brackets inside a string nest nothing. */
	buffer_reset(&text);
	(void)buffer_add_text(&text, "\"");
	for (int i = 0; i < 1000; i++)
		(void)buffer_add_text(&text, "[\\\"{");
	(void)buffer_add_text(&text, "\"");
	assert_int_equal(json_parse(text.data, text.len, "x", &value, &err), 0);
	json_decref(value);
}

static void check_escape(const char *in, size_t len, const char *want)
{
	autobuffer struct buffer b = BUFFER_INIT(1000);
	assert_int_equal(json_escape(&b, in, len), 0);
	assert_string_equal(buffer_text(&b), want);
}

static void escapes_to_ascii(void **state)
{
#define CHECK(in, want) check_escape(in, sizeof(in) - 1, want)
	CHECK("", "");
	CHECK("plain ~!#[]", "plain ~!#[]");
	CHECK("\"\\/", "\\\"\\\\/");
	CHECK("\b\t\n\v\f\r\x1b\x7f", "\\b\\t\\n\\u000b\\f\\r\\u001b\\u007f");
	CHECK("a\0b", "a\\u0000b");
	CHECK("\xc2\x85|\xe2\x80\xa8|\xe2\x80\xa9", "\\u0085|\\u2028|\\u2029"); /* NEL, LS, PS */
	CHECK("\x1c\x1d\x1e", "\\u001c\\u001d\\u001e");
	CHECK("\xe2\x82\xac", "\\u20ac");
	CHECK("\xf0\x9f\x94\xa5", "\\ud83d\\udd25");
	/* Ill-formed: each maximal part becomes one replacement (Unicode 15, 3.9, table 3-8). */
	CHECK("\xff|\x80|\xc0\x80", "\\ufffd|\\ufffd|\\ufffd\\ufffd");
	CHECK("\xe2\x82|x", "\\ufffd|x");
	CHECK("\xe2\x82", "\\ufffd");
	CHECK("\xf0\x9f\x94", "\\ufffd");
	CHECK("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd");
	CHECK("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
	CHECK("\xe2\xe2\x82\xac", "\\ufffd\\u20ac");
#undef CHECK
}

/* Whatever the bytes: ASCII only, and jansson reads it back as the same text. */
static void escapes_anything(void **state)
{
	srand(7);
	for (int round = 0; round < 3000; round++) {
		char in[64];
		size_t len = (size_t)(rand() % 64);
		for (size_t i = 0; i < len; i++)
			in[i] = (char)(rand() % 3 ? rand() % 256 : 'a' + rand() % 26);
		autobuffer struct buffer b = BUFFER_INIT(1000);
		(void)buffer_add_byte(&b, '"');
		assert_int_equal(json_escape(&b, in, len), 0);
		(void)buffer_add_byte(&b, '"');
		for (size_t i = 0; i < b.len; i++)
			assert_in_range((unsigned char)b.data[i], 0x20, 0x7e);
		autojson json_t *back =
		        json_loadb(b.data, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(back);
	}
}

/* Into any small room: the same text in the end. */
static void escapes_piece_by_piece(void **state)
{
	static const char text[] =
	        "plain \"quote\" \xf0\x9f\x94\xa5 \xff\xe2\x82 \0 tab\t \xe2\x80\xa8 end";
	autobuffer struct buffer whole = BUFFER_INIT(1000);
	assert_int_equal(json_escape(&whole, text, sizeof(text) - 1), 0);
	for (size_t room = JSON_ESCAPE_MAX; room < 40; room++) {
		autobuffer struct buffer pieces = BUFFER_INIT(1000);
		size_t at = 0, used;
		while (at < sizeof(text) - 1) {
			char out[40];
			size_t n = json_escape_some(out, room, text + at, sizeof(text) - 1 - at,
			                            &used);
			assert_true(used > 0 && n <= room);
			assert_int_equal(buffer_add(&pieces, out, n), 0);
			at += used;
		}
		assert_string_equal(pieces.data, whole.data);
	}
	char none[4];
	size_t used = 9;
	assert_int_equal(json_escape_some(none, 4, "\xe2\x82\xac", 3, &used), 0);
	assert_int_equal(used, 0);
}

static void escape_keeps_the_maximum(void **state)
{
	autobuffer struct buffer b = BUFFER_INIT(8);
	assert_int_equal(json_escape(&b, "abcdefgh", 8), 0);
	buffer_reset(&b);
	assert_int_equal(json_escape(&b, "abc\xe2\x82\xac", 6), -1);
	assert_int_equal(b.len, 0);
	assert_int_equal(json_escape(&b, "ab\xe2\x82\xac", 5), 0);
	assert_string_equal(b.data, "ab\\u20ac");
}

struct thing {
	const char *name;
	int64_t count;
	bool flag;
	json_t *more;
};

static int read_thing(const char *text, struct thing *ret, json_t **ret_json, struct error *err)
{
	static const struct json_field fields[] = {
	        {"name", JSON_FIELD_STRING, true, offsetof(struct thing, name)},
	        {"count", JSON_FIELD_INTEGER, false, offsetof(struct thing, count)},
	        {"flag", JSON_FIELD_BOOLEAN, false, offsetof(struct thing, flag)},
	        {"more", JSON_FIELD_ANY, false, offsetof(struct thing, more)},
	        {0},
	};
	*ret = (struct thing){.count = -1};
	if (json_parse(text, strlen(text), "thing", ret_json, err) < 0)
		return -1;
	return json_read_fields(*ret_json, fields, ret, "thing", err);
}

static void reads_fields(void **state)
{
	struct error err = ERROR_INIT;
	struct thing thing;
	autojson json_t *good = NULL, *missing = NULL, *wrong = NULL, *none = NULL;
	assert_int_equal(
	        read_thing("{\"name\":\"n\",\"flag\":true,\"count\":null,\"more\":[1],\"z\":1}",
	                   &thing, &good, &err),
	        0);
	assert_string_equal(thing.name, "n");
	assert_int_equal(thing.count, -1);
	assert_true(thing.flag);
	assert_true(json_is_array(thing.more));
	assert_int_equal(read_thing("{\"count\":1}", &thing, &missing, &err), -1);
	assert_string_equal(err.text, "thing: name is missing");
	assert_int_equal(read_thing("{\"name\":\"n\",\"count\":1.5}", &thing, &wrong, &err), -1);
	assert_string_equal(err.text, "thing: count must be an integer");
	assert_int_equal(read_thing("[]", &thing, &none, &err), -1);
	assert_string_equal(json_get_text(good, "name", "x"), "n");
	assert_string_equal(json_get_text(good, "flag", "x"), "x");
	assert_int_equal(json_get_int(good, "name", 5), 5);
	assert_true(json_get_bool(good, "flag", false));
	assert_int_equal(json_get_int(NULL, "name", 6), 6);
}

static void prints_ascii(void **state)
{
	autojson json_t *value =
	        json_pack("{s:s, s:i}", "b", "\xe2\x80\xa8\xf0\x9f\x94\xa5", "a", 1);
	char *text = json_to_text(value);
	assert_string_equal(text, "{\"b\":\"\\u2028\\uD83D\\uDD25\",\"a\":1}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(refuses_loose_json),
	        cmocka_unit_test(refuses_deep_json),
	        cmocka_unit_test(escapes_to_ascii),
	        cmocka_unit_test(escapes_anything),
	        cmocka_unit_test(escapes_piece_by_piece),
	        cmocka_unit_test(escape_keeps_the_maximum),
	        cmocka_unit_test(reads_fields),
	        cmocka_unit_test(prints_ascii),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
