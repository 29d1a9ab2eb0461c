/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes between any two steps: what was acknowledged goes on, and nothing lives twice. */
#include "job_fixture.h"

static void what_was_not_committed_never_was(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0};
	const char *id = add(f, NULL);

	restart(f);
	turn(f);
	assert_told(f, "");
	assert_false(jobs_find(f->store->db, id, &job));
}

static void the_queue_keeps_its_order(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));

	for (int i = 0; i < 3; i++)
		add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	run(f, a, 1);
	turn(f);
	restart(f);
	assert_told(f, "adopt A.1/0");
	turn(f);
	assert_told(f, "");
	assert_shown(f, f->ids[2], "SCHEDULING 0 Waiting: 1 job ahead, about 61 min");
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_told(f, "start B.1/0");
	end(f, f->ids[1], 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_told(f, "start C.1/0");
}

/* The row says that there is an attempt, and nobody knows whether the backend heard of it. */
static void an_attempt_without_start_is_asked_for(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:{s:s}}", "secrets", "A", "b"));

	turn(f);
	assert_told(f, "start A.1/0");
	restart(f);
	assert_told(f, "adopt A.1/0");
	assert_string_equal(f->secrets, "{\"A\":\"b\"}");
	end(f, id, 1, OUTCOME_LOST, 0);
	turn(f);
	/* It never ran: the next start does not count as an attempt. */
	assert_told(f, "start A.2/0");
	assert_shown(f, id, "SCHEDULING 0 -");
	run(f, id, 2);
	end(f, id, 2, OUTCOME_LOST, 0);
	turn(f);
	assert_shown(f, id,
	             "ERROR 1 The job's monitor was lost; its processes were ended and their exit "
	             "code is "
	             "not known");
}

static void a_running_attempt_goes_on(void **state)
{
	struct job_fixture *f = *state;
	struct job_record before autojob = {0}, after autojob = {0};
	const char *id = add(f, NULL);

	turn(f);
	run(f, id, 1);
	turn(f);
	assert_true(jobs_find(f->store->db, id, &before));
	restart(f);
	assert_told(f, "adopt A.1/0");
	run(f, id, 1); /* told again */
	turn(f);
	assert_true(jobs_find(f->store->db, id, &after));
	assert_true(after.started_ms == before.started_ms && after.updated_ms == before.updated_ms);
	end(f, id, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_shown(f, id, "COMPLETED 0 -");
}

static void an_end_that_we_missed_is_dated_right(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0};
	const char *id = add(f, NULL);
	struct exit_record record = {.outcome = OUTCOME_EXITED, .running_us = 3000000};

	turn(f);
	restart(f);
	/* Started and ended while there was no hearthd; `running` is not told any more. */
	assert_true(jobs_find(f->store->db, id, &job));
	record.started_ms = job.created_ms + 1000;
	record.ended_ms = record.started_ms + 3000;
	f->events.ended(f->events.arg, id, 1, &record);
	turn(f);
	job_record_clear(&job);
	assert_true(jobs_find(f->store->db, id, &job));
	assert_int_equal(job.stage, STAGE_COMPLETED);
	assert_true(job.started_ms == record.started_ms && job.finished_ms == record.ended_ms);
}

static void an_end_that_was_not_committed_is_told_again(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:i}", "attempts", 2));

	turn(f);
	run(f, id, 1);
	turn(f);
	end(f, id, 1, OUTCOME_EXITED, 1);
	restart(f);
	assert_told(f, "adopt A.1/0");
	end(f, id, 1, OUTCOME_EXITED, 1);
	turn(f);
	assert_told(f, "start A.2/0");
	assert_shown(f, id, "RUNNING 1 Job failed with exit code: 1; attempt 2 of 2 follows");
}

/* R10: the budget of attempts is the same whatever hearthd goes through. */
static void the_budget_of_attempts_survives(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:i}", "attempts", 3));

	turn(f);
	for (int number = 1; number <= 3; number++) {
		restart(f);
		run(f, id, number);
		turn(f);
		restart(f);
		end(f, id, number, OUTCOME_LOST, 0);
		turn(f);
		restart(f);
	}
	turn(f);
	assert_told(f, "");
	assert_shown(f, id,
	             "ERROR 3 The job's monitor was lost; its processes were ended and their exit "
	             "code is "
	             "not known");
}

