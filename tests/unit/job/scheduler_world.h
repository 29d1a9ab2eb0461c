/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on a virtual clock: 32 CPUs, 128 GiB and eight cards in two NUMA nodes. Jobs end when they
 * are to; what must hold is checked by looking at the entries, not at the scheduler.
 */
#ifndef HEARTH_TESTS_SCHEDULER_WORLD_H
#define HEARTH_TESTS_SCHEDULER_WORLD_H

#include "../unit.h"

#include "base/memory.h"
#include "job/scheduler_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB (1024 * 1024 * 1024LL)
#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define START_MS INT64_C(1700000000000)
#define JOBS_MAX 4000
#define CPUS 32
#define MEMORY (128 * GIB)
#define CARDS 8
#define MAX_RUNNING 24

#define FLAVOR(name_, cpus_, gib_) \
	.name = (char *)(name_), .cpu_millis = (cpus_)*1000, .memory_bytes = (gib_)*GIB
#define CARD(count_, shares_) .device_kind = (char *)"x/gpu", .device_count = (count_), .device_shares = (shares_)
static struct flavor flavors[] = {
	{ FLAVOR("small", 1, 2) },	       { FLAVOR("medium", 4, 16) },
	{ FLAVOR("large", 24, 64) },	       { FLAVOR("memory", 2, 100) },
	{ FLAVOR("gpu-1", 2, 8), CARD(1, 1) }, { FLAVOR("gpu-4", 8, 32), CARD(4, 1) },
	{ FLAVOR("quarter", 1, 2), CARD(1, 4) },
};
#define FLAVORS (sizeof(flavors) / sizeof(flavors[0]))
enum { SMALL, MEDIUM, LARGE, BIG_MEMORY, GPU_1, GPU_4, QUARTER };

struct job {
	struct scheduler_entry entry; /* first */
	int number, space;
	int64_t length_ms; /* how long it really takes; at most its limit */
	int64_t end_ms, started_ms;
	int64_t promised_ms; /* what it was told last; 0: nothing */
	bool is_done;
};

struct world {
	struct scheduler *scheduler;
	struct device devices[CARDS];
	struct job *jobs;
	int n_jobs, n_done, kept;
	int64_t now_ms, longest_wait_ms;
	bool is_lenient; /* things happen that may make promises late */
	uint64_t random;
	int64_t max_running[SCOPES], max_devices[SCOPES]; /* of every scope of this sort; -1: none */
};

static inline int64_t dice(struct world *w, int64_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (int64_t)((w->random >> 11) % (uint64_t)below);
}

static inline struct world *world_make(uint64_t seed, bool is_backfilling)
{
	struct configuration c = {
		.cpu_millis = CPUS * 1000,
		.memory_bytes = MEMORY,
		.max_running = MAX_RUNNING,
		.half_life_s = 86400,
		.backfill = is_backfilling,
	};
	struct world *w = xcalloc(1, sizeof(*w));

	w->scheduler = scheduler_new(&c);
	w->jobs = xcalloc(JOBS_MAX, sizeof(*w->jobs));
	w->now_ms = START_MS;
	w->random = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < SCOPES; i++)
		w->max_running[i] = w->max_devices[i] = -1;
	for (int i = 0; i < CARDS; i++) {
		struct device *d = &w->devices[i];

		*d = (struct device){ .numa_node = i / 4, .is_healthy = true };
		snprintf(d->name, sizeof(d->name), "x/gpu=%d", i);
		snprintf(d->kind, sizeof(d->kind), "x/gpu");
		snprintf(d->model, sizeof(d->model), "X100");
		snprintf(d->uuid, sizeof(d->uuid), "GPU-%d", i);
	}
	scheduler_set_devices(w->scheduler, w->devices, CARDS);
	return w;
}

static inline void world_free(struct world *w)
{
	scheduler_free(w->scheduler);
	free(w->jobs);
	free(w);
}

