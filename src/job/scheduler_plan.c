/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises. The first that waits of each kind is promised a start: the earliest
 * time at which, even if all who run stay as long as they may, there is room
 * for it until its own limit, beside the other promises. Room shrinks only
 * where a promise begins, so that is where a start is tested: it may not take
 * what is left there, if it may still be there then.
 *
 * A promise is moved forward when somebody leaves early, with all others left
 * as they are; so it never gets later by that. Only these make promises anew:
 * somebody more urgent, a limit that was extended, a device that is lost, an
 * attempt that was taken over or has not left when it should.
 */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int leaving_compare(const void *a, const void *b)
{
	int64_t first = ((const struct leaving *)a)->at_ms;
	int64_t second = ((const struct leaving *)b)->at_ms;

	return first < second ? -1 : first > second;
}

static void plan_sum_leavings(struct scheduler *scheduler)
{
	struct plan *plan = &scheduler->plan;
	struct amount left = {0};

	if (plan->are_leavings_valid)
		return;
	if (plan->cap_leavings < scheduler->n_holding) {
		plan->cap_leavings = scheduler->cap_holding;
		plan->leavings =
		        xrealloc(plan->leavings, plan->cap_leavings * sizeof(*plan->leavings));
	}
	plan->n_leavings = scheduler->n_holding;
	for (size_t i = 0; i < plan->n_leavings; i++)
		plan->leavings[i] = (struct leaving){
		        place_end_ms(scheduler, scheduler->holding[i]),
		        scheduler->holding[i],
		        {0},
		};
	if (plan->n_leavings)
		qsort(plan->leavings, plan->n_leavings, sizeof(*plan->leavings), leaving_compare);
	for (size_t i = plan->n_leavings; i-- > 0;) {
		left = amount_add(&left, &plan->leavings[i].place->kind->amount);
		plan->leavings[i].left = left;
	}
	scheduler->steps += (int64_t)plan->n_leavings;
	plan->are_leavings_valid = true;
}

/* By those that may still run at that time. */
static struct amount plan_taken_at(const struct plan *plan, int64_t at_ms)
{
	size_t from = 0, to = plan->n_leavings;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (plan->leavings[middle].at_ms <= at_ms)
			from = middle + 1;
		else
			to = middle;
	}
	return from < plan->n_leavings ? plan->leavings[from].left : (struct amount){0};
}

static struct amount plan_room_at(const struct scheduler *scheduler, int64_t at_ms)
{
	struct amount taken = plan_taken_at(&scheduler->plan, at_ms);

	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (promise->start_ms <= at_ms && at_ms < promise->end_ms)
			taken = amount_add(&taken, &promise->place->kind->amount);
	}
	return amount_subtract(&scheduler->capacity, &taken);
}

static void plan_count_spares(struct scheduler *scheduler)
{
	plan_sum_leavings(scheduler);
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		struct promise *promise = scheduler->plan.promises[i];

		promise->spare = plan_room_at(scheduler, promise->start_ms);
	}
}

/* From start_ms until its limit, beside all promises. */
static bool plan_has_room(struct scheduler *scheduler, const struct scheduler_place *place,
                          int64_t start_ms, struct scheduler_device **ret_devices)
{
	int64_t end_ms = start_ms + place->limit_ms;
	struct amount room = plan_room_at(scheduler, start_ms);

	scheduler->steps++;
	if (!amount_fits(&place->kind->amount, &room) ||
	    scope_blocks(scheduler, place, start_ms, end_ms))
		return false;
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (promise->start_ms > start_ms && promise->start_ms < end_ms &&
		    !amount_fits(&place->kind->amount, &promise->spare))
			return false;
	}
	return place->kind->n_devices == 0 ||
	       inventory_choose_later(scheduler, place, start_ms, end_ms, ret_devices);
}

/* The first end of a promise after that time. */
static int64_t plan_next_promise_end(const struct plan *plan, int64_t after_ms)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < plan->n_promises; i++)
		if (plan->promises[i]->end_ms > after_ms && plan->promises[i]->end_ms < next)
			next = plan->promises[i]->end_ms;
	return next;
}

/* The earliest start; it is not one of the promises. INT64_MAX: never. */
static int64_t plan_find_start(struct scheduler *scheduler, const struct scheduler_place *place,
                               struct scheduler_device **ret_devices)
{
	const struct plan *plan = &scheduler->plan;
	int64_t at_ms = scheduler->now_ms;
	size_t i = 0;

