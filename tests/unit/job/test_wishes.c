/* SPDX-License-Identifier: Apache-2.0 */
/* Reserved labels: every right form, and every wrong one with a sentence that names the label. */
#include "../unit.h"

#include "base/json.h"
#include "job/spec.h"
#include "job/wishes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ID_A "0123456789abcdef01234567"
#define ID_B "fedcba9876543210fedcba98"

static struct configuration *configuration;

static int setup(void **state)
{
	configuration = configuration_new();
	return 0;
}

static int teardown(void **state)
{
	configuration_free(configuration);
	return 0;
}

static int parse(const char *labels, struct job_wishes *ret, struct error *err)
{
	autojson json_t *object = json_loads(labels, 0, NULL);

	*err = ERROR_INIT;
	assert_non_null(object);
	return job_wishes_parse(configuration, object, ret, err);
}

static void parse_ok(const char *labels, struct job_wishes *ret)
{
	struct error err;

	if (parse(labels, ret, &err) < 0)
		fail_msg("%s: %s", labels, err.text);
}

/* Settings change: what else a job asked for still counts. */
static void the_rest_is_read_when_one_is_wrong(void **state)
{
	struct job_wishes wishes;
	struct error err;

	configuration->max_grace_s = 60;
	assert_int_equal(parse("{\"hearth.grace\":\"2m\",\"hearth.nothing\":\"x\","
	                       "\"hearth.retry\":\"none\",\"hearth.idle\":\"keep\"}",
	                       &wishes, &err),
	                 -1);
	assert_string_equal(err.text, "labels.hearth.grace must be at most 1m");
	assert_true(wishes.retry.is_set && wishes.may_idle);
}

static void nothing_asked_is_as_the_settings_say(void **state)
{
	struct job_wishes wishes;

	configuration->grace_s = 17;
	configuration->warning_s = 60;
	parse_ok("{\"a\":\"b\",\"hearthstone\":\"x\"}", &wishes);
	assert_int_equal(wishes.priority, 0);
	assert_false(wishes.is_held || wishes.may_idle || wishes.is_array || wishes.retry.is_set);
	assert_int_equal(wishes.n_after, 0);
	assert_int_equal(wishes.timeout_s, 0);
	assert_int_equal(wishes.attempts, 0);
	assert_int_equal(wishes.grace_s, 17);
	assert_int_equal(wishes.warning_s, 60);
	assert_int_equal(wishes.warning_signal, SIGUSR1);
	assert_int_equal(wishes.retry.delay_s, 1);
	assert_int_equal(wishes.retry.delay_max_s, 300);
	parse_ok("{\"hearth.priority\":\"\",\"hearth.after\":\"\",\"hearth.grace\":\"\"}", &wishes);
	assert_int_equal(wishes.grace_s, 17);
}

static void priorities_have_names_and_numbers(void **state)
{
	static const struct {
		const char *value;
		int priority;
	} right[] = {{"high", 10},   {"Low", -10}, {"normal", 0}, {"100", 100},
	             {"-100", -100}, {"0", 0},     {"007", 7}};

	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		struct job_wishes wishes;
		char labels[100];

		snprintf(labels, sizeof(labels), "{\"hearth.priority\":\"%s\"}", right[i].value);
		parse_ok(labels, &wishes);
		assert_int_equal(wishes.priority, right[i].priority);
	}
}

static void every_label_is_read(void **state)
{
	struct job_wishes wishes;

	parse_ok("{\"hearth.hold\":\"yes\",\"hearth.after\":\"" ID_A "." ID_B "," ID_A "\","
	         "\"hearth.timeout\":\"1.5h\",\"hearth.warning\":\"5m\","
	         "\"hearth.warning-signal\":\"sigterm\",\"hearth.grace\":\"0\","
	         "\"hearth.attempts\":\"100\",\"hearth.retry-delay\":\"40\","
	         "\"hearth.idle\":\"keep\",\"hearth.idempotency-key\":\"any.thing\","
	         "\"hearth.catch-up\":\"all\",\"hearth.overlap\":\"skip\","
	         "\"hearth.array-of\":\"" ID_A "\",\"hearth.array-index\":\"3\"}",
	         &wishes);
	assert_true(wishes.is_held && wishes.may_idle);
	assert_int_equal(wishes.n_after, 2);
	assert_string_equal(wishes.after[0], ID_A);
	assert_string_equal(wishes.after[1], ID_B);
	assert_int_equal(wishes.timeout_s, 5400);
	assert_int_equal(wishes.warning_s, 300);
	assert_int_equal(wishes.warning_signal, SIGTERM);
	assert_int_equal(wishes.grace_s, 0);
	assert_int_equal(wishes.attempts, 100);
	assert_int_equal(wishes.retry.delay_s, 40);
	parse_ok("{\"hearth.array\":\"1-10000\",\"hearth.array-max\":\"16\"}", &wishes);
	assert_true(wishes.is_array);
	assert_int_equal(wishes.array_first, 1);
	assert_int_equal(wishes.array_last, 10000);
	assert_int_equal(wishes.array_max, 16);
	parse_ok("{\"hearth.array\":\"7-7\",\"hearth.array-retry\":\"" ID_B "\"}", &wishes);
	assert_int_equal(wishes.array_last, 7);
	assert_string_equal(wishes.array_retry, ID_B);
}

