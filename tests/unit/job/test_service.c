/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs service from outside: submissions, order of starts, ends, cancels, watchers. */
#include "job_fixture.h"

#include "job/active.h"

#include <poll.h>

static void a_job_runs_to_its_end(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0};
	const char *id = add(f, json_pack("{s:{s:s}}", "secrets", "HF_TOKEN", "hf_x"));

	/* Nothing is started before it is on disk, and the create answer shows no message. */
	assert_told(f, "");
	assert_shown(f, id, "SCHEDULING 0 -");
	turn(f);
	assert_told(f, "start A.1/0");
	assert_string_equal(f->secrets, "{\"HF_TOKEN\":\"hf_x\"}");
	f->events.progress(f->events.arg, id, 1, "Pulling image: 43 %");
	assert_shown(f, id, "SCHEDULING 0 Pulling image: 43 %");
	f->events.image(f->events.arg, id, 1, "sha256:abc");
	run(f, id, 1);
	assert_shown(f, id, "RUNNING 0 -");
	turn(f);
	end(f, id, 1, OUTCOME_EXITED, 0);
	assert_shown(f, id, "COMPLETED 0 -");
	assert_false(job_is_settled(f->service, id));
	turn(f);
	assert_true(job_is_settled(f->service, id));
	assert_true(jobs_find(f->store->db, id, &job));
	assert_string_equal(job.image_digest, "sha256:abc");
	assert_true(job.started_ms >= job.created_ms && job.finished_ms >= job.started_ms);
	assert_told(f, "");
}

static void starts_are_in_order_and_at_once(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade")), *b, *c;

	b = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	c = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	(void)add(f, NULL);
	turn(f);
	/* D has room beside both. */
	assert_told(f, "start A.1/0 start D.1/1");
	assert_shown(f, b,
	             "SCHEDULING 0 Waiting for 3 vCPU and 2 GiB: 0 vCPU and 5 GiB are free, about "
	             "31 min");
	assert_shown(f, c, "SCHEDULING 0 Waiting: 1 job ahead, about 62 min");
	run(f, a, 1);
	turn(f);
	end(f, a, 1, OUTCOME_EXITED, 1);
	/* One turn, one commit: the end and what starts next. */
	turn(f);
	assert_shown(f, a, "ERROR 1 Job failed with exit code: 1");
	assert_told(f, "start B.1/0");
}

static void attempts_follow_attempts(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:i, s:s}", "attempts", 3, "flavor", "cpu-upgrade")),
	           *b;
	struct job_record job autojob = {0};
	int64_t started_ms;

	turn(f);
	b = add(f, NULL);
	(void)add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	assert_told(f, "start A.1/0 start B.1/1");
	run(f, id, 1);
	assert_true(jobs_find(f->store->db, id, &job));
	started_ms = job.started_ms;
	end(f, id, 1, OUTCOME_SIGNALED, 11);
	assert_shown(f, id, "RUNNING 1 Job killed by signal 11 (SIGSEGV); attempt 2 of 3 follows");
	turn(f);
	/* Before C, which came before it failed. */
	assert_told(f, "start A.2/0");
	run(f, id, 2);
	turn(f);
	assert_shown(f, id, "RUNNING 1 -");
	end(f, id, 2, OUTCOME_OOM, 0);
	turn(f);
	assert_told(f, "start A.3/0");
	run(f, id, 3);
	end(f, id, 3, OUTCOME_EXITED, 0);
	turn(f);
	assert_shown(f, id, "COMPLETED 2 -");
	job_record_clear(&job);
	assert_true(jobs_find(f->store->db, id, &job));
	assert_true(job.started_ms == started_ms);
	assert_told(f, "start C.1/0");
	end(f, b, 1, OUTCOME_EXITED, 0);
}

