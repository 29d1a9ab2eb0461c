/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of tables, and the view of a job. */
#include "../unit.h"

#include "base/memory.h"
#include "cli/job_view.h"
#include "cli/stats_table.h"
#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

static void check_layout(const char *json, const char *const *columns, size_t n_columns, int width,
                         bool cut, const char *expected)
{
	autojson json_t *rows = json_loads(json, 0, NULL);
	autobuffer struct buffer text = BUFFER_INIT(100000);
	bool was_cut;
	assert_non_null(rows);
	table_layout(rows, columns, n_columns, width, true, &text, &was_cut);
	assert_string_equal(buffer_text(&text), expected);
	assert_int_equal(was_cut, cut);
}

static const char *const columns[] = {"id", "text", "n"};

static void columns_are_aligned(void **state)
{
	check_layout("[{\"id\":\"a\",\"text\":\"ünï\",\"n\":5},{\"id\":\"longer\",\"text\":null,"
	             "\"n\":12}]",
	             columns, 3, 80, false,
	             "ID     TEXT  N\n"
	             "------ ---- --\n"
	             "a      ünï   5\n"
	             "longer      12\n");
}

static void the_widest_column_gives_way(void **state)
{
	check_layout("[{\"id\":\"abcdefghijklmnop\",\"text\":\"x\",\"n\":1}]", columns, 3, 18, true,
	             "ID          TEXT N\n"
	             "----------- ---- -\n"
	             "abcdefgh... x    1\n");
}

static void cells(void **state)
{
	static const struct {
		const char *json, *cell;
	} cases[] = {
	        {"null", ""},
	        {"true", "✔"},
	        {"false", ""},
	        {"[\"a\", 1, null]", "a, 1, "},
	        {"{\"name\": \"alice\", \"id\": 1}", "alice"},
	        {"{\"a\": [1]}", "{\"a\": [1]}"},
	        {"\"2025-07-22T16:06:25.079000+00:00\"", "2025-07-22"},
	        {"\" two\\n\\t lines \"", "two lines"},
	        {"\"\\u001b[31m\\u0007\\u2028\\u200e\"", "\\x1b[31m\\x07\\u2028\\u200e"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		autojson json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		char *cell = table_cell(value, true);
		assert_string_equal(cell, cases[i].cell);
		free(cell);
	}
}

static void broken_utf8_is_harmless(void **state)
{
	char *text = table_escape("a\xff\xc3"
	                          "b\xf0\x9f");
	assert_true(strlen(text) > 0);
	free(text);
}

static const char job_text[] =
        "{\"id\":\"1\",\"createdAt\":\"2025-07-22T16:06:25.079Z\",\"startedAt\":\"2025-07-22T16:06:"
        "28Z\","
        "\"finishedAt\":null,\"dockerImage\":\"i\",\"command\":[\"a\",\"b c\"],\"volumes\":[],"
        "\"labels\":{\"name\":\"n\"},\"owner\":{\"id\":\"o\",\"name\":\"alice\",\"type\":\"user\","
        "\"x\":1},"
        "\"durations\":{\"runningSecs\":92,\"totalSecs\":null},"
        "\"status\":{\"stage\":\"ERROR\",\"message\":\"Job failed with exit code: "
        "137\",\"failureCount\":1}}";

static void views_of_jobs(void **state)
{
	autojson json_t *job = json_loads(job_text, 0, NULL);
	autojson json_t *view = job_view_named(job, "http://h");
	char *text = json_to_text(view);
	assert_string_equal(
	        text,
	        "{\"name\":\"n\",\"id\":\"1\",\"created_at\":\"2025-07-22T16:06:25.079000+00:00\","
	        "\"started_at\":\"2025-07-22T16:06:28+00:00\",\"docker_image\":\"i\",\"command\":["
	        "\"a\","
	        "\"b c\"],\"labels\":{\"name\":\"n\"},\"status\":{\"stage\":\"ERROR\",\"message\":"
	        "\"Job failed with exit code: "
	        "137\"},\"durations\":{\"running_secs\":92},\"owner\":{"
	        "\"id\":\"o\",\"name\":\"alice\",\"type\":\"user\"},\"endpoint\":\"http://"
	        "h\",\"url\":"
	        "\"http://h/jobs/alice/1\"}");
	free(text);
	assert_true(job_view_is_over(job));
	assert_int_equal(job_view_exit_code(job), 137);
	autojson json_t *listed = job_view_listed(job, "http://h");
	assert_string_equal(json_get_text(listed, "command", ""), "a b c");
	assert_string_equal(json_get_text(listed, "runtime", ""), "1m 32s");
	assert_string_equal(json_get_text(listed, "created", ""), "2025-07-22 16:06:25");
}

static void exit_codes_are_found_only_where_they_are(void **state)
{
	static const struct {
		const char *message;
		int code;
	} cases[] = {{"Job failed with exit code: 1", 1},
	             {"Job timeout", 0},
	             {"Job failed with exit code: 256", 0},
	             {"Job failed with exit code: x", 0},
	             {"", 0}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		autojson json_t *job = json_pack("{s:{s:s,s:s}}", "status", "stage", "ERROR",
		                                 "message", cases[i].message);
		assert_int_equal(job_view_exit_code(job), cases[i].code);
	}
}

static void the_live_table_counts_its_lines(void **state)
{
	autojson json_t *sample = json_loads(
	        "{\"cpu_usage_pct\":8,\"cpu_millicores\":3500,\"memory_used_bytes\":1306624,"
	        "\"memory_total_bytes\":15032385536,\"rx_bps\":0,\"tx_bps\":0,\"gpus\":{\"b\":{"
	        "\"utilization\":5,\"memory_used_bytes\":1,\"memory_total_bytes\":2},\"a\":{}}}",
	        0, NULL);
	const struct stats_row rows[] = {{"id1", sample}, {"id2", NULL}};
	autobuffer struct buffer text = BUFFER_INIT(100000);
	assert_int_equal(stats_table_layout(rows, 2, true, 200, &text), 5);
	assert_non_null(strstr(buffer_text(&text), "8%    3.5     0.01% 1.3MB / 15.0GB"));
	assert_non_null(strstr(buffer_text(&text), "-- / --"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(columns_are_aligned),
	        cmocka_unit_test(the_widest_column_gives_way),
	        cmocka_unit_test(cells),
	        cmocka_unit_test(broken_utf8_is_harmless),
	        cmocka_unit_test(views_of_jobs),
	        cmocka_unit_test(exit_codes_are_found_only_where_they_are),
	        cmocka_unit_test(the_live_table_counts_its_lines),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
