/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that wait for others: single steps, and a thousand random graphs beside a small model. */
#include "job_fixture.h"

#include "job/active.h"
#include "job/dependency.h"
#include "store/dependencies.h"

#define CHAIN 10000

static json_t *after(const char *ids)
{
	return json_pack("{s:{s:s}}", "labels", "hearth.after", ids);
}

static void note_left(void *arg, const char *id)
{
	++*(int *)arg;
}

/* Until nothing is left to be settled; the slices after the first come by a timer. */
static void settle(struct job_fixture *f)
{
	struct job_service_counts before, later;
	int left;

	do {
		turn(f);
		left = 0;
		dependencies_each_ended(f->store->db, note_left, &left);
	} while (left > 0);
	/* A turn starts so many, and not more. */
	do {
		job_service_counts(f->service, &before);
		turn(f);
		job_service_counts(f->service, &later);
	} while (later.live_attempts > before.live_attempts);
}

static void it_waits_until_all_have_completed(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL), *b = add(f, NULL);
	char ids[64], expected[128];
	const char *c;

	snprintf(ids, sizeof(ids), "%s.%s", a, b);
	c = add(f, after(ids));
	turn(f);
	assert_told(f, "start A.1/0 start B.1/1");
	snprintf(expected, sizeof(expected),
	         "SCHEDULING 0 Waiting for job %s (SCHEDULING) and 1 other", a);
	assert_shown(f, c, expected);
	end(f, a, 1, OUTCOME_EXITED, 0);
	settle(f);
	assert_told(f, "");
	run(f, b, 1);
	turn(f);
	snprintf(expected, sizeof(expected), "SCHEDULING 0 Waiting for job %s (RUNNING)", b);
	assert_shown(f, c, expected);
	end(f, b, 1, OUTCOME_EXITED, 0);
	settle(f);
	assert_told(f, "start C.1/0");
}

static void what_has_completed_is_not_waited_for(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);

	turn(f);
	end(f, a, 1, OUTCOME_EXITED, 0);
	turn(f);
	add(f, after(a));
	turn(f);
	assert_told(f, "start A.1/0 start B.1/0");
}

/* Across three jobs, and with the first cause in the message of the last one. */
static void a_failure_cancels_who_waits(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL), *b = add(f, after(a)), *c = add(f, after(b)),
	           *d = add(f, after(c));
	char expected[256];

	turn(f);
	run(f, a, 1);
	end(f, a, 1, OUTCOME_EXITED, 3);
	settle(f);
	assert_told(f, "start A.1/0");
	snprintf(expected, sizeof(expected),
	         "CANCELED 0 Job %s, which it waits for, ended with ERROR: Job failed with exit "
	         "code: 3",
	         a);
	assert_shown(f, b, expected);
	snprintf(expected, sizeof(expected),
	         "CANCELED 0 Job %s, which it waits for, ended with CANCELED: Job %s, which it "
	         "waits "
	         "for, ended with ERROR: Job failed with exit code: 3",
	         c, a);
	assert_shown(f, d, expected);
	assert_true(job_is_settled(f->service, d));
}

/* Who reads the one that waits need not be somebody who may read the other one. */
static void causes_stay_in_their_namespace(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);
	struct error err = ERROR_INIT;
	char expected[128], id[ID_SIZE];

	if (submit_as(f, &f->store->lab, after(a), NULL, id, &err) != 0)
		fail_msg("%s", err.text);
	turn(f);
	run(f, a, 1);
	end(f, a, 1, OUTCOME_EXITED, 3);
	settle(f);
	snprintf(expected, sizeof(expected),
	         "CANCELED 0 Job %s, which it waits for, ended with ERROR", a);
	assert_shown(f, id, expected);
}

static void a_cancel_cancels_who_waits(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL), *b = add(f, after(a));
	char expected[128];

	turn(f);
	job_cancel(f->service, a, NULL, NULL);
	settle(f);
	snprintf(expected, sizeof(expected),
	         "CANCELED 0 Job %s, which it waits for, ended with CANCELED", a);
	assert_shown(f, b, expected);
	assert_int_equal(dependencies_count(f->store->db, b), 0);
}

static void who_was_cancelled_waits_no_more(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL), *b = add(f, after(a));

	turn(f);
	job_cancel(f->service, b, NULL, NULL);
	turn(f);
	assert_int_equal(dependencies_count(f->store->db, b), 0);
	end(f, a, 1, OUTCOME_EXITED, 0);
	settle(f);
	assert_shown(f, b, "CANCELED 0 -");
}

static void assert_refused(struct job_fixture *f, const char *ids, enum error_code code,
                           const char *part)
{
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	assert_int_equal(submit_as(f, &f->store->alice, after(ids), NULL, id, &err), -1);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err.text);
}

