/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine: what may follow what, in which words, and what an attempt's end means. */
#include "job_fixture.h"

#include "job/state.h"

static const struct retry_rule at_once = {0};

static void stages_follow_each_other(void **state)
{
	/* rows: from, columns: to, in the order of enum job_stage */
	static const bool allowed[STAGE_COUNT][STAGE_COUNT] = {
	        {true, true, false, true, true, false}, /* SCHEDULING */
	        {false, true, true, true, true, false}, /* RUNNING */
	        {false},
	        {false},
	        {false},
	        {false},
	};

	for (int from = 0; from < STAGE_COUNT; from++)
		for (int to = 0; to < STAGE_COUNT; to++)
			assert_int_equal(job_can_change(from, to), allowed[from][to]);
}

static void words_tell_the_causes_apart(void **state)
{
	static const struct {
		struct exit_record record;
		const char *message;
	} rows[] = {
	        {{.outcome = OUTCOME_EXITED, .exit_code = 0}, ""},
	        {{.outcome = OUTCOME_EXITED, .exit_code = 1}, "Job failed with exit code: 1"},
	        {{.outcome = OUTCOME_EXITED, .exit_code = 137}, "Job failed with exit code: 137"},
	        {{.outcome = OUTCOME_SIGNALED, .signal = 11}, "Job killed by signal 11 (SIGSEGV)"},
	        {{.outcome = OUTCOME_SIGNALED, .signal = 40}, "Job killed by signal 40"},
	        {{.outcome = OUTCOME_OOM,
	          .memory_peak_bytes = 512 << 20,
	          .memory_limit_bytes = 512 << 20},
	         "Out of memory: used 512 MiB of 512 MiB"},
	        {{.outcome = OUTCOME_OOM, .memory_limit_bytes = 512 << 20},
	         "Out of memory: used 512 MiB of 512 MiB"},
	        {{.outcome = OUTCOME_OOM}, "Out of memory"},
	        {{.outcome = OUTCOME_TIMEOUT}, "Job timeout"},
	        {{.outcome = OUTCOME_TIMEOUT, .message = "Job timeout: reached its limit of 30m"},
	         "Job timeout: reached its limit of 30m"},
	        {{.outcome = OUTCOME_STORAGE, .message = "used 1 GiB of storage"},
	         "used 1 GiB of storage"},
	        {{.outcome = OUTCOME_FAILED, .message = "Image not found: x"},
	         "Image not found: x"},
	        {{.outcome = OUTCOME_FAILED}, "The job could not be started"},
	        {{.outcome = OUTCOME_LOST, .started_ms = 5},
	         "The job's monitor was lost; its processes were ended and their exit code is not "
	         "known"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct job_record job = {.stage = STAGE_RUNNING, .attempts = 1};
		struct attempt_verdict verdict;

		attempt_judge(&job, &at_once, 1, &rows[i].record, &verdict);
		assert_string_equal(verdict.message, rows[i].message);
		assert_int_equal(verdict.stage, i == 0 ? STAGE_COMPLETED : STAGE_ERROR);
		assert_int_equal(verdict.is_failure, i != 0);
		assert_false(verdict.is_retried);
	}
}

static void attempts_are_repeated_by_cause(void **state)
{
	static const bool repeated[] = {
	        [OUTCOME_EXITED] = true,   [OUTCOME_SIGNALED] = true,  [OUTCOME_OOM] = true,
	        [OUTCOME_TIMEOUT] = false, [OUTCOME_CANCELED] = false, [OUTCOME_STORAGE] = true,
	        [OUTCOME_FAILED] = false,  [OUTCOME_LOST] = true,
	};

	for (int outcome = OUTCOME_EXITED; outcome <= OUTCOME_LOST; outcome++) {
		struct job_record job = {.stage = STAGE_RUNNING, .attempts = 3};
		struct exit_record record = {.outcome = outcome, .exit_code = 9, .started_ms = 1};
		struct attempt_verdict verdict;

		for (job.failure_count = 0; job.failure_count < 3; job.failure_count++) {
			attempt_judge(&job, &at_once, job.failure_count + 1, &record, &verdict);
			assert_int_equal(verdict.is_retried,
			                 repeated[outcome] && job.failure_count < 2);
			if (verdict.is_retried)
				assert_int_equal(verdict.stage, STAGE_RUNNING);
		}
	}
}

static bool is_repeated(const char *causes, const struct exit_record *record)
{
	autojson json_t *labels = json_pack("{s:s}", "hearth.retry", causes);
	struct configuration *configuration = configuration_new();
	struct job_record job = {.stage = STAGE_RUNNING, .attempts = 2};
	struct attempt_verdict verdict;
	struct job_wishes wishes;
	struct error err = ERROR_INIT;

	assert_int_equal(job_wishes_parse(configuration, labels, &wishes, &err), 0);
	attempt_judge(&job, &wishes.retry, 1, record, &verdict);
	configuration_free(configuration);
	return verdict.is_retried;
}

static void rules_choose_the_causes(void **state)
{
	static const char *const names[] = {
	        [OUTCOME_EXITED] = "exit", [OUTCOME_SIGNALED] = "signal",
	        [OUTCOME_OOM] = "oom",     [OUTCOME_TIMEOUT] = "timeout",
	        [OUTCOME_CANCELED] = NULL, [OUTCOME_STORAGE] = "storage",
	        [OUTCOME_FAILED] = NULL,   [OUTCOME_LOST] = "lost",
	};

	for (int outcome = OUTCOME_EXITED; outcome <= OUTCOME_LOST; outcome++) {
		struct exit_record record = {.outcome = outcome, .exit_code = 9, .started_ms = 1};

		for (int cause = OUTCOME_EXITED; cause <= OUTCOME_LOST; cause++)
			if (names[cause])
				assert_int_equal(is_repeated(names[cause], &record),
				                 cause == outcome);
		assert_int_equal(is_repeated("any", &record), names[outcome] != NULL);
		assert_false(is_repeated("none", &record));
		assert_int_equal(is_repeated("exit-9", &record), outcome == OUTCOME_EXITED);
		assert_false(is_repeated("exit-8,exit-10,exit-255", &record));
	}
}

static void pauses_double_up_to_a_limit(void **state)
{
	static const struct {
		int64_t delay_s, max_s;
		int failures;
		int64_t expected_s;
		const char *words;
	} rows[] = {
	        {0, 300, 0, 0, "; attempt 2 of 99 follows"},
	        {0, 300, 9, 0, "; attempt 11 of 99 follows"},
	        {1, 300, 0, 1, "; attempt 2 of 99 in 1 s"},
	        {1, 300, 1, 2, "; attempt 3 of 99 in 2 s"},
	        {1, 300, 8, 256, "; attempt 10 of 99 in 4 min"},
	        {1, 300, 9, 300, "; attempt 11 of 99 in 5 min"},
	        {1, 300, 90, 300, "; attempt 92 of 99 in 5 min"},
	        {40, 300, 0, 40, "; attempt 2 of 99 in 40 s"},
	        {119, 300, 0, 119, "; attempt 2 of 99 in 119 s"},
	        {600, 300, 5, 600, "; attempt 7 of 99 in 10 min"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct retry_rule rule = {.delay_s = rows[i].delay_s, .delay_max_s = rows[i].max_s};
		struct job_record job = {
		        .stage = STAGE_RUNNING, .attempts = 99, .failure_count = rows[i].failures};
		struct exit_record record = {.outcome = OUTCOME_EXITED, .exit_code = 1};
		struct attempt_verdict verdict;

		attempt_judge(&job, &rule, rows[i].failures + 1, &record, &verdict);
		assert_int_equal(verdict.delay_s, rows[i].expected_s);
		assert_string_equal(strchr(verdict.message, ';'), rows[i].words);
	}
}

static void starts_that_never_were_do_not_count(void **state)
{
	struct job_record job = {.stage = STAGE_SCHEDULING, .attempts = 1};
	struct exit_record record = {.outcome = OUTCOME_LOST};
	struct attempt_verdict verdict;

	for (int number = 1; number <= 3; number++) {
		attempt_judge(&job, &at_once, number, &record, &verdict);
		assert_true(verdict.is_retried && !verdict.is_failure);
		assert_string_equal(verdict.message, "");
	}
	attempt_judge(&job, &at_once, 4, &record, &verdict);
	assert_false(verdict.is_retried);
	assert_int_equal(verdict.stage, STAGE_ERROR);
}

static void a_change_is_one_row_and_one_event(void **state)
{
	struct job_fixture *f = *state;
	struct job_record job autojob = {0}, read autojob = {0};
	struct job_change change = {.stage = STAGE_RUNNING, .at_ms = 1};
	const char *id = add(f, NULL);

	assert_true(jobs_find(f->store->db, id, &job));
	assert_true(job_transition(f->store->db, &job, &change));
	/* The wall clock went back: no negative durations. */
	assert_true(job.started_ms == job.created_ms);
	change = (struct job_change){.stage = STAGE_ERROR,
	                             .message = "bad \xff byte",
	                             .cancel_reason = "X",
	                             .failure_count = 1,
	                             .at_ms = 2};
	assert_true(job_transition(f->store->db, &job, &change));
	assert_true(job.finished_ms == job.started_ms);
	change.stage = STAGE_CANCELED;
	assert_false(job_transition(f->store->db, &job, &change));
	assert_true(jobs_find(f->store->db, id, &read));
	assert_int_equal(read.stage, STAGE_ERROR);
	assert_string_equal(read.message, "bad ? byte");
	assert_string_equal(read.cancel_reason, "X");
	assert_int_equal(read.failure_count, 1);
}

struct history {
	enum job_stage stage;
	int64_t last_seq;
	int stages, open_attempts;
};

static void follow_history(void *arg, int64_t seq, const char *kind, const char *data,
                           int64_t at_ms)
{
	struct history *h = arg;
	autojson json_t *object = json_loads(data, 0, NULL);

	assert_non_null(object);
	assert_true(seq > h->last_seq);
	h->last_seq = seq;
	if (strcmp(kind, "stage") == 0) {
		enum job_stage to = stage_by_name(json_get_text(object, "stage", ""));

		assert_true(job_can_change(h->stage, to));
		h->stage = to;
		h->stages++;
	} else if (strcmp(kind, "attempt") == 0) {
		const char *phase = json_get_text(object, "phase", "");

		h->open_attempts += strcmp(phase, "created") == 0;
		h->open_attempts -= strcmp(phase, "ended") == 0;
		/* At most one live attempt, ever. */
		assert_in_range(h->open_attempts, 0, 1);
	}
}

static void check_job(struct job_fixture *f, const char *id, enum job_stage *terminal)
{
	struct job_record job autojob = {0};
	struct attempt_record attempt;
	struct history history = {.stage = STAGE_SCHEDULING};
	bool has_attempt = attempts_find_last(f->store->db, id, &attempt);

	assert_true(jobs_find(f->store->db, id, &job));
	events_each(f->store->db, id, 0, follow_history, &history);
	assert_int_equal(history.stage, job.stage);
	assert_int_equal(history.open_attempts, has_attempt && attempt.ended_ms == 0);
	/* A terminal stage never changes again. */
	if (stage_is_terminal(*terminal))
		assert_int_equal(*terminal, job.stage);
	*terminal = job.stage;
	assert_int_equal(job.finished_ms != 0, stage_is_terminal(job.stage));
	if (job.stage == STAGE_RUNNING || job.stage == STAGE_COMPLETED)
		assert_true(job.started_ms >= job.created_ms);
	if (job.finished_ms)
		assert_true(job.finished_ms >= job.started_ms);
	assert_true(job.failure_count <= job.attempts);
	if (!stage_is_terminal(job.stage))
		assert_true(job.failure_count < job.attempts);
	assert_int_equal(job_is_settled(f->service, id),
	                 stage_is_terminal(job.stage) && !history.open_attempts);
}

static void random_event(struct job_fixture *f, const char *id)
{
	struct attempt_record attempt;

	if (rand() % 12 == 0) {
		job_cancel(f->service, id, NULL, NULL);
		return;
	}
	if (!attempts_find_last(f->store->db, id, &attempt))
		return;
	/* Also late and wrong words of the backend: to an attempt that is over, or not yet there.
	 */
	attempt.number += rand() % 8 == 0 ? rand() % 3 - 1 : 0;
	if (rand() % 3)
		run(f, id, attempt.number);
	else
		end(f, id, attempt.number,
		    OUTCOME_EXITED + rand() % (OUTCOME_LOST - OUTCOME_EXITED + 1), rand() % 2);
}

/* Any sequence of submissions, cancels, words of the backend, crashes. */
static void random_sequences_keep_the_invariants(void **state)
{
	struct job_fixture *f = *state;

	for (unsigned seed = 1; seed <= 12; seed++) {
		enum job_stage stages[24] = {0};

		srand(seed);
		f->n_jobs = 0;
		for (int step = 0; step < 400; step++) {
			if (f->n_jobs < 24 && rand() % 8 == 0)
				add(f, json_pack("{s:i}", "attempts", 1 + rand() % 3));
			else if (f->n_jobs)
				random_event(f, f->ids[rand() % f->n_jobs]);
			*f->told = '\0';
			if (rand() % 3)
				continue;
			turn(f);
			for (int i = 0; i < f->n_jobs; i++)
				check_job(f, f->ids[i], &stages[i]);
			if (rand() % 20 == 0)
				restart(f);
		}
		/* Left alone, everything comes to an end. */
		for (int i = 0; i < f->n_jobs; i++)
			job_cancel(f->service, f->ids[i], NULL, NULL);
		turn(f);
		for (int i = 0; i < f->n_jobs; i++) {
			struct attempt_record attempt;

			if (attempts_find_last(f->store->db, f->ids[i], &attempt))
				end(f, f->ids[i], attempt.number, OUTCOME_CANCELED, 0);
		}
		turn(f);
		for (int i = 0; i < f->n_jobs; i++)
			assert_true(job_is_settled(f->service, f->ids[i]));
		struct job_service_counts counts;

		job_service_counts(f->service, &counts);
		assert_true(counts.queued == 0 && counts.live_attempts == 0 &&
		            counts.running == 0 && counts.cpu_millis_used == 0 &&
		            counts.memory_bytes_used == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(stages_follow_each_other),
	        cmocka_unit_test(words_tell_the_causes_apart),
	        cmocka_unit_test(attempts_are_repeated_by_cause),
	        cmocka_unit_test(rules_choose_the_causes),
	        cmocka_unit_test(pauses_double_up_to_a_limit),
	        cmocka_unit_test(starts_that_never_were_do_not_count),
	        cmocka_unit_test_setup_teardown(a_change_is_one_row_and_one_event, job_setup,
	                                        job_teardown),
	        cmocka_unit_test_setup_teardown(random_sequences_keep_the_invariants, job_setup,
	                                        job_teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