static void a_retry_waits_before_new_jobs(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s, s:i}", "flavor", "cpu-upgrade", "attempts", 2));

	add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	run(f, a, 1);
	turn(f);
	f->configuration->max_running = 1;
	restart(f);
	/* Committed without the pass of the scheduler that would have started it. */
	end(f, a, 1, OUTCOME_EXITED, 1);
	database_commit(f->store->db);
	restart(f);
	turn(f);
	assert_told(f, "start A.2/0");
}

static void canceled_attempts_are_ended_again(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, NULL);

	turn(f);
	run(f, id, 1);
	turn(f);
	job_cancel(f->service, id, NULL, NULL);
	turn(f);
	assert_told(f, "start A.1/0 stop A.1");
	restart(f);
	assert_told(f, "adopt A.1/0 stop A.1");
	assert_false(job_is_settled(f->service, id));
	end(f, id, 1, OUTCOME_LOST, 0);
	turn(f);
	assert_shown(f, id, "CANCELED 0 -");
	assert_true(job_is_settled(f->service, id));
	restart(f);
	assert_told(f, "");
}

static void slots_are_kept(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);

	add(f, NULL);
	turn(f);
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	restart(f);
	assert_told(f, "adopt B.1/1");
	add(f, NULL);
	add(f, NULL);
	turn(f);
	assert_told(f, "start C.1/0 start D.1/2");
}

static void vanished_flavors_do_not_block(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade")), *b, *c, *d;

	b = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	c = add(f, NULL);
	d = add(f, NULL);
	turn(f);
	/* Smaller than cpu-upgrade now. */
	f->configuration->cpu_millis = 2000;
	restart(f);
	assert_told(f, "adopt A.1/0 adopt C.1/1");
	turn(f);
	assert_shown(
	        f, b,
	        "ERROR 0 The flavor cpu-upgrade was removed from this server, or is larger than "
	        "it now");
	assert_shown(f, d,
	             "SCHEDULING 0 Waiting for 1 vCPU and 1 GiB: 0 vCPU and 5 GiB are free, about "
	             "31 min");
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_told(f, "start D.1/0");
	end(f, c, 1, OUTCOME_EXITED, 0);
}

/* Nobody knows what it would need, or cost: what runs goes on, and nothing follows it. */
static void nothing_is_repeated_without_its_flavor(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s, s:i}", "flavor", "cpu-upgrade", "attempts", 3)), *b;

	turn(f);
	run(f, a, 1);
	b = add(f, json_pack("{s:i}", "attempts", 3));
	turn(f);
	assert_told(f, "start A.1/0 start B.1/1");
	f->configuration->n_flavors = 0;
	restart(f);
	assert_told(f, "adopt A.1/0 adopt B.1/1");
	end(f, a, 1, OUTCOME_EXITED, 7);
	end(f, b, 1, OUTCOME_LOST, 0); /* it never ran */
	turn(f);
	f->configuration->n_flavors = 3;
	assert_told(f, "");
	assert_shown(f, a,
	             "ERROR 1 Job failed with exit code: 7; no attempt follows: the flavor "
	             "cpu-upgrade was removed from this server");
	assert_shown(f, b,
	             "ERROR 0 The job could not be started: the flavor cpu-basic was removed from "
	             "this server");
}

#define MANY 100000

/* R29. Finished jobs are not even looked at; waiting ones are read from short rows. */
static void many_jobs_are_recovered_fast(void **state)
{
	struct job_fixture *f = *state;
	struct job_service_counts counts;
	int64_t begin_ms;
	char id[ID_SIZE];

	for (int i = 0; i < MANY; i++) {
		store_add_job(f->store, NULL, id);
		if (i % 2)
			store_set_stage(f->store, id, STAGE_COMPLETED);
	}
	database_commit(f->store->db);
	begin_ms = clock_monotonic_ms();
	restart(f);
	assert_true(clock_monotonic_ms() - begin_ms < 2000);
	job_service_counts(f->service, &counts);
	assert_true(counts.queued == MANY / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, job_setup, job_teardown)
	        T(what_was_not_committed_never_was),
	        T(the_queue_keeps_its_order),
	        T(an_attempt_without_start_is_asked_for),
	        T(a_running_attempt_goes_on),
	        T(an_end_that_we_missed_is_dated_right),
	        T(an_end_that_was_not_committed_is_told_again),
	        T(the_budget_of_attempts_survives),
	        T(a_retry_waits_before_new_jobs),
	        T(canceled_attempts_are_ended_again),
	        T(slots_are_kept),
	        T(vanished_flavors_do_not_block),
	        T(nothing_is_repeated_without_its_flavor),
	        T(many_jobs_are_recovered_fast),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
