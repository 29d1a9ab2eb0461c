/* SPDX-License-Identifier: Apache-2.0 */
/* Time limits that change: who is told and when, what is refused, and crashes in between. */
#include "job_fixture.h"

#include "job/extend.h"

static int set(struct job_fixture *f, const char *id, int64_t timeout_s, const char *expected)
{
	struct error err = ERROR_INIT;
	int rc = job_set_timeout(f->service, id, timeout_s, &err);

	if (expected && (rc == 0 || !strstr(err.text, expected)))
		fail_msg("\"%s\" instead of \"%s\"", rc < 0 ? err.text : "success", expected);
	if (!expected && rc < 0)
		fail_msg("%s", err.text);
	return rc < 0 ? (int)err.code : 0;
}

static int64_t timeout_of(struct job_fixture *f, const char *id)
{
	struct job_record job autojob = {0};

	assert_true(jobs_find(f->store->db, id, &job));
	return job.timeout_s;
}

static const char *start_one(struct job_fixture *f, json_t *take_fields)
{
	const char *id = add(f, take_fields);

	turn(f);
	run(f, id, 1);
	turn(f);
	*f->told = '\0';
	return id;
}

static void the_monitor_is_told_after_the_commit(void **state)
{
	struct job_fixture *f = *state;
	const char *id = start_one(f, NULL);
	struct job_record job autojob = {0};
	struct job_time_limit limit;

	set(f, id, 3600, NULL);
	assert_told(f, "");
	turn(f);
	assert_told(f, "extend A.1/3600");
	assert_true(jobs_find(f->store->db, id, &job));
	assert_true(job_find_time_limit(f->service, &job, &limit));
	assert_true(limit.is_running && limit.was_changed);
	assert_in_range(limit.left_s, 3590, 3600);
	/* Nothing new. */
	set(f, id, 3600, NULL);
	turn(f);
	assert_told(f, "");
	/* The last one of a turn counts. */
	set(f, id, 100, NULL);
	set(f, id, 200, NULL);
	turn(f);
	assert_told(f, "extend A.1/200 extend A.1/200");
}

static void queued_jobs_are_only_written_down(void **state)
{
	struct job_fixture *f = *state;
	const char *first = start_one(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	const char *id = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));

	turn(f);
	assert_shown(f, id,
	             "SCHEDULING 0 Waiting for 3 vCPU and 2 GiB: 1 vCPU and 6 GiB are free, about "
	             "30 min");
	set(f, id, 60, NULL);
	/* What the running one may still take is what the waiting one is promised by. */
	set(f, first, 2 * 3600, NULL);
	turn(f);
	assert_told(f, "extend A.1/7200");
	assert_int_equal(timeout_of(f, id), 60);
	assert_shown(f, id,
	             "SCHEDULING 0 Waiting for 3 vCPU and 2 GiB: 1 vCPU and 6 GiB are free, about "
	             "2 h");
	end(f, first, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_told(f, "start B.1/0");
}

static void a_crash_loses_nothing(void **state)
{
	struct job_fixture *f = *state;
	const char *id = start_one(f, NULL);

	/* Not committed: it never was. */
	set(f, id, 3600, NULL);
	restart(f);
	assert_int_equal(timeout_of(f, id), 1800);
	turn(f);
	assert_told(f, "adopt A.1/0");
	run(f, id, 1);
	turn(f);
	/* Committed: whoever adopts the attempt reads the new limit (backend/local.c tells it). */
	set(f, id, 3600, NULL);
	turn(f);
	restart(f);
	assert_int_equal(timeout_of(f, id), 3600);
}

static void what_is_too_late(void **state)
{
	struct job_fixture *f = *state;
	const char *id = start_one(f, json_pack("{s:i}", "timeoutSeconds", 100));
	int64_t now_ms = clock_now_ms();

	assert_int_equal(set(f, id, 0, "at least one second"), E_INVALID);
	assert_int_equal(set(f, id, -5, "at least one second"), E_INVALID);
	assert_int_equal(set(f, id, 8 * 86400, "7d (604800 seconds) is the longest on this server"),
	                 E_INVALID);
	assert_int_equal(set(f, id, INT64_MAX, "is the longest on this server"), E_INVALID);
	/* As for a submission, a flavor's own limit does not lift the server's. */
	f->configuration->flavors[0].max_timeout_s = 30 * 86400;
	assert_int_equal(set(f, id, 8 * 86400, "is the longest on this server"), E_INVALID);
	f->configuration->flavors[0].max_timeout_s = 200;
	assert_int_equal(set(f, id, 201, "is the longest for flavor cpu-basic"), E_INVALID);
	set(f, id, 200, NULL);
	job_cancel(f->service, id, NULL, NULL);
	assert_int_equal(set(f, id, 150, "over (CANCELED)"), E_CONFLICT);
	turn(f);
	assert_told(f, "stop A.1 extend A.1/200");
	id = add(f, json_pack("{s:i}", "timeoutSeconds", 100));
	turn(f);
	f->events.running(f->events.arg, id, 1, now_ms, 60 * 1000000);
	assert_int_equal(set(f, id, 59, "has been running for 1m: a time limit of 59s has passed"),
	                 E_CONFLICT);
	set(f, id, 61, NULL);
	assert_int_equal(timeout_of(f, id), 61);
	end(f, id, 1, OUTCOME_EXITED, 0);
	assert_int_equal(set(f, id, 90, "over (COMPLETED)"), E_CONFLICT);
	assert_int_equal(set(f, "0123456789abcdef01234567", 90, "not found"), E_NOT_FOUND);
}

static void a_limit_that_was_reached(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:i}", "timeoutSeconds", 100));
	struct job_record job autojob = {0};
	struct job_time_limit limit;

	turn(f);
	f->events.running(f->events.arg, id, 1, clock_now_ms(), 101 * 1000000LL);
	assert_int_equal(set(f, id, 1000, "has reached its time limit of 1m 40s"), E_CONFLICT);
	assert_true(jobs_find(f->store->db, id, &job));
	assert_true(job_find_time_limit(f->service, &job, &limit));
	assert_int_equal(limit.left_s, 0);
	assert_int_equal(timeout_of(f, id), 100);
}

/* The last argument of start() is read from the row, not from what was there when it was chosen. */
static void chosen_and_not_started(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, NULL);

	set(f, id, 77, NULL);
	turn(f);
	assert_told(f, "start A.1/0");
	set(f, id, 78, NULL);
	turn(f);
	assert_told(f, "extend A.1/78");
	assert_int_equal(timeout_of(f, id), 78);
}

#define T(name) cmocka_unit_test_setup_teardown(name, job_setup, job_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(the_monitor_is_told_after_the_commit),
	        T(queued_jobs_are_only_written_down),
	        T(a_crash_loses_nothing),
	        T(what_is_too_late),
	        T(a_limit_that_was_reached),
	        T(chosen_and_not_started),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