static void a_cancel_is_at_once(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	const char *b = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade")), *c;

	c = add(f, json_pack("{s:s}", "flavor", "cpu-upgrade"));
	turn(f);
	run(f, a, 1);
	turn(f);
	assert_told(f, "start A.1/0");
	job_cancel(f->service, b, NULL, NULL);
	job_cancel(f->service, a, "NO_CREDITS", "No credit is left");
	assert_shown(f, b, "CANCELED 0 -");
	assert_shown(f, a, "CANCELED 0 No credit is left");
	assert_told(f, "");
	turn(f);
	/* Its process has to be gone before the next one takes its place. */
	assert_told(f, "stop A.1");
	assert_true(job_is_settled(f->service, b));
	assert_false(job_is_settled(f->service, a));
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_shown(f, a, "CANCELED 0 No credit is left");
	assert_true(job_is_settled(f->service, a));
	assert_told(f, "start C.1/0");
	job_cancel(f->service, a, NULL, "again");
	assert_shown(f, a, "CANCELED 0 No credit is left");
	job_cancel(f->service, "000000000000000000000000", NULL, NULL);
	(void)c;
}

static void a_cancel_before_the_start_starts_nothing(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, NULL);

	job_cancel(f->service, id, NULL, NULL);
	turn(f);
	turn(f);
	assert_told(f, "");
	assert_shown(f, id, "CANCELED 0 -");
	assert_true(job_is_settled(f->service, id));
}

static void cancel_now(void *arg)
{
	struct job_fixture *f = arg;

	job_cancel(f->service, f->ids[0], NULL, NULL);
}

/* The row of the attempt is written, the backend not yet asked. */
static void a_cancel_between_row_and_start(void **state)
{
	struct job_fixture *f = *state;
	struct attempt_record attempt;
	const char *id = add(f, NULL);

	/* Deferred after the scheduler's pass of this turn, and before its commit. */
	loop_defer(f->loop, cancel_now, f);
	turn(f);
	turn(f);
	assert_told(f, "");
	assert_shown(f, id, "CANCELED 0 -");
	assert_true(attempts_find_last(f->store->db, id, &attempt));
	assert_string_equal(attempt.outcome, "canceled");
	assert_true(job_is_settled(f->service, id));
}

static void keys_and_no_keys(void **state)
{
	struct job_fixture *f = *state;
	struct error err = ERROR_INIT;
	char one[ID_SIZE], two[ID_SIZE];
	json_t *label = json_pack("{s:{s:s}}", "labels", "hearth.idempotency-key", "k");

	/* Identical bodies without a key are two jobs. */
	assert_int_equal(submit_as(f, &f->store->alice, NULL, NULL, one, &err), 0);
	assert_int_equal(submit_as(f, &f->store->alice, NULL, NULL, two, &err), 0);
	assert_string_not_equal(one, two);
	assert_int_equal(submit_as(f, &f->store->alice, json_incref(label), NULL, one, &err), 0);
	turn(f);
	restart(f);
	assert_int_equal(submit_as(f, &f->store->alice, json_incref(label), NULL, two, &err), 1);
	assert_string_equal(one, two);
	/* The key is the owner's. */
	assert_int_equal(submit_as(f, &f->store->lab, label, NULL, two, &err), 0);
	assert_string_not_equal(one, two);
	assert_int_equal(submit_as(f, &f->store->alice, NULL, "h", one, &err), 0);
	assert_int_equal(submit_as(f, &f->store->alice, NULL, "h", two, &err), 1);
	assert_string_equal(one, two);
	assert_int_equal(
	        submit_as(f, &f->store->alice, json_pack("{s:i}", "attempts", 2), "h", two, &err),
	        -1);
	assert_int_equal(err.code, E_CONFLICT);
}

