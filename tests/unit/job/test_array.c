/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays: their elements, stages, limits, ends and logs, also over crashes at any point. */
#include "array_fixture.h"

#include "job/dependency.h"
#include "job/log_stream.h"
#include "job/queue.h"

static void an_array_is_its_elements(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:{s:s, s:s}, s:{s:s}, s:{s:s}}", "labels",
	                                  "hearth.array", "3-4", "name", "sweep", "environment",
	                                  "A", "1", "secrets", "S", "s"));
	struct job_record job autojob = {0};
	struct job_service_counts counts;
	struct elements *elements;
	const json_t *environment;

	wait_made(f, id);
	elements = elements_of(f, id, ~0u);
	assert_int_equal(elements->count, 2);
	assert_int_equal(elements->numbers[0], 3);
	assert_true(jobs_find(f->store->db, elements->ids[1], &job));
	environment = json_object_get(job.spec, "environment");
	assert_string_equal(json_get_text(environment, "A", ""), "1");
	assert_string_equal(json_get_text(environment, "HEARTH_ARRAY_ID", ""), id);
	assert_string_equal(json_get_text(environment, "HEARTH_ARRAY_INDEX", ""), "4");
	assert_string_equal(json_get_text(environment, "HEARTH_ARRAY_FIRST", ""), "3");
	assert_string_equal(json_get_text(environment, "HEARTH_ARRAY_LAST", ""), "4");
	assert_string_equal(json_get_text(job.labels, "hearth.array-of", ""), id);
	assert_string_equal(json_get_text(job.labels, "hearth.array-index", ""), "4");
	assert_string_equal(json_get_text(job.labels, "name", ""), "sweep");
	assert_null(json_object_get(job.labels, "hearth.array"));
	assert_string_equal(f->secrets, "{\"S\":\"s\"}");
	assert_shown(f, id, "SCHEDULING 0 Elements: 2 waiting");
	run(f, elements->ids[0], 1);
	turn(f);
	assert_shown(f, id, "RUNNING 0 Elements: 1 waiting, 1 running");
	job_service_counts(f->service, &counts);
	assert_int_equal(counts.queued, 0);
	end(f, elements->ids[0], 1, OUTCOME_EXITED, 0);
	end(f, elements->ids[1], 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_shown(f, id, "COMPLETED 0 -");
	assert_true(job_is_settled(f->service, id));
}

static void failures_are_named(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array("0-19"));
	int ended = 0;

	f->configuration->max_running = 0;
	restart(f); /* before the commit: it never was */
	assert_int_equal(elements_of(f, id, ~0u)->count, 0);
	id = add(f, array("0-19"));
	wait_made(f, id);
	while (ended < 20) {
		struct elements *elements = elements_of(f, id, UNFINISHED);

		for (int i = 0; i < elements->count; i++) {
			if (!is_live(f, elements->ids[i]))
				continue;
			end(f, elements->ids[i], 1, OUTCOME_EXITED, elements->numbers[i] % 7 == 4);
			ended++;
		}
		turn(f);
	}
	assert_shown(f, id, "ERROR 3 3 of 20 elements failed: 4, 11, 18");
}

static void only_so_many_at_once(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array_with("1-5", "hearth.array-max", "2"));
	struct elements elements;
	char expected[128];

	wait_made(f, id);
	elements = *elements_of(f, id, ~0u);
	for (int restarts = 0; restarts < 2; restarts++) {
		assert_true(is_live(f, elements.ids[0]));
		assert_true(is_live(f, elements.ids[1]));
		assert_false(is_live(f, elements.ids[2]));
		snprintf(expected, sizeof(expected),
		         "SCHEDULING 0 Waiting: array %s runs at most 2 of its elements at once",
		         id);
		assert_shown(f, elements.ids[4], expected);
		restart(f);
		turn(f);
	}
	end(f, elements.ids[1], 1, OUTCOME_EXITED, 1);
	turn(f);
	turn(f);
	assert_true(is_live(f, elements.ids[2]));
	assert_false(is_live(f, elements.ids[3]));
	/* One that is cancelled while it is kept back frees nothing. */
	job_cancel(f->service, elements.ids[3], NULL, NULL);
	turn(f);
	turn(f);
	assert_false(is_live(f, elements.ids[4]));
	end(f, elements.ids[0], 1, OUTCOME_EXITED, 0);
	turn(f);
	turn(f);
	assert_true(is_live(f, elements.ids[4]));
	end(f, elements.ids[2], 1, OUTCOME_EXITED, 0);
	end(f, elements.ids[4], 1, OUTCOME_EXITED, 0);
	turn(f);
	assert_shown(f, id, "ERROR 1 1 of 5 elements failed, 1 was canceled: 2, 4");
}

