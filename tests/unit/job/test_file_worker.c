/* SPDX-License-Identifier: Apache-2.0 */
/* hearth-files as hearthd runs it, with a script in its place: order, bodies, long answers, every
 * kind of end. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/file_worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MAX_MS 20000

static const char script[] =
        "#!/bin/sh\n"
        "read -r request\n"
        "case $1 in\n"
        "echo) echo \"$request\" ;;\n"
        "body) printf '{\"body\":\"%s\"}\\n' \"$(cat <&3)\" ;;\n"
        "lines | hash) seq -f '{\"n\":%.0f}' 1 20000 ;;\n"
        "long) printf '{\"text\":\"'; head -c 300000 /dev/zero | tr '\\0' x; printf '\"}\\n' ;;\n"
        "refuse) echo '{\"n\":1}'; echo '{\"code\":\"not found\",\"error\":\"it is not there\"}'; "
        "exit 1 ;;\n"
        "mute) exit 3 ;;\n"
        "crash) kill -SEGV $$ ;;\n"
        "garbage) echo '{\"n\":1}'; echo 'not json' ;;\n"
        "wait) until [ -e \"$PWD/go\" ]; do sleep 0.01; done; echo '{}' ;;\n"
        "esac\n";

static struct loop *loop;
static struct file_worker *worker;
static char root[32];
static int order[16], n_order;

struct result {
	int number;
	bool is_done;
	int lines;
	json_t *first, *last;
	struct error err;
	bool keeps;
	struct file_answer *kept;
};

static int set_up(void **state)
{
	(void)snprintf(root, sizeof(root), "/tmp/hearth-test-XXXXXX");
	if (!mkdtemp(root) || chdir(root) < 0)
		return -1;
	autoclose int fd = open("files", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct error err = ERROR_INIT;
	if (file_write_all(fd, script, strlen(script), &err) < 0)
		return -1;
	close(take_fd(&fd));
	autofree char *program = xasprintf("%s/files", root);
	loop = loop_new();
	worker = file_worker_new(loop, program, root);
	n_order = 0;
	return 0;
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;
	file_worker_free(worker);
	loop_free(loop);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	if (chdir("/") < 0)
		return -1;
	return file_remove_tree(AT_FDCWD, root, &err);
}

static void on_answer(void *arg, struct file_answer *answer, const struct error *err)
{
	struct result *result = arg;
	json_t *line;

	assert_false(result->is_done);
	result->is_done = true;
	order[n_order++] = result->number;
	assert_true(!answer == !!err);
	if (err)
		result->err = *err;
	if (answer && result->keeps) {
		file_answer_keep(answer);
		result->kept = answer;
		return;
	}
	while (answer && (line = file_answer_next(answer))) {
		if (result->lines++ == 0)
			result->first = json_incref(line);
		json_decref(result->last);
		result->last = line;
	}
}

static void stop_loop(void *arg)
{
	loop_stop(loop);
}

static void wait_for(const struct result *result)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MAX_MS;
	struct loop_timer *timer = loop_timer_new(loop, stop_loop, NULL);

	while (!result->is_done) {
		assert_true(clock_monotonic_ms() < until_ms);
		loop_timer_start(timer, 5, 0);
		loop_run(loop);
	}
	loop_timer_free(timer);
}

static void run(const char *operation, bool is_urgent, struct result *result, int number)
{
	*result = (struct result){.number = number, .keeps = result->keeps};
	file_worker_run(worker, operation, json_pack("{s:i}", "number", number), -1, is_urgent,
	                on_answer, result);
	assert_false(result->is_done); /* never in the call itself */
}

static void clear(struct result *result)
{
	json_decref(result->first);
	json_decref(result->last);
}

static void the_request_arrives_and_the_answer_comes_back(void **state)
{
	struct result result = {0};
	run("echo", true, &result, 7);
	wait_for(&result);
	assert_int_equal(result.err.code, E_NONE);
	assert_int_equal(result.lines, 1);
	assert_int_equal(json_get_int(result.first, "number", 0), 7);
	clear(&result);
}

