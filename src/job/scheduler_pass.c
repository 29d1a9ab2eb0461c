/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass: the queue is walked in its order, and who may start is returned,
 * one at each call. A lane is represented by its first entry that may be
 * considered (the candidate); the lanes are in a heap. All that is found out on
 * the way only gets worse while a pass lasts (less is free, namespaces use
 * more, more is promised), so a lane's place in the heap is looked at again
 * when it comes to the top, and entries that were passed over are not looked at
 * twice.
 *
 * Kinds that do not fit and have their promise are not looked at at all: a full
 * server costs nothing.
 */
#include "job/scheduler_private.h"

/* Either one of it may start, or the first of it has to be found and promised a
 * start. */
static bool kind_is_open(const struct kind *kind)
{
	return kind->waiting && !kind->is_impossible && (kind->fits || !kind->promise);
}

static bool pass_any_open(const struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->n_kinds; i++)
		if (kind_is_open(scheduler->kinds[i]))
			return true;
	return false;
}

/* Nothing is to be asked about it: it is kept by a limit, or would stay too
 * long. */
static bool pass_skips(struct scheduler *scheduler, struct kind *kind,
                       const struct scheduler_place *place)
{
	scheduler->steps++;
	if (kind->promise && !place->promise &&
	    place->limit_ms > plan_max_ms(scheduler, kind, place))
		return true;
	return scope_blocker(place);
}

/* Would all of them stay too long? */
static bool bin_is_too_long(struct scheduler *scheduler, const struct bin *bin,
                            const struct scheduler_place *any)
{
	const struct promise *promise = bin->kind->promise;

	return promise && promise->place->bin != bin &&
	       bin->least_limit_ms > plan_max_ms(scheduler, bin->kind, any);
}

/* From the first on. If there is none, the shortest limit of all is known then. */
static struct scheduler_place *bin_begin(struct scheduler *scheduler, struct bin *bin)
{
	struct scheduler_place *place = bin_first(bin);
	int64_t least_ms = INT64_MAX;

	if (!place || bin_is_too_long(scheduler, bin, place))
		return NULL;
	for (; place && pass_skips(scheduler, bin->kind, place); place = bin_next(bin, place))
		if (place->limit_ms < least_ms)
			least_ms = place->limit_ms;
	if (!place)
		bin->least_limit_ms = least_ms;
	return place;
}

static struct scheduler_place *bin_candidate(struct scheduler *scheduler, struct bin *bin)
{
	struct scheduler_place *place;

	if (!kind_is_open(bin->kind))
		return NULL;
	if (bin->walk != scheduler->pass.walk) {
		bin->walk = scheduler->pass.walk;
		bin->cursor = bin_begin(scheduler, bin);
		return bin->cursor;
	}
	place = bin->cursor;
	while (place && pass_skips(scheduler, bin->kind, place))
		place = bin_next(bin, place);
	bin->cursor = place;
	return place;
}

static struct scheduler_place *lane_candidate(struct scheduler *scheduler, struct lane *lane)
{
	const struct scheduler_limits *limits = &lane->space->limits;
	struct scheduler_place *best = NULL;

	scheduler->steps++;
	if (limits->max_running >= 0 && lane->space->running >= limits->max_running)
		return NULL;
	for (struct bin *bin = lane->bins; bin; bin = bin->next) {
		struct scheduler_place *place = bin_candidate(scheduler, bin);

		if (place && (!best || place_compare_age(place, best) < 0))
			best = place;
	}
	return best;
}

static void pass_fill(struct scheduler *scheduler)
{
	struct pass *pass = &scheduler->pass;

	lanes_tidy(scheduler);
	pass->walk = ++scheduler->walks;
	pass->heap.count = 0;
	for (size_t i = 0; i < scheduler->n_lanes; i++) {
		struct lane *lane = scheduler->lanes[i];

		lane->candidate = lane_candidate(scheduler, lane);
		if (!lane->candidate)
			continue;
		lane->score = share_score(scheduler, lane->space, 0);
		lane_heap_add(&pass->heap, lane);
	}
	lane_heap_build(&pass->heap);
}

static void pass_begin(struct scheduler *scheduler)
{
	struct pass *pass = &scheduler->pass;

	pass->is_valid = true;
	pass->now_ms = scheduler->now_ms;
	pass->is_strict = false;
	pass->next_promised = 0;
	pass->heap.count = 0;
	kinds_look(scheduler);
	pass->is_over = !pass_any_open(scheduler);
	/* Promises are told to people also while nobody can start. */
	if (!pass->is_over || scheduler->plan.is_broken)
		plan_refresh(scheduler);
	if (!pass->is_over)
		pass_fill(scheduler);
}

void pass_started(struct scheduler *scheduler)
{
	kinds_look(scheduler);
	if (!pass_any_open(scheduler))
		scheduler->pass.is_over = true;
}

static bool pass_may_start(struct scheduler *scheduler, const struct scheduler_place *place,
                           struct scheduler_device **ret_devices)
{
	int64_t end_ms = scheduler->now_ms + place->limit_ms;

	return place->kind->fits && !scope_blocker(place) && plan_allows(scheduler, place) &&
	       (place->kind->n_devices == 0 ||
	        inventory_choose(scheduler, place, end_ms, ret_devices));
}

static void pass_leave_waiting(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct kind *kind = place->kind;

	place->bin->cursor = bin_next(place->bin, place);
	if (!kind->promise && !plan_promise(scheduler, place))
		kind->is_impossible = true;
	kind->n_longest = 0;
	if (!scheduler->is_backfilling && !kind->is_impossible)
		scheduler->pass.is_strict = true;
}

/* The lane that is first, with its candidate as things are now; NULL: there is
 * none. */
static struct lane *pass_top(struct scheduler *scheduler)
{
	struct lane_heap *heap = &scheduler->pass.heap;

	while (heap->count) {
		struct lane *lane = heap->lanes[0];
		struct scheduler_place *candidate = lane_candidate(scheduler, lane);
		double score = share_score(scheduler, lane->space, 0);

		if (!candidate) {
			lane_heap_pop(heap);
		} else if (candidate != lane->candidate || score > lane->score) {
			lane->candidate = candidate;
			lane->score = score;
			lane_heap_sink(heap, 0);
		} else {
			return lane;
		}
	}
	return NULL;
}

static struct scheduler_place *pass_promised(struct scheduler *scheduler,
                                             struct scheduler_device **ret_devices)
{
	const struct plan *plan = &scheduler->plan;
	struct pass *pass = &scheduler->pass;

	for (; pass->next_promised < plan->n_promises; pass->next_promised++) {
		struct scheduler_place *place = plan->promises[pass->next_promised]->place;

		if (pass_may_start(scheduler, place, ret_devices))
			return place;
	}
	return NULL;
}

struct scheduler_place *pass_next(struct scheduler *scheduler,
                                  struct scheduler_device **ret_devices)
{
	struct pass *pass = &scheduler->pass;
	struct lane *lane;

	if (!pass->is_valid || (!pass->is_over && pass->now_ms != scheduler->now_ms))
		pass_begin(scheduler);
	while (!pass->is_over && !pass->is_strict && (lane = pass_top(scheduler))) {
		if (pass_may_start(scheduler, lane->candidate, ret_devices))
			return lane->candidate;
		pass_leave_waiting(scheduler, lane->candidate);
	}
	if (!pass->is_over && pass->is_strict) {
		struct scheduler_place *place = pass_promised(scheduler, ret_devices);

		if (place)
			return place;
	}
	pass->is_over = true;
	return NULL;
}