static void a_cancelled_array_ends_its_elements(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array("0-9"));
	char expected[128];
	struct elements elements;

	wait_made(f, id);
	elements = *elements_of(f, id, ~0u);
	run(f, elements.ids[0], 1);
	turn(f);
	*f->told = '\0';
	job_cancel(f->service, id, NULL, NULL);
	wait_over(f, id);
	assert_shown(f, id, "CANCELED 0 -");
	snprintf(expected, sizeof(expected), "CANCELED 0 Its array %s ended with CANCELED", id);
	assert_shown(f, elements.ids[0], expected);
	assert_shown(f, elements.ids[9], expected);
	assert_non_null(strstr(f->told, "stop"));
}

/* A cancel that was on disk before the crash reaches every element after it. */
static void a_cancel_survives(void **state)
{
	struct job_fixture *f = *state;
	const char *id;

	f->configuration->max_queued = 0;
	id = add(f, array("0-2999"));
	turn(f);
	job_cancel(f->service, id, "NO_CREDITS", "All credit is used");
	turn(f);
	restart(f);
	wait_over(f, id);
	assert_int_equal(elements_of(f, id, 1u << STAGE_COMPLETED | 1u << STAGE_ERROR)->count, 0);
}

static void making_goes_on_after_a_crash(void **state)
{
	struct job_fixture *f = *state;
	struct array_plan plan;
	struct elements *elements;
	const char *id;
	int crashes = 0;

	f->configuration->max_queued = 0;
	id = add(f, array("5-3004"));
	for (int i = 0; i < 3; i++) {
		turn(f);
		assert_true(arrays_find(f->store->db, id, &plan));
		crashes += plan.next > plan.first && plan.next <= plan.last;
		restart(f);
	}
	assert_true(crashes > 0);
	wait_made(f, id);
	elements = elements_of(f, id, ~0u);
	assert_int_equal(elements->count, 3000);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(elements->numbers[i], 5 + i);
}

static void an_array_waits_as_a_whole(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);
	const char *id = add(f, array_with("0-1", "hearth.after", a));
	const char *last = add(f, json_pack("{s:{s:s}}", "labels", "hearth.after", id));
	char expected[128];
	struct elements elements;

	wait_made(f, id);
	elements = *elements_of(f, id, ~0u);
	assert_told(f, "start A.1/0");
	snprintf(expected, sizeof(expected), "SCHEDULING 0 Waiting for job %s (SCHEDULING)", a);
	assert_shown(f, id, expected);
	snprintf(expected, sizeof(expected), "SCHEDULING 0 Waiting with its array %s", id);
	assert_shown(f, elements.ids[1], expected);
	restart(f);
	turn(f);
	assert_told(f, "adopt A.1/0");
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	turn(f);
	assert_true(is_live(f, elements.ids[0]));
	assert_true(is_live(f, elements.ids[1]));
	assert_false(is_live(f, last));
	end(f, elements.ids[0], 1, OUTCOME_EXITED, 0);
	end(f, elements.ids[1], 1, OUTCOME_EXITED, 0);
	turn(f);
	turn(f);
	assert_true(is_live(f, last));
}

static void a_failed_predecessor_cancels_all(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);
	const char *id = add(f, array_with("0-1", "hearth.after", a));
	char expected[256];

	wait_made(f, id);
	end(f, a, 1, OUTCOME_EXITED, 9);
	wait_over(f, id);
	snprintf(expected, sizeof(expected),
	         "CANCELED 0 Its array %s ended with CANCELED: Job %s, which it waits for, ended "
	         "with ERROR: Job failed with exit code: 9",
	         id, a);
	assert_shown(f, elements_of(f, id, ~0u)->ids[0], expected);
}

