/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of the waiting entries, as the queue would be served if each that
 * starts stayed for long: its namespace is supposed to hold its share when the
 * next one is looked for. Made when somebody asks and something has changed;
 * with a long queue once a second at most.
 */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <stdlib.h>

#define SHORT_QUEUE 500 /* the order of so many is made whenever something has changed */
#define LONG_QUEUE_MS 1000

static double scope_supposed(const struct scheduler *scheduler, const struct scope *space)
{
	return space->supposed_in == scheduler->order.number ? space->supposed : 0;
}

static struct scheduler_place *order_candidate(struct scheduler *scheduler, const struct lane *lane)
{
	struct scheduler_place *best = NULL;

	for (struct bin *bin = lane->bins; bin; bin = bin->next) {
		if (bin->walk != scheduler->order.walk) {
			bin->walk = scheduler->order.walk;
			bin->cursor = bin_first(bin);
		}
		if (bin->cursor && (!best || place_compare_age(bin->cursor, best) < 0))
			best = bin->cursor;
	}
	return best;
}

static void order_begin(struct scheduler *scheduler)
{
	struct order *order = &scheduler->order;

	if (!scheduler->pass.is_over)
		scheduler->pass.is_valid = false;
	lanes_tidy(scheduler);
	order->walk = ++scheduler->walks;
	order->number++;
	order->at_ms = scheduler->now_ms;
	order->count = 0;
	order->heap.count = 0;
	for (size_t i = 0; i < scheduler->n_lanes; i++) {
		struct lane *lane = scheduler->lanes[i];

		lane->candidate = order_candidate(scheduler, lane);
		lane->score = share_score(scheduler, lane->space, 0);
		lane_heap_add(&order->heap, lane);
	}
	lane_heap_build(&order->heap);
}

/* Will its namespace's limit let it start when those before it have? */
static bool order_admits(const struct scheduler *scheduler, const struct scheduler_place *place)
{
	const struct scope *space = place->scopes[SCOPE_NAMESPACE];
	int64_t admitted = space->supposed_in == scheduler->order.number ? space->admitted : 0;

	return !scope_blocker(place) && (space->limits.max_running < 0 ||
	                                 space->running + admitted < space->limits.max_running);
}

static void order_suppose(struct scheduler *scheduler, const struct scheduler_place *place)
{
	struct scope *space = place->scopes[SCOPE_NAMESPACE];

	if (space->supposed_in != scheduler->order.number) {
		space->supposed_in = scheduler->order.number;
		space->supposed = 0;
		space->admitted = 0;
	}
	space->supposed += place->kind->share;
	space->admitted += place->is_admitted;
}

static void order_put(struct scheduler *scheduler, struct scheduler_place *place, int64_t *ahead)
{
	struct order *order = &scheduler->order;

	if (order->count == order->cap) {
		order->cap = order->cap ? order->cap * 2 : 256;
		order->places = xrealloc(order->places, order->cap * sizeof(*order->places));
	}
	place->order = order->number;
	place->position = (int64_t)order->count;
	place->ahead = *ahead;
	place->start_ms = 0;
	place->is_admitted = order_admits(scheduler, place) && !place->kind->is_impossible;
	*ahead += place->is_admitted;
	order->places[order->count++] = place;
	order_suppose(scheduler, place);
}

static void order_make(struct scheduler *scheduler)
{
	struct order *order = &scheduler->order;
	struct lane_heap *heap = &order->heap;
	int64_t *ahead = xcalloc(scheduler->n_kinds + 1, sizeof(*ahead));

	order_begin(scheduler);
	while (heap->count && order->count < ORDER_MAX) {
		struct lane *lane = heap->lanes[0];
		struct scheduler_place *place = lane->candidate;
		double score =
		        share_score(scheduler, lane->space, scope_supposed(scheduler, lane->space));

		if (score > lane->score) {
			lane->score = score;
			lane_heap_sink(heap, 0);
			continue;
		}
		place->bin->cursor = bin_next(place->bin, place);
		order_put(scheduler, place, &ahead[place->kind->group]);
		lane->candidate = order_candidate(scheduler, lane);
		if (lane->candidate)
			lane_heap_sink(heap, 0);
		else
			lane_heap_pop(heap);
	}
	free(ahead);
}

void order_refresh(struct scheduler *scheduler, bool is_needed)
{
	struct order *order = &scheduler->order;
	bool is_old = scheduler->now_ms >= order->at_ms + LONG_QUEUE_MS;

	if (order->is_valid && !is_old)
		return;
	if (scheduler->n_waiting > SHORT_QUEUE && order->number > 0 && !is_old && !is_needed)
		return;
	kinds_look(scheduler);
	plan_refresh(scheduler);
	order_make(scheduler);
	estimate_make(scheduler);
	order->is_valid = true;
}

void order_forget(struct scheduler *scheduler, const struct scheduler_place *place)
{
	struct order *order = &scheduler->order;

	if (order->number > 0 && place->order == order->number)
		order->places[place->position] = NULL;
}