	plan_count_spares(scheduler);
	while (at_ms != INT64_MAX) {
		int64_t end_ms;

		if (plan_has_room(scheduler, place, at_ms, ret_devices))
			return at_ms;
		end_ms = plan_next_promise_end(plan, at_ms);
		while (i < plan->n_leavings && plan->leavings[i].at_ms <= at_ms)
			i++;
		at_ms = i < plan->n_leavings && plan->leavings[i].at_ms < end_ms
		                ? plan->leavings[i].at_ms
		                : end_ms;
	}
	return INT64_MAX;
}

static void plan_put(struct scheduler *scheduler, struct promise *promise)
{
	struct plan *plan = &scheduler->plan;
	size_t at = plan->n_promises++;

	for (; at > 0 && place_compare_urgency(plan->promises[at - 1]->place, promise->place) > 0;
	     at--)
		plan->promises[at] = plan->promises[at - 1];
	plan->promises[at] = promise;
	plan_count_spares(scheduler);
}

static void plan_take_out(struct scheduler *scheduler, const struct promise *promise)
{
	struct plan *plan = &scheduler->plan;
	size_t at = 0;

	while (plan->promises[at] != promise)
		at++;
	plan->n_promises--;
	memmove(&plan->promises[at], &plan->promises[at + 1],
	        (plan->n_promises - at) * sizeof(struct promise *));
}

static void promise_free(struct promise *promise)
{
	promise->place->promise = NULL;
	promise->place->kind->promise = NULL;
	free(promise);
}

/* One that is not in the plan; it is freed when there is no time for it. */
static bool plan_settle(struct scheduler *scheduler, struct promise *promise)
{
	struct scheduler_place *place = promise->place;
	struct scheduler_device *devices[DEVICES_PER_JOB];
	int64_t start_ms = plan_find_start(scheduler, place, devices);

	if (start_ms == INT64_MAX) {
		promise_free(promise);
		return false;
	}
	promise->start_ms = start_ms;
	promise->end_ms = start_ms + place->limit_ms;
	promise->n_devices = place->kind->n_devices;
	memcpy(promise->devices, devices, (size_t)promise->n_devices * sizeof(devices[0]));
	plan_put(scheduler, promise);
	return true;
}

/* Settle all from that one on, in their order. */
static void plan_settle_from(struct scheduler *scheduler, size_t first)
{
	struct plan *plan = &scheduler->plan;
	struct promise *again[PROMISES_MAX];
	size_t n = plan->n_promises - first;

	memcpy(again, &plan->promises[first], n * sizeof(again[0]));
	plan->n_promises = first;
	for (size_t i = 0; i < n; i++)
		(void)plan_settle(scheduler, again[i]);
}

bool plan_promise(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct plan *plan = &scheduler->plan;
	struct promise *promise, *later[PROMISES_MAX];
	size_t first = plan->n_promises, n;
	bool is_made;

	if (place->kind->promise || plan->n_promises == PROMISES_MAX)
		return true;
	while (first > 0 && place_compare_urgency(place, plan->promises[first - 1]->place) < 0)
		first--;
	n = plan->n_promises - first;
	memcpy(later, &plan->promises[first], n * sizeof(later[0]));
	plan->n_promises = first;
	promise = xcalloc(1, sizeof(*promise));
	promise->place = place;
	place->promise = place->kind->promise = promise;
	is_made = plan_settle(scheduler, promise);
	for (size_t i = 0; i < n; i++)
		(void)plan_settle(scheduler, later[i]);
	return is_made;
}

void plan_forget(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct promise *promise = place->promise;

	if (!promise)
		return;
	plan_take_out(scheduler, promise);
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		struct promise *other = scheduler->plan.promises[i];

		if (promise->start_ms <= other->start_ms && other->start_ms < promise->end_ms)
			other->spare = amount_add(&other->spare, &place->kind->amount);
	}
	promise_free(promise);
	scheduler->plan.is_loose = true;
}

/* Has it taken what was promised to somebody less urgent? */
static bool plan_is_hurt(const struct promise *promise, const struct scheduler_place *place)
{
	const struct amount *spare = &promise->spare;

	if (place_compare_urgency(place, promise->place) >= 0)
		return false;
	if (spare->cpu_millis < 0 || spare->memory_bytes < 0 || spare->jobs < 0)
		return true;
	for (int i = 0; i < place->n_devices; i++)
		for (int k = 0; k < promise->n_devices; k++)
			if (promise->devices[k] == place->devices[i])
				return true;
	return false;
}