static void a_hold_keeps_the_rest(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array("0-9"));
	struct active_job *active;
	int live = 0;

	wait_made(f, id);
	active = active_find(f->service, id);
	active->held = HOLD_OWNER;
	active_update_hold(f->service, active);
	turn(f);
	for (int i = 0; i < 3; i++)
		end(f, elements_of(f, id, ~0u)->ids[i], 1, OUTCOME_EXITED, 0);
	turn(f);
	turn(f);
	for (int i = 0; i < 10; i++)
		live += is_live(f, elements_of(f, id, ~0u)->ids[i]);
	assert_int_equal(live, 0);
	active->held = HOLD_NONE;
	active_update_hold(f->service, active);
	turn(f);
	turn(f);
	for (int i = 0; i < 10; i++)
		live += is_live(f, elements_of(f, id, ~0u)->ids[i]);
	assert_int_equal(live, 3);
}

static void relabel(struct job_fixture *f, const char *id, const char *label, const char *value)
{
	struct job_record job autojob = {0};
	struct error err = ERROR_INIT;
	autojson json_t *labels = NULL;

	assert_true(jobs_find(f->store->db, id, &job));
	labels = json_copy(job.labels);
	json_object_set_new(labels, label, json_string(value));
	if (job_relabel(f->service, &job, labels, &f->store->alice, &err) < 0)
		fail_msg("%s", err.text);
}

/* Stage RUNNING though it waits, for its next attempt: its turn has come long ago. */
static void a_hold_spares_what_has_begun(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, json_pack("{s:{s:s, s:s, s:s}}", "labels", "hearth.array", "0-1",
	                                  "hearth.attempts", "2", "hearth.retry-delay", "1h"));
	struct elements elements;

	wait_made(f, id);
	elements = *elements_of(f, id, ~0u);
	end(f, elements.ids[0], 1, OUTCOME_EXITED, 1);
	relabel(f, id, "hearth.hold", "yes");
	for (int i = 0; i < 2; i++) {
		const struct active_job *active;

		turn(f);
		active = active_find(f->service, elements.ids[0]);
		assert_true(active->place.is_queued);
		assert_int_equal(active->place.hold, HOLD_NONE);
		restart(f);
	}
}

/* An array waits for its elements, and they wait with it. */
static void no_array_waits_for_its_own_element(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array_with("0-1", "hearth.hold", "yes"));
	struct job_wishes wishes = {.n_after = 1};
	struct error err = ERROR_INIT;

	wait_made(f, id);
	memcpy(wishes.after[0], elements_of(f, id, ~0u)->ids[1], ID_SIZE);
	assert_int_equal(dependency_check(f->service, id, &f->store->alice, &wishes, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	assert_non_null(strstr(err.text, "would wait for itself"));
	/* Nor may an element wait for anything that its array does not wait for. */
	assert_int_equal(dependency_check(f->service, elements_of(f, id, ~0u)->ids[0],
	                                  &f->store->alice, &wishes, &err),
	                 -1);
	assert_int_equal(err.code, E_CONFLICT);
}

static int refused(struct job_fixture *f, json_t *fields, const char *part)
{
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	assert_int_equal(submit_as(f, &f->store->alice, fields, NULL, id, &err), -1);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err.text);
	return (int)err.code;
}

static json_t *retry_of(const char *id)
{
	return json_pack("{s:{s:s}}", "labels", "hearth.array-retry", id);
}

/* 1,000 elements, 5 % of which fail; then only those; then one of them still. */
static void only_what_failed_runs_again(void **state)
{
	struct job_fixture *f = *state;
	char ids[3][ID_SIZE];
	const int expected[] = {1000, 50, 1};
	struct error err = ERROR_INIT;

	f->configuration->max_queued = 0;
	f->configuration->max_running = f->configuration->cpu_millis = 0;
	f->configuration->memory_bytes = 0;
	restart(f);
	for (int round = 0; round < 3; round++) {
		json_t *fields = round ? retry_of(ids[round - 1]) : array("1-1000");
		struct elements *elements;

		if (submit_as(f, &f->store->alice, fields, NULL, ids[round], &err) != 0)
			fail_msg("%s", err.text);
		wait_made(f, ids[round]);
		if (round == 0)
			assert_int_equal(refused(f, retry_of(ids[0]), "is not over yet"),
			                 E_CONFLICT);
		elements = elements_of(f, ids[round], ~0u);
		assert_int_equal(elements->count, expected[round]);
		for (int i = 0; i < elements->count; i++) {
			bool fails = round == 0 ? elements->numbers[i] % 20 == 0
			                        : round == 1 && elements->numbers[i] == 500;

			assert_true(round == 0 || elements->numbers[i] % 20 == 0);
			end(f, elements->ids[i], 1, OUTCOME_EXITED, fails);
		}
		wait_over(f, ids[round]);
	}
	assert_shown(
	        f, ids[0],
	        "ERROR 50 50 of 1000 elements failed: 20, 40, 60, 80, 100, 120, 140, 160, 180, "
	        "200, 220, 240 and others");
	assert_shown(f, ids[1], "ERROR 1 1 of 50 elements failed: 500");
	assert_shown(f, ids[2], "COMPLETED 0 -");
	assert_int_equal(refused(f, retry_of(ids[2]), "nothing to run again"), E_CONFLICT);
}

