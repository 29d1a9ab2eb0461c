/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler against traces: random ones, and such as people make (bursts, heavy users, large
 * jobs among small ones, accelerators, limits, changes by hand). Nothing is lent twice, limits
 * hold, promises are kept, nobody starves, everybody who waits is told why, and a pass costs
 * little.
 */
#include "scheduler_world.h"

static struct job *submit_any(struct world *w)
{
	int64_t limit_ms = (1 + dice(w, 120)) * MINUTE;

	return world_submit(w, (int)dice(w, FLAVORS), (int)dice(w, 6), limit_ms,
	                    1 + dice(w, limit_ms));
}

static void random_traces_keep_all_promises(void **state)
{
	int kept = 0;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world *w = world_make(seed, seed % 4 != 0);

		while (w->n_jobs < 400) {
			(void)submit_any(w);
			if (dice(w, 3) == 0)
				world_advance(w, w->now_ms + dice(w, 8 * MINUTE));
			world_pass(w);
			world_look(w);
		}
		world_drain(w);
		kept += w->kept;
		world_free(w);
	}
	assert_true(kept > 200);
}

static void set_all_limits(struct world *w)
{
	static const char letters[] = {'n', 'u', 'g'};

	w->max_running[SCOPE_NAMESPACE] = 7;
	w->max_running[SCOPE_USER] = 10;
	w->max_devices[SCOPE_USER] = 5;
	w->max_running[SCOPE_GROUP] = 4;
	w->max_devices[SCOPE_GROUP] = 4;
	for (int scope = 0; scope < SCOPES; scope++) {
		struct scheduler_limits limits = {w->max_running[scope], w->max_devices[scope],
		                                  100};

		for (int i = 0; i < 12; i++) {
			char id[ID_SIZE];

			snprintf(id, sizeof(id), "%c%d", letters[scope], i);
			scheduler_set_limits(w->scheduler, (enum scheduler_scope)scope, id,
			                     &limits);
		}
	}
}

static void limits_hold_and_keep_promises(void **state)
{
	for (uint64_t seed = 20; seed < 26; seed++) {
		struct world *w = world_make(seed, true);

		set_all_limits(w);
		while (w->n_jobs < 400) {
			(void)submit_any(w);
			if (dice(w, 3) == 0)
				world_advance(w, w->now_ms + dice(w, 10 * MINUTE));
			world_pass(w);
			world_look(w);
		}
		world_drain(w);
		world_free(w);
	}
}

/* A day of six namespaces, each with its habits. */
static void people_submit(struct world *w)
{
	int64_t hour = (w->now_ms - START_MS) / HOUR % 24;

	if (dice(w, 20) == 0)
		for (int i = 0; i < 30; i++)
			(void)world_submit(w, SMALL, 0, 30 * MINUTE, MINUTE + dice(w, 20 * MINUTE));
	if (dice(w, 2) == 0)
		(void)world_submit(w, GPU_1, 1, 4 * HOUR, HOUR / 2 + dice(w, 3 * HOUR));
	if (dice(w, 10) == 0)
		(void)world_submit(w, LARGE, 2, 2 * HOUR, 2 * HOUR);
	if (dice(w, 8) == 0)
		(void)world_submit(w, GPU_4, 3, 6 * HOUR, HOUR + dice(w, 5 * HOUR));
	if (hour > 8 && hour < 18)
		for (int i = 0; i < 3; i++)
			(void)world_submit(w, QUARTER, 4 + i % 2, HOUR, dice(w, HOUR));
	if (dice(w, 15) == 0)
		(void)world_submit(w, BIG_MEMORY, 5, HOUR, dice(w, HOUR));
	(void)world_submit(w, MEDIUM, 4, HOUR, dice(w, 40 * MINUTE));
}

static void a_week_of_people(void **state)
{
	for (uint64_t seed = 40; seed < 43; seed++) {
		struct world *w = world_make(seed, true);

		for (int step = 0; step < 7 * 24 && w->n_jobs < 1500; step++) {
			people_submit(w);
			world_pass(w);
			world_look(w);
			world_advance(w, w->now_ms + 15 * MINUTE + dice(w, HOUR));
		}
		world_drain(w);
		world_free(w);
	}
}

static struct job *any_waiting(struct world *w)
{
	int first = (int)dice(w, w->n_jobs);

	for (int i = 0; i < w->n_jobs; i++)
		if (w->jobs[(first + i) % w->n_jobs].entry.is_queued)
			return &w->jobs[(first + i) % w->n_jobs];
	return NULL;
}