/* Not queued yet. Two namespaces are of one user; every third is in a group. */
static inline struct job *world_new_job(struct world *w, int flavor, int space, int64_t limit_ms,
					int64_t length_ms)
{
	struct job *job = &w->jobs[w->n_jobs];

	assert_true(w->n_jobs < JOBS_MAX);
	job->number = w->n_jobs++;
	job->space = space;
	job->length_ms = length_ms < limit_ms ? length_ms : limit_ms;
	job->entry = (struct scheduler_entry){
		.flavor = &flavors[flavor],
		.arrived_ms = w->now_ms,
		.limit_ms = limit_ms,
		.expected_ms = job->number % 2 ? job->length_ms : 0,
	};
	snprintf(job->entry.job_id, ID_SIZE, "j%d", job->number);
	snprintf(job->entry.namespace_id, ID_SIZE, "n%d", space);
	snprintf(job->entry.user_id, ID_SIZE, "u%d", space / 2);
	if (space % 3 == 0)
		snprintf(job->entry.group_id, ID_SIZE, "g%d", space);
	return job;
}

static inline struct job *world_submit(struct world *w, int flavor, int space, int64_t limit_ms,
				       int64_t length_ms)
{
	struct job *job = world_new_job(w, flavor, space, limit_ms, length_ms);

	scheduler_enqueue(w->scheduler, &job->entry);
	return job;
}

static inline void check_capacity(const struct world *w)
{
	int64_t cpu = 0, memory = 0, running = 0;
	bool slots[MAX_RUNNING] = { false };

	for (int i = 0; i < w->n_jobs; i++) {
		const struct scheduler_entry *entry = &w->jobs[i].entry;

		assert_false(entry->is_queued && entry->is_holding);
		if (!entry->is_holding)
			continue;
		cpu += entry->flavor->cpu_millis;
		memory += entry->flavor->memory_bytes;
		running++;
		assert_in_range(entry->slot, 0, MAX_RUNNING - 1);
		assert_false(slots[entry->slot]);
		slots[entry->slot] = true;
	}
	assert_true(cpu <= CPUS * 1000 && memory <= MEMORY && running <= MAX_RUNNING);
}

/* In quarters of a card. */
static inline void check_devices(const struct world *w)
{
	int taken[CARDS] = { 0 }, owners[CARDS];

	for (int i = 0; i < w->n_jobs; i++) {
		const struct scheduler_entry *entry = &w->jobs[i].entry;
		const char *at = entry->devices;
		int count = 0;

		if (!entry->is_holding)
			continue;
		for (; at && *at; at += strcspn(at, ","), at += *at == ',') {
			long card = strtol(at + strlen("x/gpu="), NULL, 10);

			assert_in_range(card, 0, CARDS - 1);
			if (taken[card])
				assert_int_equal(owners[card], w->jobs[i].space);
			owners[card] = w->jobs[i].space;
			taken[card] += entry->flavor->device_shares > 1 ? 1 : 4;
			assert_true(taken[card] <= 4);
			count++;
		}
		assert_int_equal(count, entry->flavor->device_count);
	}
}

static inline const char *job_scope(const struct job *job, int scope)
{
	return scope == SCOPE_NAMESPACE ? job->entry.namespace_id
	       : scope == SCOPE_USER	? job->entry.user_id
					: job->entry.group_id;
}

static inline void check_limits(const struct world *w, const struct job *started)
{
	for (int scope = 0; scope < SCOPES; scope++) {
		const char *id = job_scope(started, scope);
		int64_t running = 0, devices = 0;

		if (!*id || (w->max_running[scope] < 0 && w->max_devices[scope] < 0))
			continue;
		for (int i = 0; i < w->n_jobs; i++) {
			if (!w->jobs[i].entry.is_holding ||
			    strcmp(job_scope(&w->jobs[i], scope), id) != 0)
				continue;
			running++;
			devices += w->jobs[i].entry.flavor->device_count;
		}
		assert_true(w->max_running[scope] < 0 || running <= w->max_running[scope]);
		assert_true(w->max_devices[scope] < 0 || devices <= w->max_devices[scope] ||
			    started->entry.flavor->device_count == 0);
	}
}