static void a_body_is_descriptor_3(void **state)
{
	struct result result = {0};
	autoclose int body = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(write(body, "hello", 5), 5);
	assert_int_equal(lseek(body, 0, SEEK_SET), 0);
	file_worker_run(worker, "body", json_object(), body, true, on_answer, &result);
	close(take_fd(&body)); /* it has its own */
	wait_for(&result);
	assert_string_equal(json_get_text(result.first, "body", ""), "hello");
	clear(&result);
}

static void long_answers_come_line_by_line(void **state)
{
	struct result result = {0};
	run("lines", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.lines, 20000);
	assert_int_equal(json_get_int(result.last, "n", 0), 20000);
	clear(&result);
	run("hash", true, &result, 1); /* on disk, the others in memory */
	wait_for(&result);
	assert_int_equal(result.lines, 20000);
	clear(&result);
	run("long", true, &result, 1);
	wait_for(&result);
	assert_int_equal(strlen(json_get_text(result.first, "text", "")), 300000);
	clear(&result);
}

static void an_answer_can_be_kept(void **state)
{
	struct result result = {.keeps = true};
	run("lines", true, &result, 1);
	wait_for(&result);
	autojson json_t *line = file_answer_next(result.kept);
	assert_int_equal(json_get_int(line, "n", 0), 1);
	file_answer_free(result.kept);
}

static void its_own_words_are_handed_on(void **state)
{
	struct result result = {0};
	run("refuse", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.err.code, E_NOT_FOUND);
	assert_string_equal(result.err.text, "it is not there");
}

static void every_other_end_is_an_internal_error_with_a_sentence(void **state)
{
	struct result result = {0};
	run("mute", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.err.code, E_INTERNAL);
	assert_non_null(strstr(result.err.text, "exit code 3"));
	run("crash", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.err.code, E_INTERNAL);
	assert_non_null(strstr(result.err.text, "signal 11"));
}

static void a_line_that_is_no_json_ends_the_answer(void **state)
{
	struct result result = {0};
	run("garbage", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.lines, 1);
	clear(&result);
}

static void a_missing_program_is_told(void **state)
{
	struct result result = {0};
	assert_int_equal(unlink("files"), 0);
	run("echo", true, &result, 1);
	wait_for(&result);
	assert_int_equal(result.err.code, E_INTERNAL);
	assert_non_null(strstr(result.err.text, "cannot start"));
}

/* More patient work than there are places: what is urgent does not wait for any of it. */
static void urgent_work_overtakes(void **state)
{
	struct result patient[12] = {0}, urgent = {0};
	for (int i = 0; i < 12; i++)
		run("wait", false, &patient[i], i);
	run("echo", true, &urgent, 100);
	wait_for(&urgent);
	for (int i = 0; i < 12; i++)
		assert_false(patient[i].is_done);
	autoclose int go = open("go", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 12; i++)
		wait_for(&patient[i]);
	assert_int_equal(n_order, 13);
	assert_int_equal(order[0], 100);
	for (int i = 0; i < 12; i++)
		clear(&patient[i]);
	clear(&urgent);
}

static void freeing_ends_what_runs(void **state)
{
	struct result running[3] = {0};
	struct result first = {0};
	for (int i = 0; i < 3; i++)
		run("wait", true, &running[i], i);
	run("echo", false, &first, 9);
	struct loop_timer *timer = loop_timer_new(loop, stop_loop, NULL);
	loop_timer_start(timer, 20, 0);
	loop_run(loop);
	loop_timer_free(timer);
	/* tear_down() looks for children; no callback is called any more */
	assert_false(running[0].is_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_request_arrives_and_the_answer_comes_back,
	                                        set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_body_is_descriptor_3, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(long_answers_come_line_by_line, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(an_answer_can_be_kept, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(its_own_words_are_handed_on, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(
	                every_other_end_is_an_internal_error_with_a_sentence, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_line_that_is_no_json_ends_the_answer, set_up,
	                                        tear_down),
	        cmocka_unit_test_setup_teardown(a_missing_program_is_told, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(urgent_work_overtakes, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(freeing_ends_what_runs, set_up, tear_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