static void bad_arrays_are_refused(void **state)
{
	struct job_fixture *f = *state;
	const char *job = add(f, NULL);

	assert_int_equal(refused(f, array("5-3"), "hearth.array"), E_INVALID);
	assert_int_equal(refused(f, array("0-999999"), "at most 10000"), E_INVALID);
	assert_int_equal(refused(f, array("a-b"), "hearth.array"), E_INVALID);
	assert_int_equal(refused(f, retry_of(job), "is not an array"), E_INVALID);
	assert_int_equal(refused(f, retry_of("0123456789abcdef01234567"), "was not found"),
	                 E_NOT_FOUND);
}

static void a_duplicate_is_the_whole_array(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array("0-1"));
	struct job_record job autojob = {0}, element autojob = {0};
	struct error err = ERROR_INIT;
	char copy[ID_SIZE];

	wait_made(f, id);
	assert_true(jobs_find(f->store->db, id, &job));
	assert_int_equal(job_duplicate(f->service, &job, &f->store->alice, copy, &err), 0);
	wait_made(f, copy);
	assert_int_equal(elements_of(f, copy, ~0u)->count, 2);
	/* That of an element is a job of its own. */
	assert_true(jobs_find(f->store->db, elements_of(f, id, ~0u)->ids[0], &element));
	assert_int_equal(job_duplicate(f->service, &element, &f->store->alice, copy, &err), 0);
	job_record_clear(&job);
	assert_true(jobs_find(f->store->db, copy, &job));
	assert_null(json_object_get(job.labels, "hearth.array-of"));
}

static void nothing(void *arg)
{
}

/* Everything that there is, in portions of `size` bytes. */
static void read_log(struct job_fixture *f, const char *id, int64_t tail, size_t size, char *ret,
                     size_t max)
{
	struct log_stream *log = log_stream_new(f->service, id, tail, nothing, NULL);
	size_t len = 0;
	ssize_t n;

	while ((n = log_stream_fill(log, ret + len, size < max - len - 1 ? size : max - len - 1)) >
	       0)
		len += (size_t)n;
	ret[len] = '\0';
	log_stream_free(log);
}

static void its_log_tells_of_each_element(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array("7-8"));
	char whole[4096], again[4096], tail[4096], expected[256];
	struct elements elements;

	wait_made(f, id);
	elements = *elements_of(f, id, ~0u);
	run(f, elements.ids[0], 1);
	/* Not before it is on disk. */
	read_log(f, id, -1, 4096, whole, sizeof(whole));
	assert_null(strstr(whole, "started"));
	turn(f);
	read_log(f, id, -1, 4096, whole, sizeof(whole));
	assert_non_null(
	        strstr(whole, "data: {\"data\":\"Array of 2 elements, 7 to 8\",\"timestamp\":\""));
	snprintf(expected, sizeof(expected), "{\"data\":\"Element 7 started (job %s)\"",
	         elements.ids[0]);
	assert_non_null(strstr(whole, expected));
	end(f, elements.ids[0], 1, OUTCOME_EXITED, 0);
	end(f, elements.ids[1], 1, OUTCOME_EXITED, 2);
	turn(f);
	read_log(f, id, -1, 4096, whole, sizeof(whole));
	snprintf(expected, sizeof(expected),
	         "\"Element 8 ERROR after 0 s: Job failed with exit code: 2 (job %s)\"",
	         elements.ids[1]);
	assert_non_null(strstr(whole, expected));
	restart(f);
	read_log(f, id, -1, 7, again, sizeof(again));
	assert_string_equal(whole, again);
	read_log(f, id, 1, 1, tail, sizeof(tail));
	assert_string_equal(tail, strstr(whole, tail));
	assert_null(strstr(tail, "\n\ndata"));
}