void plan_started(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct plan *plan = &scheduler->plan;
	size_t first_hurt = SIZE_MAX;

	plan_forget(scheduler, place);
	plan->are_leavings_valid = false;
	for (size_t i = plan->n_promises; i-- > 0;) {
		struct promise *promise = plan->promises[i];

		if (promise->start_ms >= place_end_ms(scheduler, place))
			continue;
		promise->spare = amount_subtract(&promise->spare, &place->kind->amount);
		if (plan_is_hurt(promise, place))
			first_hurt = i;
	}
	if (first_hurt != SIZE_MAX)
		plan_settle_from(scheduler, first_hurt);
}

bool plan_allows(struct scheduler *scheduler, const struct scheduler_place *place)
{
	const struct promise *own = place->promise;
	int64_t end_ms = scheduler->now_ms + place->limit_ms;

	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		scheduler->steps++;
		if (promise == own || promise->start_ms >= end_ms ||
		    place_compare_urgency(promise->place, place) > 0)
			continue;
		/* It is counted there already. */
		if (own && own->start_ms <= promise->start_ms && promise->start_ms < own->end_ms)
			continue;
		if (!amount_fits(&place->kind->amount, &promise->spare))
			return false;
	}
	return !scope_blocks(scheduler, place, scheduler->now_ms, end_ms);
}

static int64_t plan_find_longest(const struct scheduler *scheduler, const struct kind *kind,
                                 const struct scheduler_place *place)
{
	int64_t max_ms = INT64_MAX;

	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (place_compare_urgency(promise->place, place) <= 0 &&
		    !amount_fits(&kind->amount, &promise->spare) &&
		    promise->start_ms - scheduler->now_ms < max_ms)
			max_ms = promise->start_ms - scheduler->now_ms;
	}
	return max_ms;
}

int64_t plan_max_ms(const struct scheduler *scheduler, struct kind *kind,
                    const struct scheduler_place *place)
{
	int known = kind->n_longest < LONGEST_KNOWN ? kind->n_longest : LONGEST_KNOWN;
	struct longest *longest;

	for (int i = 0; i < known; i++)
		if (kind->longest[i].rank == place->rank &&
		    kind->longest[i].priority == place->priority)
			return kind->longest[i].max_ms;
	longest = &kind->longest[kind->n_longest++ % LONGEST_KNOWN];
	longest->rank = place->rank;
	longest->priority = place->priority;
	longest->max_ms = plan_find_longest(scheduler, kind, place);
	return longest->max_ms;
}

static bool plan_is_late(const struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->plan.n_promises; i++)
		if (scheduler->plan.promises[i]->start_ms < scheduler->now_ms)
			return true;
	return false;
}

/* Those whom a limit keeps also at their start, and those whose devices are gone. */
static void plan_drop_void(struct scheduler *scheduler)
{
	for (size_t i = scheduler->plan.n_promises; i-- > 0;) {
		const struct promise *promise = scheduler->plan.promises[i];
		struct scheduler_place *place = promise->place;

		if (place->kind->is_impossible ||
		    (scope_blocker(place) &&
		     scope_blocks(scheduler, place, promise->start_ms, promise->end_ms)))
			plan_forget(scheduler, place);
	}
}

/* One after the other, with all others as they are. */
static void plan_improve(struct scheduler *scheduler)
{
	struct promise *all[PROMISES_MAX];
	size_t n = scheduler->plan.n_promises;

	memcpy(all, scheduler->plan.promises, sizeof(all));
	for (size_t i = 0; i < n; i++) {
		plan_take_out(scheduler, all[i]);
		(void)plan_settle(scheduler, all[i]);
	}
}

void plan_refresh(struct scheduler *scheduler)
{
	struct plan *plan = &scheduler->plan;

	plan_drop_void(scheduler);
	if (plan->is_broken || plan_is_late(scheduler)) {
		plan->are_leavings_valid = false;
		plan_settle_from(scheduler, 0);
	} else if (plan->is_loose) {
		plan->are_leavings_valid = false;
		plan_improve(scheduler);
	}
	plan->is_broken = plan->is_loose = false;
}

void plan_devices_changed(struct scheduler *scheduler, bool any_lost)
{
	struct plan *plan = &scheduler->plan;

	for (size_t i = 0; i < plan->n_promises; i++) {
		struct promise *promise = plan->promises[i];
		int kept = 0;

		for (int k = 0; k < promise->n_devices; k++)
			if (device_is_usable(promise->devices[k]))
				promise->devices[kept++] = promise->devices[k];
		any_lost |= kept < promise->n_devices;
		promise->n_devices = kept;
	}
	plan->is_broken |= any_lost;
	plan->is_loose = true;
}

void plan_clear(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->plan.n_promises; i++)
		free(scheduler->plan.promises[i]);
	free(scheduler->plan.leavings);
}
