/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces, users and groups: their limits, what they run, and what
 * namespaces have used.
 *
 * Use halves with every half-life. It halves for all at once, so instead of
 * making old use smaller, new use is counted larger: all sums are in the value
 * that use had at share_epoch_ms, and no sum has to be touched because time
 * goes by. Now and then the epoch moves, so that the numbers stay numbers.
 */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_HALF_LIVES 200.0
#define WEIGHT_NORMAL 100
#define WEIGHT_MAX 1000

struct scope *scope_get(struct scheduler *scheduler, enum scheduler_scope which, const char *id)
{
	struct scope *scope = id_table_find(&scheduler->scopes[which], id);

	if (scope)
		return scope;
	scope = xcalloc(1, sizeof(*scope));
	memcpy(scope->entry.id, id, strnlen(id, ID_SIZE - 1));
	scope->limits = (struct scheduler_limits){
	        .max_running = scheduler->default_max[which],
	        .max_devices = -1,
	        .weight = WEIGHT_NORMAL,
	};
	id_table_add(&scheduler->scopes[which], &scope->entry);
	return scope;
}

static void scope_free(struct id_entry *entry)
{
	free(entry);
}

void scopes_clear(struct scheduler *scheduler)
{
	for (int i = 0; i < SCOPES; i++)
		id_table_clear(&scheduler->scopes[i], scope_free);
}

void scopes_of(struct scheduler *scheduler, struct scheduler_place *place)
{
	const struct scheduler_entry *entry = place->entry;

	place->scopes[SCOPE_NAMESPACE] = scope_get(scheduler, SCOPE_NAMESPACE, entry->namespace_id);
	place->scopes[SCOPE_USER] = scope_get(scheduler, SCOPE_USER, entry->user_id);
	place->scopes[SCOPE_GROUP] =
	        *entry->group_id ? scope_get(scheduler, SCOPE_GROUP, entry->group_id) : NULL;
}

void scope_count(struct scheduler_place *place, int queued, int running)
{
	for (int i = 0; i < SCOPES; i++) {
		if (!place->scopes[i])
			continue;
		place->scopes[i]->queued += queued;
		place->scopes[i]->running += running;
		place->scopes[i]->devices += (int64_t)running * place->kind->n_devices;
	}
}

/* With `more` jobs that hold `devices` in all. */
static bool scope_allows(const struct scope *scope, int64_t more, int64_t devices)
{
	const struct scheduler_limits *limits = &scope->limits;

	if (limits->max_running >= 0 && scope->running + more > limits->max_running)
		return false;
	return devices == 0 || limits->max_devices < 0 ||
	       scope->devices + devices <= limits->max_devices;
}

const struct scope *scope_blocker(const struct scheduler_place *place)
{
	for (int i = 0; i < SCOPES; i++)
		if (place->scopes[i] && !scope_allows(place->scopes[i], 1, place->kind->n_devices))
			return place->scopes[i];
	return NULL;
}

static bool scope_is_limited(const struct scope *scope)
{
	return scope && (scope->limits.max_running >= 0 || scope->limits.max_devices >= 0);
}

static bool promise_counts(const struct promise *promise, const struct scheduler_place *place,
                           int which)
{
	return promise->place != place && promise->place->scopes[which] == place->scopes[which] &&
	       place_compare_urgency(promise->place, place) <= 0;
}

/* Would its limit let one more run at that time? Others of it may run still, or be promised to. */
static bool scope_allows_at(const struct scheduler *scheduler, const struct scheduler_place *place,
                            int which, int64_t at_ms)
{
	const struct scope *scope = place->scopes[which];
	struct scope then = {.limits = scope->limits};

	for (size_t i = 0; i < scheduler->n_holding; i++) {
		const struct scheduler_place *holder = scheduler->holding[i];

		if (holder->scopes[which] != scope || place_end_ms(scheduler, holder) <= at_ms)
			continue;
		then.running++;
		then.devices += holder->kind->n_devices;
	}
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (promise->start_ms > at_ms || promise->end_ms <= at_ms ||
		    !promise_counts(promise, place, which))
			continue;
		then.running++;
		then.devices += promise->place->kind->n_devices;
	}
	return scope_allows(&then, 1, place->kind->n_devices);
}

/* With all that others of it run or were promised at any time. */
static bool scope_allows_always(const struct scheduler *scheduler,
                                const struct scheduler_place *place, int which)
{
	int64_t jobs = 1, devices = place->kind->n_devices;

	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (!promise_counts(promise, place, which))
			continue;
		jobs++;
		devices += promise->place->kind->n_devices;
	}
	return scope_allows(place->scopes[which], jobs, devices);
}