static void change_waiting(struct world *w)
{
	struct job *job = any_waiting(w);

	if (!job)
		return;
	switch (dice(w, 6)) {
	case 0:
		job->entry.priority = (int)dice(w, 3) - 1;
		break;
	case 1:
		job->entry.rank = dice(w, 9) - 4;
		break;
	case 2:
		job->entry.hold = HOLD_ADMIN;
		break;
	case 3:
		job->entry.not_before_ms = w->now_ms + dice(w, HOUR);
		break;
	case 4:
		job->entry.limit_ms += HOUR;
		break;
	default:
		job->entry.hold = HOLD_NONE;
		break;
	}
	scheduler_change(w->scheduler, &job->entry);
}

static void extend_running(struct world *w)
{
	struct job *job = &w->jobs[dice(w, w->n_jobs)];

	if (!job->entry.is_holding)
		return;
	job->entry.limit_ms += HOUR;
	scheduler_change(w->scheduler, &job->entry);
	job->end_ms += dice(w, HOUR);
}

/* It failed: its next attempt waits. */
static void repeat_running(struct world *w)
{
	struct job *job = &w->jobs[dice(w, w->n_jobs)];

	if (!job->entry.is_holding)
		return;
	scheduler_release(w->scheduler, &job->entry, w->now_ms);
	job->entry.is_retry = true;
	job->entry.not_before_ms = dice(w, 2) ? w->now_ms + dice(w, MINUTE) : 0;
	scheduler_enqueue(w->scheduler, &job->entry);
}

static void change_devices(struct world *w)
{
	struct device *device = &w->devices[dice(w, CARDS)];

	device->is_healthy = !device->is_healthy;
	scheduler_set_devices(w->scheduler, w->devices, (size_t)(CARDS - dice(w, 3)));
}

static void calm_down(struct world *w)
{
	for (int i = 0; i < CARDS; i++)
		w->devices[i].is_healthy = true;
	scheduler_set_devices(w->scheduler, w->devices, CARDS);
	for (int i = 0; i < w->n_jobs; i++) {
		struct scheduler_entry *entry = &w->jobs[i].entry;

		if (!entry->is_queued)
			continue;
		entry->hold = HOLD_NONE;
		scheduler_change(w->scheduler, entry);
	}
}

static void cancel_waiting(struct world *w)
{
	struct job *job = any_waiting(w);

	if (!job)
		return;
	scheduler_dequeue(w->scheduler, &job->entry);
	job->is_done = true;
	w->n_done++;
}

static void anything_may_happen_at_any_time(void **state)
{
	static void (*const things[])(struct world *) = {
	        change_waiting, extend_running, repeat_running, change_devices, cancel_waiting};

	for (uint64_t seed = 60; seed < 70; seed++) {
		struct world *w = world_make(seed, seed % 3 != 0);

		w->is_lenient = true;
		while (w->n_jobs < 300) {
			(void)submit_any(w);
			things[dice(w, 5)](w);
			if (dice(w, 2))
				world_pass(w);
			if (dice(w, 2))
				world_look(w);
			if (dice(w, 3) == 0)
				world_advance(w, w->now_ms + dice(w, 10 * MINUTE));
		}
		calm_down(w);
		world_drain(w);
		world_free(w);
	}
}

/* Small ones come for ever, all shorter than the large one waits. */
static void starve(int small, int large, int64_t bound_ms, bool is_backfilling)
{
	struct world *w = world_make(7, is_backfilling);
	struct job *victim;

	for (int i = 0; i < 100; i++)
		(void)world_submit(w, small, 1 + i % 5, HOUR, MINUTE + dice(w, HOUR));
	world_pass(w);
	victim = world_submit(w, large, 0, 24 * HOUR, HOUR);
	for (int i = 0; i < 600 && !victim->started_ms; i++) {
		(void)world_submit(w, small, 1 + i % 5, HOUR, MINUTE + dice(w, HOUR));
		world_pass(w);
		world_look(w);
		world_advance(w, w->now_ms + MINUTE);
	}
	assert_true(victim->started_ms > 0);
	assert_true(victim->started_ms - victim->entry.arrived_ms <= bound_ms);
	world_free(w);
}

static void large_jobs_do_not_starve(void **state)
{
	/* Its namespace has used nothing, so it is next: it waits for those that run. */
	starve(SMALL, LARGE, HOUR, true);
	starve(GPU_1, GPU_4, HOUR, true);
	starve(QUARTER, GPU_4, HOUR, true);
	starve(SMALL, BIG_MEMORY, HOUR, true);
	starve(MEDIUM, LARGE, HOUR, true);
	starve(SMALL, LARGE, HOUR, false);
}

