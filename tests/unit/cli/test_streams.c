/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events and log events: cut anywhere, and with any content. */
#include "../unit.h"

#include "base/memory.h"
#include "cli/log_event.h"
#include "cli/sse.h"

#include <stdlib.h>
#include <string.h>

static int collect(void *arg, const char *json, size_t len, struct error *err)
{
	struct buffer *all = arg;
	(void)buffer_add(all, json, len);
	return buffer_add_byte(all, '|');
}

static void events_are_cut_anywhere(void **state)
{
	static const char stream[] = "event: metric\ndata: {\"a\":1}\n\n: keep-alive\n\n"
	                             "data: {\"b\":2}\r\n\ndata: [1]\ndata:{}\ndata: {}\nid: 5\n"
	                             "data: {\"unfinished\"";
	struct error err = ERROR_INIT;
	for (size_t piece = 1; piece < sizeof stream; piece++) {
		struct sse sse = SSE_INIT;
		autobuffer struct buffer all = BUFFER_INIT(1000);
		for (size_t i = 0; i < sizeof stream - 1; i += piece) {
			size_t left = sizeof stream - 1 - i;
			assert_int_equal(sse_feed(&sse, stream + i, left < piece ? left : piece,
			                          collect, &all, &err),
			                 0);
		}
		assert_string_equal(buffer_text(&all), "{\"a\":1}|{\"b\":2}|{}|");
		sse_clear(&sse);
	}
}

static int refuse(void *arg, const char *json, size_t len, struct error *err)
{
	return fail(err, E_INVALID, "no");
}

static void a_receiver_can_stop(void **state)
{
	struct sse sse = SSE_INIT;
	struct error err = ERROR_INIT;
	assert_int_equal(sse_feed(&sse, "data: {}\n", 9, refuse, NULL, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	sse_clear(&sse);
}

static void check_line(const char *json, const char *expected, size_t expected_len,
                       const char *expected_time)
{
	autobuffer struct buffer line = BUFFER_INIT(1u << 20);
	char time[LOG_EVENT_TIME_SIZE];
	struct error err = ERROR_INIT;
	assert_int_equal(log_event_decode(json, strlen(json), &line, time, &err), 0);
	assert_int_equal(line.len, expected_len);
	assert_memory_equal(buffer_text(&line), expected, expected_len);
	assert_string_equal(time, expected_time);
}

#define CHECK_LINE(json, text, time) check_line(json, text, sizeof text - 1, time)

static void log_lines(void **state)
{
	CHECK_LINE("{\"data\":\"hi\",\"timestamp\":\"2026-05-12T14:57:43Z\"}", "hi",
	           "2026-05-12T14:57:43Z");
	CHECK_LINE("{ \"timestamp\" : \"t\" , \"data\" : \"\" }", "", "t");
	CHECK_LINE("{\"data\":\"a\\u0000b\"}", "a\0b", "");
	CHECK_LINE("{\"data\":\"\\ud83d\\ude00 \\ud83d \\ude00 \\ud83dx \\u00e9\\u20ac\"}",
	           "\xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbdx \xc3\xa9\xe2\x82\xac",
	           "");
	CHECK_LINE("{\"data\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t", "");
	CHECK_LINE("{\"x\":{\"data\":[\"}\",{}]},\"y\":-1.5e3,\"z\":null,\"data\":\"ok\"}", "ok",
	           "");
	CHECK_LINE("{\"data\":\"k\",\"timestamp\":17}", "k", "");
	CHECK_LINE("{\"d\\u0061ta\":\"k\"}", "k", "");
}

static void damaged_events_are_refused(void **state)
{
	static const char *const bad[] = {
	        "",
	        "{",
	        "{}",
	        "[]",
	        "{\"data\"}",
	        "{\"data\":1}",
	        "{\"data\":\"x}",
	        "{\"data\":\"\\x\"}",
	        "{\"data\":\"\\u12g4\"}",
	        "{\"data\":\"\\ud83d\\u12\"}",
	        "{\"a\":1}",
	        "{\"a\":}",
	        "{\"data\":\"x\"",
	        "{\"data\":\"x\",",
	        "{\"a\":]}",
	        "{\"a\":[1,\"data\":\"x\"}",
	        "{\"data\":\"x\\",
	};
	struct error err = ERROR_INIT;
	char time[LOG_EVENT_TIME_SIZE];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		autobuffer struct buffer line = BUFFER_INIT(1000);
		/* A copy without NUL at its end: reading past it shows under the sanitizers. */
		size_t len = strlen(bad[i]);
		char *exact = xmalloc(len ? len : 1);
		memcpy(exact, bad[i], len);
		assert_int_equal(log_event_decode(exact, len, &line, time, &err), -1);
		free(exact);
	}
}

static void deep_values_are_refused(void **state)
{
	char deep[1000] = "{\"a\":";
	memset(deep + 5, '[', 900);
	autobuffer struct buffer line = BUFFER_INIT(1000);
	char time[LOG_EVENT_TIME_SIZE];
	struct error err = ERROR_INIT;
	assert_int_equal(log_event_decode(deep, strlen(deep), &line, time, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(events_are_cut_anywhere),
	        cmocka_unit_test(a_receiver_can_stop),
	        cmocka_unit_test(log_lines),
	        cmocka_unit_test(damaged_events_are_refused),
	        cmocka_unit_test(deep_values_are_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