bool scope_blocks(const struct scheduler *scheduler, const struct scheduler_place *place,
                  int64_t start_ms, int64_t end_ms)
{
	for (int i = 0; i < SCOPES; i++) {
		if (!scope_is_limited(place->scopes[i]) || scope_allows_always(scheduler, place, i))
			continue;
		if (!scope_allows_at(scheduler, place, i, start_ms))
			return true;
		for (size_t k = 0; k < scheduler->plan.n_promises; k++) {
			const struct promise *promise = scheduler->plan.promises[k];

			if (promise->start_ms > start_ms && promise->start_ms < end_ms &&
			    promise_counts(promise, place, i) &&
			    !scope_allows_at(scheduler, place, i, promise->start_ms))
				return true;
		}
	}
	return false;
}

/* What one share × ms of that time counts, per ms: the integral of
 * 2^(t/half-life). */
static double share_value(const struct scheduler *scheduler, int64_t at_ms)
{
	return exp2(fmin((double)(at_ms - scheduler->share_epoch_ms) / scheduler->half_life_ms,
	                 2 * EPOCH_HALF_LIVES));
}

static double share_between(const struct scheduler *scheduler, int64_t from_ms, int64_t to_ms)
{
	if (to_ms <= from_ms)
		return 0;
	return scheduler->half_life_ms / M_LN2 *
	       (share_value(scheduler, to_ms) - share_value(scheduler, from_ms));
}

static void share_move_epoch(struct scheduler *scheduler)
{
	double factor = 1 / share_value(scheduler, scheduler->now_ms);
	const struct id_table *spaces = &scheduler->scopes[SCOPE_NAMESPACE];

	for (size_t i = 0; i < spaces->n_buckets; i++)
		for (struct id_entry *e = spaces->buckets[i]; e; e = e->next)
			((struct scope *)e)->use *= factor;
	scheduler->share_epoch_ms = scheduler->now_ms;
}

static void share_keep_epoch(struct scheduler *scheduler)
{
	if (!scheduler->share_epoch_ms)
		scheduler->share_epoch_ms = scheduler->now_ms;
	if ((double)(scheduler->now_ms - scheduler->share_epoch_ms) >
	    EPOCH_HALF_LIVES * scheduler->half_life_ms)
		share_move_epoch(scheduler);
}

static void share_accrue(struct scheduler *scheduler, struct scope *space)
{
	share_keep_epoch(scheduler);
	if (space->held_share > 0)
		space->use += space->held_share *
		              share_between(scheduler, space->accrued_ms, scheduler->now_ms);
	space->accrued_ms = scheduler->now_ms;
}

void share_hold(struct scheduler *scheduler, struct scheduler_place *place, int64_t since_ms)
{
	struct scope *space = place->scopes[SCOPE_NAMESPACE];

	share_accrue(scheduler, space);
	if (since_ms > 0)
		space->use +=
		        place->kind->share * share_between(scheduler, since_ms, scheduler->now_ms);
	place->share = place->kind->share;
	space->held_share += place->share;
}

void share_release(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct scope *space = place->scopes[SCOPE_NAMESPACE];

	share_accrue(scheduler, space);
	space->held_share -= place->share;
	if (space->running == 0)
		space->held_share = 0; /* what rounding left */
}

void scheduler_add_use(struct scheduler *scheduler, const char *namespace_id, double share_ms,
                       int64_t at_ms)
{
	struct scope *space = scope_get(scheduler, SCOPE_NAMESPACE, namespace_id);

	if (!scheduler->share_epoch_ms)
		scheduler->share_epoch_ms = at_ms;
	if (share_ms > 0)
		space->use += share_ms * share_value(scheduler, at_ms);
	scheduler_changed(scheduler);
}

double share_score(const struct scheduler *scheduler, const struct scope *space, double extra)
{
	int64_t weight = space->limits.weight;
	double use = space->use;

	if (space->held_share > 0)
		use += space->held_share *
		       share_between(scheduler, space->accrued_ms, scheduler->now_ms);
	use = use / share_value(scheduler, scheduler->now_ms) +
	      (space->held_share + extra) * HELD_COUNTS_MS;
	if (weight < 1)
		weight = 1;
	return use / (double)(weight > WEIGHT_MAX ? WEIGHT_MAX : weight);
}

void scheduler_set_limits(struct scheduler *scheduler, enum scheduler_scope which, const char *id,
                          const struct scheduler_limits *limits)
{
	scope_get(scheduler, which, id)->limits = *limits;
	scheduler_changed(scheduler);
}

void scheduler_count(const struct scheduler *scheduler, enum scheduler_scope which, const char *id,
                     int64_t *ret_queued, int64_t *ret_running)
{
	const struct scope *scope = id_table_find(&scheduler->scopes[which], id);

	*ret_queued = scope ? scope->queued : 0;
	*ret_running = scope ? scope->running : 0;
}