/* Also those that the crash kept from hearing of it. */
static void elements_follow_their_array(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0};
	struct array_plan plan;
	const char *id;

	f->configuration->max_queued = 0;
	id = add(f, array("0-1999"));
	wait_made(f, id);
	relabel(f, id, "hearth.priority", "low");
	relabel(f, id, "hearth.timeout", "2h");
	turn(f);
	assert_true(arrays_find(f->store->db, id, &plan));
	assert_true(plan.tell && plan.tell_from > 0);
	restart(f);
	do {
		turn(f);
		assert_true(arrays_find(f->store->db, id, &plan));
	} while (plan.tell);
	for (int i = 0; i < 2000; i += 1999) {
		job_record_clear(&job);
		assert_true(jobs_find(f->store->db, elements_of(f, id, ~0u)->ids[i], &job));
		assert_int_equal(job.priority, -10);
		assert_int_equal(job.timeout_s, 7200);
	}
	assert_int_equal(active_find(f->service, job.id)->place.priority, -10);
}

/* Those that are made after the move, too. */
static void elements_stand_where_their_array_does(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0};
	struct error err = ERROR_INIT;
	const struct elements *elements;
	const char *id;

	f->configuration->max_queued = 0;
	id = add(f, array("0-1999"));
	turn(f);
	assert_int_equal(queue_move(f->service, id, QUEUE_FIRST, &err), 0);
	wait_made(f, id);
	restart(f);
	turn(f);
	elements = elements_of(f, id, ~0u);
	for (int i = 0; i < elements->count; i++) {
		job_record_clear(&job);
		assert_true(jobs_find(f->store->db, elements->ids[i], &job));
		assert_int_equal(job.rank, -1);
		assert_int_equal(active_find(f->service, job.id)->place.rank, -1);
	}
}

static void how_many_at_once_may_change(void **state)
{
	struct job_fixture *f = *state;
	const char *id = add(f, array_with("0-9", "hearth.array-max", "1"));

	wait_made(f, id);
	assert_int_equal(count_live(f, id), 1);
	relabel(f, id, "hearth.array-max", "3");
	turn(f);
	turn(f);
	assert_int_equal(count_live(f, id), 3);
	/* Those that run go on; nothing new begins until there is room again. */
	relabel(f, id, "hearth.array-max", "1");
	restart(f);
	relabel(f, id, "hearth.array-max", "2");
	turn(f);
	for (int i = 0; i < 2; i++) {
		end(f, elements_of(f, id, UNFINISHED)->ids[0], 1, OUTCOME_EXITED, 0);
		turn(f);
		turn(f);
		assert_int_equal(count_live(f, id), 2);
	}
}

static void what_would_fill_the_disk_is_refused(void **state)
{
	struct job_fixture *f = *state;
	char *large = xcalloc(1, 100001);
	json_t *fields = array("1-9000");

	f->configuration->max_queued = 0;
	memset(large, 'x', 100000);
	json_object_set_new(fields, "environment", json_pack("{s:s}", "A", large));
	assert_int_equal(refused(f, fields, "put what is large into a bucket"), E_TOO_LARGE);
	free(large);
}

static void others_are_no_arrays(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);

	assert_false(array_is_array(f->store->db, a));
	assert_true(array_is_array(f->store->db, add(f, array("1-1"))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, job_setup, job_teardown)
	        T(an_array_is_its_elements),
	        T(failures_are_named),
	        T(only_so_many_at_once),
	        T(a_cancelled_array_ends_its_elements),
	        T(a_cancel_survives),
	        T(making_goes_on_after_a_crash),
	        T(an_array_waits_as_a_whole),
	        T(a_failed_predecessor_cancels_all),
	        T(a_hold_keeps_the_rest),
	        T(a_hold_spares_what_has_begun),
	        T(no_array_waits_for_its_own_element),
	        T(only_what_failed_runs_again),
	        T(bad_arrays_are_refused),
	        T(a_duplicate_is_the_whole_array),
	        T(its_log_tells_of_each_element),
	        T(elements_follow_their_array),
	        T(elements_stand_where_their_array_does),
	        T(how_many_at_once_may_change),
	        T(what_would_fill_the_disk_is_refused),
	        T(others_are_no_arrays),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
