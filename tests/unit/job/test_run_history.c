/* SPDX-License-Identifier: Apache-2.0 */
/* What is learnt from how long jobs ran: which jobs are alike, which length is expected, that
 * memory is bounded, and that a restart forgets nothing that counts. */
#include "job_fixture.h"

#include "job/run_history.h"

#define KINDS_MAX 4096

static void set(struct job_record *job, const char *flavor, json_t *take_spec, json_t *take_labels,
                json_t *take_initiator)
{
	job_record_clear(job);
	*job = (struct job_record){.flavor = xstrdup(flavor),
	                           .spec = take_spec,
	                           .labels = take_labels,
	                           .initiator = take_initiator};
	snprintf(job->namespace_id, sizeof(job->namespace_id), "n");
}

static json_t *command(const char *image, const char *first, const char *second, const char *last)
{
	return json_pack("{s:s, s:[s, s, s, s]}", "dockerImage", image, "command", "python", first,
	                 second, last);
}

static json_t *none(void)
{
	return json_object();
}

static void alike_are_those_of_one_name_or_command(void **state)
{
	struct run_history *history = run_history_new();
	struct job_record job autojob = {0};

	set(&job, "a", command("i", "train.py", "--fast", "1"), none(), none());
	assert_int_equal(run_history_expect(history, &job), 0);
	run_history_add(history, &job, 5000);
	set(&job, "a", command("i", "train.py", "--fast", "2"), none(), none());
	assert_int_equal(run_history_expect(history, &job), 5000);
	set(&job, "a", command("i", "test.py", "--fast", "1"), none(), none());
	assert_int_equal(run_history_expect(history, &job), 0);
	set(&job, "b", command("i", "train.py", "--fast", "1"), none(), none());
	assert_int_equal(run_history_expect(history, &job), 0);
	set(&job, "a", command("i", "x", "y", "z"), json_pack("{s:s}", "name", "nightly"), none());
	run_history_add(history, &job, 7000);
	set(&job, "a", command("j", "p", "q", "r"), json_pack("{s:s}", "name", "nightly"), none());
	assert_int_equal(run_history_expect(history, &job), 7000);
	set(&job, "a", command("i", "x", "y", "z"), none(),
	    json_pack("{s:s, s:s}", "type", "scheduled-job", "id", "s1"));
	assert_int_equal(run_history_expect(history, &job), 0);
	run_history_add(history, &job, 9000);
	set(&job, "a", none(), none(),
	    json_pack("{s:s, s:s}", "type", "scheduled-job", "id", "s1"));
	assert_int_equal(run_history_expect(history, &job), 9000);
	run_history_free(history);
}

static void four_of_five_are_not_longer(void **state)
{
	struct run_history *history = run_history_new();
	struct job_record job autojob = {0};

	set(&job, "a", none(), none(), none());
	run_history_add(history, &job, 0);
	assert_int_equal(run_history_expect(history, &job), 1);
	run_history_add(history, &job, -5);
	for (int i = 1; i < 10; i++)
		run_history_add(history, &job, i * 1000);
	assert_int_equal(run_history_expect(history, &job), 7000);
	/* Old ones are forgotten. */
	for (int i = 0; i < 20; i++)
		run_history_add(history, &job, 100);
	assert_int_equal(run_history_expect(history, &job), 100);
	run_history_free(history);
}

static void the_oldest_are_forgotten(void **state)
{
	struct run_history *history = run_history_new();
	struct job_record job autojob = {0};
	char name[32];

	for (int i = 0; i <= KINDS_MAX; i++) {
		snprintf(name, sizeof(name), "job-%d", i);
		set(&job, "a", none(), json_pack("{s:s}", "name", name), none());
		run_history_add(history, &job, 1000 + i);
		/* This one is always fresh. */
		set(&job, "a", none(), json_pack("{s:s}", "name", "job-0"), none());
		run_history_add(history, &job, 1000);
	}
	assert_int_equal(run_history_expect(history, &job), 1000);
	set(&job, "a", none(), json_pack("{s:s}", "name", "job-1"), none());
	assert_int_equal(run_history_expect(history, &job), 0);
	set(&job, "a", none(), json_pack("{s:s}", "name", "job-2"), none());
	assert_int_equal(run_history_expect(history, &job), 1002);
	run_history_free(history);
}

static void run_for(struct job_fixture *f, const char *id, int64_t ms)
{
	struct exit_record record = {
	        .outcome = OUTCOME_EXITED, .running_us = ms * 1000, .ended_ms = clock_now_ms()};

	turn(f);
	run(f, id, 1);
	f->events.ended(f->events.arg, id, 1, &record);
	turn(f);
}

static void it_is_learnt_again_after_a_restart(void **state)
{
	struct job_fixture *f = *state;
	struct run_history *history;
	struct job_record job autojob = {0};
	const char *last = NULL;

	for (int i = 1; i <= 30; i++)
		run_for(f, last = add(f, json_pack("{s:{s:s}}", "labels", "name", "x")), i * 1000);
	run_for(f, add(f, NULL), 99000);
	assert_true(jobs_find(f->store->db, last, &job));
	history = run_history_new();
	run_history_load(history, f->store->db);
	/* Of the newest twenty, 11 … 30 s. */
	assert_int_equal(run_history_expect(history, &job), 26000);
	for (int i = 0; i < 19; i++)
		run_history_add(history, &job, 500);
	/* One of the loaded ones is left, and it is the newest. */
	run_history_add(history, &job, 500);
	assert_int_equal(run_history_expect(history, &job), 500);
	run_history_free(history);
}

/* The next one waits as long as the one that runs is expected to. */
static void estimates_come_from_it(void **state)
{
	struct job_fixture *f = *state;
	const char *waiting, *last;

	run_for(f, add(f, json_pack("{s:s}", "flavor", "cpu-upgrade")), 600000);
	(void)add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	waiting = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	assert_shown(f, waiting,
	             "SCHEDULING 0 Waiting for 3 vCPU and 2 GiB: 1 vCPU and 6 GiB are free, about "
	             "10 min");
	last = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	restart(f);
	turn(f);
	assert_shown(f, last, "SCHEDULING 0 Waiting: 1 job ahead, about 20 min");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(alike_are_those_of_one_name_or_command),
	        cmocka_unit_test(four_of_five_are_not_longer),
	        cmocka_unit_test(the_oldest_are_forgotten),
	        cmocka_unit_test_setup_teardown(it_is_learnt_again_after_a_restart, job_setup,
	                                        job_teardown),
	        cmocka_unit_test_setup_teardown(estimates_come_from_it, job_setup, job_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