static void bad_labels_are_refused(void **state)
{
	struct job_fixture *f = *state;
	struct error err = ERROR_INIT;
	struct account bob;
	struct job_fixture as_bob;
	struct store_fixture store = *f->store;
	char id[ID_SIZE];
	const char *a = add(f, NULL);

	turn(f);
	end(f, a, 1, OUTCOME_EXITED, 1);
	turn(f);
	assert_refused(f, "0123456789abcdef01234567", E_NOT_FOUND,
	               "labels.hearth.after: job 0123456789abcdef01234567 was not found");
	assert_refused(f, a, E_CONFLICT, "has ended with ERROR");
	assert_refused(f, "yesterday", E_INVALID, "hearth.after");
	/* Somebody else's job is as unknown as none at all. */
	assert_int_equal(accounts_create(f->store->db, "bob", ACCOUNT_USER, &bob, &err), 0);
	as_bob = *f;
	store.alice = bob;
	as_bob.store = &store;
	assert_int_equal(submit_as(&as_bob, &bob, after(a), NULL, id, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
}

static int check_change(struct job_fixture *f, const char *id, const char *after_id,
                        struct error *err)
{
	struct job_wishes wishes = {.n_after = 1};

	memcpy(wishes.after[0], after_id, ID_SIZE);
	*err = ERROR_INIT;
	if (dependency_check(f->service, id, &f->store->alice, &wishes, err) < 0)
		return -1;
	dependency_replace(f->service, id, &wishes);
	return 0;
}

static void cycles_are_refused_by_name(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, json_pack("{s:{s:s}}", "labels", "hearth.hold", "yes"));
	const char *b = add(f, after(a)), *c = add(f, after(b)), *d = add(f, NULL);
	char expected[256];
	struct error err;

	turn(f);
	assert_int_equal(check_change(f, a, a, &err), -1);
	assert_string_equal(err.text, "labels.hearth.after: a job cannot wait for itself");
	assert_int_equal(check_change(f, a, c, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	snprintf(expected, sizeof(expected),
	         "labels.hearth.after: the job would wait for itself: it for %s, which waits for "
	         "%s, "
	         "which waits for %s; leave one of them out",
	         c, b, a);
	assert_string_equal(err.text, expected);
	/* Another job instead is fine, and frees it from the first one. */
	assert_int_equal(check_change(f, c, d, &err), 0);
	assert_int_equal(check_change(f, a, c, &err), 0);
	*f->told = '\0';
	end(f, d, 1, OUTCOME_EXITED, 0);
	settle(f);
	assert_told(f, "start C.1/0");
}

/* What people set and what it waits for must both go. */
static void a_held_job_waits_for_both(void **state)
{
	struct job_fixture *f = *state;
	const char *a = add(f, NULL);
	const char *b = add(
	        f, json_pack("{s:{s:s, s:s}}", "labels", "hearth.after", a, "hearth.hold", "yes"));
	struct active_job *active = active_find(f->service, b);

	turn(f);
	assert_int_equal(active->place.hold, HOLD_OWNER);
	restart(f);
	active = active_find(f->service, b);
	assert_int_equal(active->place.hold, HOLD_OWNER);
	active->held = HOLD_NONE;
	active_update_hold(f->service, active);
	assert_int_equal(active->place.hold, HOLD_AFTER);
	*f->told = '\0';
	end(f, a, 1, OUTCOME_EXITED, 0);
	settle(f);
	assert_told(f, "start B.1/0");
}

static void a_long_chain_is_cancelled_in_slices(void **state)
{
	struct job_fixture *f = *state;
	static char ids[CHAIN][ID_SIZE];
	struct error err = ERROR_INIT;

	f->configuration->max_queued = 0;
	for (int i = 0; i < CHAIN; i++)
		if (submit_as(f, &f->store->alice, i ? after(ids[i - 1]) : NULL, NULL, ids[i],
		              &err) != 0)
			fail_msg("%s", err.text);
	turn(f);
	assert_int_equal(check_change(f, ids[0], ids[900], &err), -1);
	assert_non_null(strstr(err.text, "which waits for others, and those for"));
	assert_int_equal(check_change(f, ids[0], ids[CHAIN - 1], &err), -1);
	assert_int_equal(err.code, E_TOO_LARGE);
	end(f, ids[0], 1, OUTCOME_EXITED, 1);
	turn(f);
	/* The first slice came with the end; a crash loses none of the others. */
	assert_true(strncmp(shown(f, ids[1]), "CANCELED", 8) == 0);
	restart(f);
	settle(f);
	assert_true(strncmp(shown(f, ids[CHAIN - 1]), "CANCELED", 8) == 0);
	assert_true(strlen(shown(f, ids[CHAIN - 1])) < 300);
}

static void one_end_releases_thousands(void **state)
{
	struct job_fixture *f = *state;
	struct job_service_counts counts;
	const char *a = add(f, NULL);
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	f->configuration->max_queued = 0;
	for (int i = 0; i < 2000; i++)
		if (submit_as(f, &f->store->alice, after(a), NULL, id, &err) != 0)
			fail_msg("%s", err.text);
	turn(f);
	end(f, a, 1, OUTCOME_EXITED, 0);
	settle(f);
	job_service_counts(f->service, &counts);
	assert_int_equal(counts.live_attempts, 3);
	assert_int_equal(counts.queued, 1997);
}

/* The model: a thousand graphs of up to NODES jobs, all at once. */
#define GRAPHS 1000
#define NODES 8

enum node_state {
	NODE_WAITS,
	NODE_LIVE,
	NODE_COMPLETED,
	NODE_FAILED,
	NODE_CANCELED,
};

struct graph {
	int n;
	char ids[NODES][ID_SIZE];
	unsigned after[NODES]; /* bits of earlier ones */
	enum node_state states[NODES];
};

static unsigned random_seed = 20261123;

static int random_below(int n)
{
	random_seed = random_seed * 1103515245 + 12345;
	return (int)(random_seed >> 16 & 0x7fff) % n;
}

static void model_make(struct job_fixture *f, struct graph *graph)
{
	struct error err = ERROR_INIT;

	graph->n = 2 + random_below(NODES - 1);
	for (int i = 0; i < graph->n; i++) {
		char ids[NODES * (ID_SIZE + 1)] = "";

		for (int j = 0; j < i; j++) {
			if (random_below(3) != 0)
				continue;
			graph->after[i] |= 1u << j;
			strcat(strcat(ids, *ids ? "." : ""), graph->ids[j]);
		}
		if (submit_as(f, &f->store->alice, *ids ? after(ids) : NULL, NULL, graph->ids[i],
		              &err) != 0)
			fail_msg("%s", err.text);
	}
}

/* What the ends so far lead to. */
static void model_advance(struct graph *graph)
{
	for (int i = 0; i < graph->n; i++) {
		bool is_ready = true, is_lost = false;

		if (graph->states[i] != NODE_WAITS)
			continue;
		for (int j = 0; j < i; j++) {
			if (!(graph->after[i] & 1u << j))
				continue;
			is_ready &= graph->states[j] == NODE_COMPLETED;
			is_lost |= graph->states[j] >= NODE_FAILED;
		}
		if (is_lost)
			graph->states[i] = NODE_CANCELED;
		else if (is_ready)
			graph->states[i] = NODE_LIVE;
	}
}

/* One random thing happens to a graph; `is_lost`: the crash comes before the commit. */
static void model_step(struct job_fixture *f, struct graph *graph, bool is_lost)
{
	int i = random_below(graph->n), what = random_below(10);
	enum node_state *node = &graph->states[i];

	if (*node == NODE_LIVE && what < 8) {
		end(f, graph->ids[i], 1, OUTCOME_EXITED, what == 0);
		if (!is_lost)
			*node = what == 0 ? NODE_FAILED : NODE_COMPLETED;
	} else if (*node == NODE_WAITS && what == 9) {
		job_cancel(f->service, graph->ids[i], NULL, NULL);
		if (!is_lost)
			*node = NODE_CANCELED;
	}
}

static void model_compare(struct job_fixture *f, const struct graph *graph)
{
	static const enum job_stage stages[] = {
	        [NODE_WAITS] = STAGE_SCHEDULING,    [NODE_LIVE] = STAGE_SCHEDULING,
	        [NODE_COMPLETED] = STAGE_COMPLETED, [NODE_FAILED] = STAGE_ERROR,
	        [NODE_CANCELED] = STAGE_CANCELED,
	};

	for (int i = 0; i < graph->n; i++) {
		const struct active_job *active = active_find(f->service, graph->ids[i]);
		struct dependency self;

		assert_true(dependencies_look(f->store->db, graph->ids[i], &self));
		assert_int_equal(self.stage, stages[graph->states[i]]);
		assert_int_equal(active && active->is_live, graph->states[i] == NODE_LIVE);
	}
}

static void a_thousand_graphs_behave_as_the_model(void **state)
{
	static struct graph graphs[GRAPHS];
	struct job_fixture *f = *state;

	f->configuration->max_queued = f->configuration->max_running = 0;
	f->configuration->cpu_millis = f->configuration->memory_bytes = 0;
	restart(f);
	for (int i = 0; i < GRAPHS; i++)
		model_make(f, &graphs[i]);
	for (int round = 0; round < 40; round++) {
		bool is_lost = round % 7 == 3;

		settle(f);
		for (int i = 0; i < GRAPHS; i++) {
			model_advance(&graphs[i]);
			if (round % 5 == 0)
				model_compare(f, &graphs[i]);
		}
		for (int i = 0; i < GRAPHS; i++)
			model_step(f, &graphs[i], is_lost);
		if (is_lost)
			restart(f);
		else if (round % 7 == 5) {
			turn(f); /* on disk, with the first slice */
			restart(f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, job_setup, job_teardown)
	        T(it_waits_until_all_have_completed),
	        T(what_has_completed_is_not_waited_for),
	        T(a_failure_cancels_who_waits),
	        T(causes_stay_in_their_namespace),
	        T(a_cancel_cancels_who_waits),
	        T(who_was_cancelled_waits_no_more),
	        T(bad_labels_are_refused),
	        T(cycles_are_refused_by_name),
	        T(a_held_job_waits_for_both),
	        T(a_long_chain_is_cancelled_in_slices),
	        T(one_end_releases_thousands),
	        T(a_thousand_graphs_behave_as_the_model),
#undef T
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