static bool has_code(const struct job_wishes *wishes, int code)
{
	return wishes->retry.exit_codes[code / 8] & 1u << code % 8;
}

static void causes_of_another_attempt_are_read(void **state)
{
	struct job_wishes wishes;

	parse_ok("{\"hearth.retry\":\"exit-75,oom.lost,exit-255\"}", &wishes);
	assert_true(wishes.retry.is_set);
	assert_int_equal(wishes.retry.outcomes, 1u << OUTCOME_OOM | 1u << OUTCOME_LOST);
	assert_true(has_code(&wishes, 75) && has_code(&wishes, 255));
	assert_false(has_code(&wishes, 1));
	parse_ok("{\"hearth.retry\":\"none\"}", &wishes);
	assert_true(wishes.retry.is_set);
	assert_int_equal(wishes.retry.outcomes, 0);
	parse_ok("{\"hearth.retry\":\"any\"}", &wishes);
	assert_int_equal(wishes.retry.outcomes, 1u << OUTCOME_EXITED | 1u << OUTCOME_SIGNALED |
	                                                1u << OUTCOME_OOM | 1u << OUTCOME_STORAGE |
	                                                1u << OUTCOME_LOST | 1u << OUTCOME_TIMEOUT);
	parse_ok("{\"hearth.retry\":\"signal,exit,timeout,storage\"}", &wishes);
	assert_int_equal(wishes.retry.outcomes, 1u << OUTCOME_EXITED | 1u << OUTCOME_SIGNALED |
	                                                1u << OUTCOME_STORAGE |
	                                                1u << OUTCOME_TIMEOUT);
}