static void the_queue_of_a_namespace_is_bounded(void **state)
{
	struct job_fixture *f = *state;
	struct error err = ERROR_INIT;
	char id[ID_SIZE], first[ID_SIZE];

	assert_int_equal(submit_as(f, &f->store->alice, NULL, "k", first, &err), 0);
	for (int i = 1; i < 53; i++) {
		assert_int_equal(submit_as(f, &f->store->alice, NULL, NULL, id, &err), 0);
		turn(f);
	}
	/* 3 run, 50 wait. */
	assert_int_equal(submit_as(f, &f->store->alice, NULL, NULL, id, &err), -1);
	assert_int_equal(err.code, E_BUSY);
	assert_int_equal(submit_as(f, &f->store->alice, NULL, "k", id, &err), 1);
	assert_int_equal(submit_as(f, &f->store->lab, NULL, NULL, id, &err), 0);
	job_cancel(f->service, id, NULL, NULL);
	turn(f);
	end(f, first, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_int_equal(submit_as(f, &f->store->alice, NULL, NULL, id, &err), 0);
}

static void a_duplicate_has_the_secrets_but_not_the_key(void **state)
{
	struct job_fixture *f = *state;
	struct job_record source autojob = {0}, copy autojob = {0};
	struct error err = ERROR_INIT;
	const char *id =
	        add(f, json_pack("{s:{s:s, s:s}, s:{s:s}}", "labels", "hearth.idempotency-key", "k",
	                         "env", "prod", "secrets", "A", "b"));

	turn(f);
	assert_true(jobs_find(f->store->db, id, &source));
	assert_int_equal(job_duplicate(f->service, &source, &f->store->alice, f->ids[1], &err), 0);
	f->n_jobs++;
	*f->told = *f->secrets = '\0';
	turn(f);
	assert_told(f, "start B.1/1");
	assert_string_equal(f->secrets, "{\"A\":\"b\"}");
	assert_true(jobs_find(f->store->db, f->ids[1], &copy));
	assert_true(json_equal(copy.spec, source.spec));
	assert_int_equal(json_object_size(copy.labels), 1);
	assert_string_equal(json_get_text(copy.initiator, "type", ""), "duplicated-job");
	assert_string_equal(json_get_text(copy.initiator, "id", ""), id);
}

static void secrets_are_not_on_disk_in_clear(void **state)
{
	struct job_fixture *f = *state;
	autobuffer struct buffer data = BUFFER_INIT(16 << 20);
	struct error err = ERROR_INIT;
	char path[128];

	add(f, json_pack("{s:{s:s}}", "secrets", "TOKEN_NAME", "correct-horse-battery"));
	turn(f);
	snprintf(path, sizeof(path), "%s-wal", f->store->path);
	assert_int_equal(file_read(AT_FDCWD, path, &data, &err), 0);
	assert_non_null(memmem(data.data, data.len, "TOKEN_NAME", 10));
	assert_null(memmem(data.data, data.len, "correct-horse", 13));
}

struct watcher {
	struct job_fixture *f;
	struct job_watch *watch, *other;
	const char *id;
	int calls;
	char seen[64];
};

static void on_change(void *arg)
{
	struct watcher *w = arg;

	w->calls++;
	snprintf(w->seen, sizeof(w->seen), "%s%s", shown(w->f, w->id),
	         job_is_settled(w->f->service, w->id) ? " settled" : "");
}

static void on_change_leave(void *arg)
{
	struct watcher *w = arg;

	w->calls++;
	job_unwatch(w->watch);
	job_unwatch(w->other);
	w->watch = w->other = NULL;
}

static void watchers_are_told_after_the_commit(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, NULL), *other = add(f, NULL);
	struct watcher w = {.f = f, .id = id};

	turn(f);
	w.watch = job_watch(f->service, id, on_change, &w);
	run(f, id, 1);
	run(f, other, 1);
	assert_int_equal(w.calls, 0);
	turn(f);
	assert_int_equal(w.calls, 1);
	assert_string_equal(w.seen, "RUNNING 0 -");
	autojson json_t *labels = json_pack("{s:s}", "a", "b");

	struct job_record record autojob = {0};
	struct error err = ERROR_INIT;

	assert_true(jobs_find(f->store->db, id, &record));
	assert_int_equal(job_relabel(f->service, &record, labels, &f->store->alice, &err), 0);
	end(f, id, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_string_equal(w.seen, "COMPLETED 0 - settled");
	job_unwatch(w.watch);
}

static void watchers_may_leave_while_they_are_told(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, NULL);
	struct watcher early = {.f = f, .id = id}, leaver = {0}, late = {.f = f, .id = id};

	turn(f);
	early.watch = job_watch(f->service, id, on_change, &early);
	leaver.other = job_watch(f->service, id, on_change, &(struct watcher){0});
	leaver.watch = job_watch(f->service, id, on_change_leave, &leaver);
	late.watch = job_watch(f->service, id, on_change, &late);
	run(f, id, 1);
	turn(f);
	assert_int_equal(early.calls, 1);
	assert_int_equal(leaver.calls, 1);
	assert_int_equal(late.calls, 1);
	job_unwatch(late.watch);
	job_unwatch(early.watch);
	end(f, id, 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_int_equal(early.calls, 1);
	job_unwatch(NULL);
}

static void durations_are_of_the_monotonic_clock(void **state)
{
	struct job_fixture *f = *state;
	struct attempt_record attempt;
	struct job_record job autojob = {0};
	const char *id = add(f, NULL);
	struct exit_record record = {.outcome = OUTCOME_EXITED, .running_us = 92000000};

	turn(f);
	run(f, id, 1);
	/* The wall clock was set a year back while the job ran. */
	record.ended_ms = clock_now_ms() - 365 * 86400000LL;
	f->events.ended(f->events.arg, id, 1, &record);
	turn(f);
	assert_true(attempts_find_last(f->store->db, id, &attempt));
	assert_true(attempt.ended_ms - attempt.started_ms == 92000);
	assert_true(jobs_find(f->store->db, id, &job));
	assert_true(job.finished_ms - job.started_ms == 92000);
}

/* As long as was said, though the wall clock was set since the start of the service. */
static void pause_is_kept(struct job_fixture *f, int64_t wall_step_ms)
{
	int64_t begin_ms, took_ms;
	const char *id;

	f->configuration->retry_delay_s = 1;
	f->service->clock_origin_ms -= wall_step_ms;
	id = add(f, json_pack("{s:i}", "attempts", 2));
	turn(f);
	run(f, id, 1);
	end(f, id, 1, OUTCOME_EXITED, 1);
	begin_ms = clock_monotonic_ms();
	turn(f);
	*f->told = '\0';
	while (!*f->told && clock_monotonic_ms() - begin_ms < 5000) {
		(void)poll(NULL, 0, 10);
		turn(f);
	}
	took_ms = clock_monotonic_ms() - begin_ms;
	assert_told(f, "start A.2/0");
	assert_true(took_ms >= 900);
}

static void a_pause_is_kept_when_the_clock_is_set_forward(void **state)
{
	pause_is_kept(*state, 3600000);
}

static void a_pause_is_kept_when_the_clock_is_set_back(void **state)
{
	pause_is_kept(*state, -3600000);
}

static void failing_to_start_is_told_and_not_repeated(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:i}", "attempts", 5));
	struct exit_record record = {.outcome = OUTCOME_FAILED,
	                             .exit_code = -1,
	                             .message = "Image not found: x; the registry said 404"};

	turn(f);
	f->events.ended(f->events.arg, id, 1, &record);
	f->events.ended(f->events.arg, id, 1, &record);
	f->events.running(f->events.arg, id, 1, 5, 0);
	f->events.progress(f->events.arg, id, 1, "late");
	turn(f);
	assert_shown(f, id, "ERROR 1 Image not found: x; the registry said 404");
	assert_true(job_is_settled(f->service, id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, job_setup, job_teardown)
	        T(a_job_runs_to_its_end),
	        T(starts_are_in_order_and_at_once),
	        T(attempts_follow_attempts),
	        T(a_cancel_is_at_once),
	        T(a_cancel_before_the_start_starts_nothing),
	        T(a_cancel_between_row_and_start),
	        T(keys_and_no_keys),
	        T(the_queue_of_a_namespace_is_bounded),
	        T(a_duplicate_has_the_secrets_but_not_the_key),
	        T(secrets_are_not_on_disk_in_clear),
	        T(watchers_are_told_after_the_commit),
	        T(watchers_may_leave_while_they_are_told),
	        T(durations_are_of_the_monotonic_clock),
	        T(a_pause_is_kept_when_the_clock_is_set_forward),
	        T(a_pause_is_kept_when_the_clock_is_set_back),
	        T(failing_to_start_is_told_and_not_repeated),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