/* The same jobs with and without those that overtake: the first that waits starts no later. */
static void backfill_delays_nobody(void **state)
{
	for (uint64_t seed = 80; seed < 100; seed++) {
		int64_t starts_ms[2];

		for (int fillers = 0; fillers < 2; fillers++) {
			struct world *w = world_make(seed, true);
			struct job *first;

			for (int i = 0; i < 8; i++) {
				int64_t limit_ms = (10 + dice(w, 100)) * MINUTE;

				(void)world_submit(w, MEDIUM, 1, limit_ms, limit_ms);
			}
			world_pass(w);
			first = world_submit(w, LARGE, 0, HOUR, HOUR);
			world_pass(w);
			for (int i = 0; fillers && i < 200; i++)
				(void)world_submit(w, (int)dice(w, FLAVORS), 2 + (int)dice(w, 4),
				                   (1 + dice(w, 90)) * MINUTE,
				                   dice(w, 90 * MINUTE));
			world_pass(w);
			world_drain(w);
			starts_ms[fillers] = first->started_ms;
			world_free(w);
		}
		assert_true(starts_ms[1] <= starts_ms[0]);
	}
}

/* CPU × time of each namespace while all have more than enough to do. */
static void shares_follow_weights(void **state)
{
	static const int64_t weights[] = {100, 200, 500};
	double used[3] = {0}, sum = 0;
	struct world *w = world_make(5, true);

	for (int i = 0; i < 3; i++) {
		struct scheduler_limits limits = {-1, -1, weights[i]};
		char id[ID_SIZE];

		snprintf(id, sizeof(id), "n%d", i);
		scheduler_set_limits(w->scheduler, SCOPE_NAMESPACE, id, &limits);
		for (int k = 0; k < 1000; k++)
			(void)world_submit(w, MEDIUM, i, HOUR, (5 + dice(w, 50)) * MINUTE);
	}
	world_pass(w);
	world_advance(w, w->now_ms + 48 * HOUR);
	for (int i = 0; i < w->n_jobs; i++) {
		const struct job *job = &w->jobs[i];

		if (!job->started_ms)
			continue;
		used[job->space] += (double)job->length_ms * (double)job->entry.flavor->cpu_millis;
		sum += (double)job->length_ms * (double)job->entry.flavor->cpu_millis;
	}
	for (int i = 0; i < 3; i++) {
		double share = used[i] / sum, fair = (double)weights[i] / 800;

		if (share < fair * 0.9 || share > fair * 1.1)
			fail_msg("weight %lld got %.3f, not %.3f", (long long)weights[i], share,
			         fair);
	}
	world_free(w);
}

#define MANY 10000
#define SPACES 1000

/* Of what is looked at, not of time. */
static void a_pass_over_ten_thousand_costs_little(void **state)
{
	struct configuration c = {.cpu_millis = 200 * 1000,
	                          .memory_bytes = 1000 * GIB,
	                          .max_running = 4096,
	                          .half_life_s = 86400,
	                          .backfill = true};
	struct scheduler *s = scheduler_new(&c);
	struct scheduler_entry *entries = xcalloc(MANY, sizeof(*entries)), *last = NULL, *entry;
	int started = 0;

	for (int i = 0; i < MANY; i++) {
		entries[i] = (struct scheduler_entry){.flavor = &flavors[i % 4],
		                                      .arrived_ms = i,
		                                      .limit_ms = (1 + i % 50) * MINUTE};
		snprintf(entries[i].namespace_id, ID_SIZE, "n%d", i * 7 % SPACES);
		scheduler_enqueue(s, &entries[i]);
	}
	while ((entry = scheduler_next(s, START_MS))) {
		last = entry;
		started++;
	}
	assert_true(started > 20);
	assert_true(s->steps < 10 * MANY);
	/* Somebody leaves: the pass that follows looks at lanes, not at entries. */
	s->steps = 0;
	scheduler_release(s, last, START_MS + 1);
	while (scheduler_next(s, START_MS + 1))
		;
	assert_true(s->steps < 3 * MANY);
	s->steps = 0;
	assert_null(scheduler_next(s, START_MS + 2));
	assert_true(s->steps == 0);
	scheduler_free(s);
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(random_traces_keep_all_promises),
	        cmocka_unit_test(limits_hold_and_keep_promises),
	        cmocka_unit_test(a_week_of_people),
	        cmocka_unit_test(anything_may_happen_at_any_time),
	        cmocka_unit_test(large_jobs_do_not_starve),
	        cmocka_unit_test(backfill_delays_nobody),
	        cmocka_unit_test(shares_follow_weights),
	        cmocka_unit_test(a_pass_over_ten_thousand_costs_little),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