/* The second string must be in the sentence, besides the label's name. */
static void wrong_values_are_named(void **state)
{
	static const struct {
		const char *label, *value, *right;
	} rows[] = {
	        {"priority", "urgent", "high, normal, low"},
	        {"priority", "101", "-100 to 100"},
	        {"priority", "-101", "-100 to 100"},
	        {"priority", "1.5", "whole number"},
	        {"priority", "99999999999999999999", "whole number"},
	        {"priority", "-", "whole number"},
	        {"hold", "maybe", "yes or no"},
	        {"after", "123", "24 hexadecimal digits"},
	        {"after", ID_A ",", "24 hexadecimal digits"},
	        {"after", ID_A "-" ID_B, "24 hexadecimal digits"},
	        {"after", "0123456789ABCDEF01234567", "24 hexadecimal digits"},
	        {"array", "5", "1-100"},
	        {"array", "5-", "1-100"},
	        {"array", "-5", "1-100"},
	        {"array", "9-5", "1-100"},
	        {"array", "1-2-3", "1-100"},
	        {"array", "1-9999999999", "1-100"},
	        {"array", "0-10000", "at most 10000"},
	        {"array-max", "0", "1 to 10000"},
	        {"array-max", "2", "needs hearth.array"},
	        {"array-retry", "x", "24 hexadecimal digits"},
	        {"timeout", "soon", "duration"},
	        {"timeout", "0", "at least 1s"},
	        {"timeout", "31d", "at most 30d"},
	        {"timeout", "99999999999999999999h", "duration"},
	        {"warning", "-1", "duration"},
	        {"warning-signal", "KILL", "USR1"},
	        {"warning-signal", "STOP", "USR1"},
	        {"warning-signal", "HELLO", "USR1"},
	        {"warning-signal", "10", "USR1"},
	        {"grace", "2h", "at most 1h"},
	        {"attempts", "0", "1 to 100"},
	        {"attempts", "101", "1 to 100"},
	        {"attempts", "two", "1 to 100"},
	        {"retry", "sometimes", "exit, exit-N"},
	        {"retry", "oom,none", "none, any"},
	        {"retry", "exit-0", "exit-N"},
	        {"retry", "exit-256", "exit-N"},
	        {"retry", "oom,,lost", "exit-N"},
	        {"retry-delay", "8d", "at most 7d"},
	        {"idle", "free", "keep"},
	        {"prio", "high", "priority, hold, after, array"},
	        {"Priority", "high", "priority, hold, after, array"},
	        {"", "x", "priority, hold, after, array"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char labels[300], name[100];
		struct job_wishes wishes;
		struct error err;

		snprintf(labels, sizeof(labels), "{\"hearth.%s\":\"%s\"}", rows[i].label,
		         rows[i].value);
		snprintf(name, sizeof(name), "labels.hearth.%s", rows[i].label);
		if (parse(labels, &wishes, &err) == 0)
			fail_msg("%s is accepted", labels);
		assert_int_equal(err.code, E_INVALID);
		if (!strstr(err.text, name) || !strstr(err.text, rows[i].right))
			fail_msg("%s: %s", labels, err.text);
	}
}

static void sixty_four_jobs_may_be_named(void **state)
{
	char labels[80 * ID_SIZE + 100], list[80 * ID_SIZE] = "";
	struct job_wishes wishes;
	struct error err;
	size_t len = 0;

	for (int i = 0; i < WISHES_AFTER_MAX; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%024d", i ? "," : "", i);
	snprintf(labels, sizeof(labels), "{\"hearth.after\":\"%s\"}", list);
	parse_ok(labels, &wishes);
	assert_int_equal(wishes.n_after, WISHES_AFTER_MAX);
	snprintf(labels, sizeof(labels), "{\"hearth.after\":\"%s," ID_A "\"}", list);
	assert_int_equal(parse(labels, &wishes, &err), -1);
	assert_non_null(strstr(err.text, "at most 64 jobs"));
}

static void labels_take_lists_where_they_are_ours(void **state)
{
	static const struct {
		const char *labels;
		bool is_right;
	} rows[] = {
	        {"{\"hearth.retry\":\"oom,lost\"}", true},
	        {"{\"mine\":\"oom,lost\"}", false},
	        {"{\"hearth.retry\":\"oom lost\"}", false},
	        {"{\"hearth.retry\":1}", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		autojson json_t *object = json_loads(rows[i].labels, 0, NULL), *parsed = NULL;
		struct error err = ERROR_INIT;

		assert_int_equal(job_labels_parse(object, &parsed, &err),
		                 rows[i].is_right ? 0 : -1);
	}
}

static void labels_of_the_server_are_not_the_users(void **state)
{
	autojson json_t *old = json_pack("{s:s}", "hearth.array-of", ID_A);
	autojson json_t *same = json_pack("{s:s,s:s}", "hearth.array-of", ID_A, "a", "b");
	autojson json_t *other = json_pack("{s:s}", "hearth.array-of", ID_B);
	struct error err = ERROR_INIT;

	assert_int_equal(job_wishes_check_user(NULL, same, &err), -1);
	assert_non_null(strstr(err.text, "labels.hearth.array-of is set by the server"));
	assert_int_equal(job_wishes_check_user(old, other, &err), -1);
	assert_int_equal(job_wishes_check_user(old, same, &err), 0);
}

static void what_is_not_named_stays(void **state)
{
	autojson json_t *old = json_loads(
	        "{\"a\":\"1\",\"hearth.priority\":\"5\",\"hearth.hold\":\"yes\"}", 0, NULL);
	autojson json_t *fresh = json_loads("{\"b\":\"2\",\"hearth.hold\":\"no\"}", 0, NULL);
	autojson json_t *right = json_loads(
	        "{\"b\":\"2\",\"hearth.hold\":\"no\",\"hearth.priority\":\"5\"}", 0, NULL);
	autojson json_t *merged = job_wishes_merge(old, fresh);

	assert_true(json_equal(merged, right));
	assert_int_equal(json_object_size(fresh), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(nothing_asked_is_as_the_settings_say, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(the_rest_is_read_when_one_is_wrong, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(priorities_have_names_and_numbers, setup, teardown),
	        cmocka_unit_test_setup_teardown(every_label_is_read, setup, teardown),
	        cmocka_unit_test_setup_teardown(causes_of_another_attempt_are_read, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(wrong_values_are_named, setup, teardown),
	        cmocka_unit_test_setup_teardown(sixty_four_jobs_may_be_named, setup, teardown),
	        cmocka_unit_test(labels_take_lists_where_they_are_ours),
	        cmocka_unit_test(labels_of_the_server_are_not_the_users),
	        cmocka_unit_test(what_is_not_named_stays),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