/* Older ones that ask for the same, in the same namespace, have started before. */
static inline void check_age(const struct world *w, const struct job *started)
{
	const struct scheduler_entry *entry = &started->entry;

	for (int i = 0; i < started->number; i++) {
		const struct scheduler_entry *older = &w->jobs[i].entry;

		if (older->is_queued && older->flavor == entry->flavor && older->limit_ms == entry->limit_ms &&
		    older->priority == entry->priority && older->rank == entry->rank &&
		    older->hold == HOLD_NONE && older->not_before_ms <= w->now_ms && !entry->is_retry &&
		    w->jobs[i].space == started->space)
			fail_msg("%s started before %s", entry->job_id, older->job_id);
	}
}

static inline void world_see(void *arg, const struct scheduler_view *view)
{
	struct job *job = (struct job *)(uintptr_t)view->entry;
	struct world *w = arg;

	assert_true(view->entry->is_queued);
	if (!*view->why)
		fail_msg("%s waits and is not told why", view->entry->job_id);
	if (!view->is_promised)
		return;
	if (job->promised_ms && view->start_ms > job->promised_ms && !w->is_lenient)
		fail_msg("%s was promised a start in %lld ms and is told %lld now", view->entry->job_id,
			 (long long)(job->promised_ms - w->now_ms), (long long)(view->start_ms - w->now_ms));
	job->promised_ms = view->start_ms;
}

/* Everybody is told something, and nobody something worse than before. */
static inline void world_look(struct world *w)
{
	scheduler_each(w->scheduler, w->now_ms, SIZE_MAX, world_see, w);
}

static inline void world_started(struct world *w, struct job *job)
{
	int64_t waited_ms = w->now_ms - job->entry.arrived_ms;

	job->started_ms = w->now_ms;
	job->end_ms = w->now_ms + job->length_ms;
	if (waited_ms > w->longest_wait_ms)
		w->longest_wait_ms = waited_ms;
	if (job->promised_ms && w->now_ms > job->promised_ms && !w->is_lenient)
		fail_msg("%s was promised a start %lld ms ago", job->entry.job_id,
			 (long long)(w->now_ms - job->promised_ms));
	w->kept += job->promised_ms != 0;
	check_limits(w, job);
	if (!w->is_lenient)
		check_age(w, job);
}

static inline void world_pass(struct world *w)
{
	struct scheduler_entry *entry;

	while ((entry = scheduler_next(w->scheduler, w->now_ms)))
		world_started(w, (struct job *)entry);
	check_capacity(w);
	check_devices(w);
}

static inline int64_t world_next_ms(const struct world *w)
{
	int64_t next_ms = scheduler_wake_ms(w->scheduler);

	if (next_ms == 0)
		next_ms = INT64_MAX;
	for (int i = 0; i < w->n_jobs; i++)
		if (w->jobs[i].entry.is_holding && w->jobs[i].end_ms < next_ms)
			next_ms = w->jobs[i].end_ms;
	return next_ms < w->now_ms ? w->now_ms : next_ms;
}

static inline void world_end(struct world *w, struct job *job)
{
	scheduler_release(w->scheduler, &job->entry, w->now_ms);
	job->is_done = true;
	w->n_done++;
}

/* Until then, with a pass whenever somebody leaves or a pause ends. */
static inline void world_advance(struct world *w, int64_t to_ms)
{
	for (int64_t at_ms; (at_ms = world_next_ms(w)) <= to_ms;) {
		w->now_ms = at_ms;
		for (int i = 0; i < w->n_jobs; i++)
			if (w->jobs[i].entry.is_holding && w->jobs[i].end_ms <= w->now_ms)
				world_end(w, &w->jobs[i]);
		world_pass(w);
	}
	w->now_ms = to_ms;
}

/* Nobody comes any more: all must get through. */
static inline void world_drain(struct world *w)
{
	world_pass(w);
	while (w->n_done < w->n_jobs) {
		int64_t next_ms = world_next_ms(w);

		if (next_ms == INT64_MAX)
			fail_msg("%d of %d jobs never started", w->n_jobs - w->n_done, w->n_jobs);
		world_look(w);
		world_advance(w, next_ms);
	}
}

#endif
