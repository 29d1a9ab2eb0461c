/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting entries. Those that may be considered are in lanes; those whose pause
 * has not ended yet are in a heap, the first to end on top; those that are held
 * are in a list.
 */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <stdlib.h>

int place_compare_age(const struct scheduler_place *a, const struct scheduler_place *b)
{
	if (a->is_retry != b->is_retry)
		return a->is_retry ? -1 : 1;
	if (a->arrived_ms != b->arrived_ms)
		return a->arrived_ms < b->arrived_ms ? -1 : 1;
	return a->ticket < b->ticket ? -1 : a->ticket > b->ticket;
}

/* Whom it comes after; NULL: nobody. Most come in order, and those that were held are among the
 * oldest: looked for from both ends. */
static struct scheduler_place *place_list_find(const struct place_list *list,
                                               const struct scheduler_place *place)
{
	struct scheduler_place *before = list->last, *after = list->first;

	for (;;) {
		if (!before || place_compare_age(before, place) <= 0)
			return before;
		before = before->previous;
		if (place_compare_age(after, place) > 0)
			return after->previous;
		after = after->next;
	}
}

static void place_list_insert(struct place_list *list, struct scheduler_place *place)
{
	struct scheduler_place *before = place_list_find(list, place);

	place->previous = before;
	place->next = before ? before->next : list->first;
	*(before ? &before->next : &list->first) = place;
	*(place->next ? &place->next->previous : &list->last) = place;
}

static void place_list_remove(struct place_list *list, struct scheduler_place *place)
{
	*(place->previous ? &place->previous->next : &list->first) = place->next;
	*(place->next ? &place->next->previous : &list->last) = place->previous;
	place->previous = place->next = NULL;
}

struct scheduler_place *bin_first(const struct bin *bin)
{
	return bin->retries.first ? bin->retries.first : bin->arrivals.first;
}

struct scheduler_place *bin_next(const struct bin *bin, const struct scheduler_place *place)
{
	if (place->next || !place->is_retry)
		return place->next;
	return bin->arrivals.first;
}

static void lane_free(struct scheduler *scheduler, struct lane *lane)
{
	struct lane **at = &lane->space->lanes;

	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	scheduler->lanes[lane->index] = scheduler->lanes[--scheduler->n_lanes];
	scheduler->lanes[lane->index]->index = lane->index;
	free(lane);
}

/* Empty ones are not freed at once: a walk may be in them. */
void lanes_tidy(struct scheduler *scheduler)
{
	if (!scheduler->are_lanes_untidy)
		return;
	scheduler->are_lanes_untidy = false;
	for (size_t i = scheduler->n_lanes; i-- > 0;) {
		struct lane *lane = scheduler->lanes[i];

		for (struct bin **at = &lane->bins; *at;) {
			struct bin *bin = *at;

			if (bin_first(bin)) {
				at = &bin->next;
				continue;
			}
			*at = bin->next;
			free(bin);
		}
		if (!lane->bins)
			lane_free(scheduler, lane);
	}
}

static struct lane *lane_get(struct scheduler *scheduler, const struct scheduler_place *place)
{
	struct scope *space = place->scopes[SCOPE_NAMESPACE];
	struct lane *lane = space->lanes;

	while (lane && (lane->rank != place->rank || lane->priority != place->priority))
		lane = lane->next;
	if (lane)
		return lane;
	if (scheduler->n_lanes == scheduler->cap_lanes)
		lanes_tidy(scheduler);
	lane = xcalloc(1, sizeof(*lane));
	lane->rank = place->rank;
	lane->priority = place->priority;
	lane->space = space;
	lane->next = space->lanes;
	space->lanes = lane;
	if (scheduler->n_lanes == scheduler->cap_lanes) {
		scheduler->cap_lanes = scheduler->cap_lanes ? scheduler->cap_lanes * 2 : 64;
		scheduler->lanes = xrealloc(scheduler->lanes,
		                            scheduler->cap_lanes * sizeof(*scheduler->lanes));
	}
	lane->index = scheduler->n_lanes;
	scheduler->lanes[scheduler->n_lanes++] = lane;
	return lane;
}

static struct bin *bin_get(struct lane *lane, struct kind *kind)
{
	struct bin *bin = lane->bins;

	while (bin && bin->kind != kind)
		bin = bin->next;
	if (bin)
		return bin;
	bin = xcalloc(1, sizeof(*bin));
	bin->lane = lane;
	bin->kind = kind;
	bin->least_limit_ms = INT64_MAX;
	bin->next = lane->bins;
	lane->bins = bin;
	return bin;
}

/* It is more urgent, or another attempt of a job of the same namespace: then the other's promise is
 * void, and this one will get it. */
static bool place_supersedes(const struct scheduler_place *place,
                             const struct scheduler_place *promised)
{
	int urgency = place_compare_urgency(place, promised);

	return urgency < 0 ||
	       (urgency == 0 && place->is_retry &&
	        place->scopes[SCOPE_NAMESPACE] == promised->scopes[SCOPE_NAMESPACE] &&
	        place_compare_age(place, promised) < 0);
}

void bin_note_limit(struct bin *bin, const struct scheduler_place *place)
{
	if (place->limit_ms < bin->least_limit_ms)
		bin->least_limit_ms = place->limit_ms;
}

static void bin_insert(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct bin *bin = bin_get(lane_get(scheduler, place), place->kind);

	place->bin = bin;
	place->state = PLACE_IN_LANE;
	place_list_insert(place->is_retry ? &bin->retries : &bin->arrivals, place);
	bin_note_limit(bin, place);
	place->kind->waiting++;
	scheduler->n_waiting++;
	if (place->kind->promise && place_supersedes(place, place->kind->promise->place))
		plan_forget(scheduler, place->kind->promise->place);
}

static void bin_remove(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct bin *bin = place->bin;

	if (bin->cursor == place)
		bin->cursor = bin_next(bin, place);
	place_list_remove(place->is_retry ? &bin->retries : &bin->arrivals, place);
	place->bin = NULL;
	scheduler->are_lanes_untidy |= !bin_first(bin);
	place->kind->waiting--;
	scheduler->n_waiting--;
}

static bool pause_is_before(const struct scheduler_place *a, const struct scheduler_place *b)
{
	return a->entry->not_before_ms < b->entry->not_before_ms;
}

static void pause_put(struct scheduler *scheduler, size_t at, struct scheduler_place *place)
{
	scheduler->paused[at] = place;
	place->index = at;
}

static void pause_settle(struct scheduler *scheduler, size_t at, struct scheduler_place *place)
{
	for (; at > 0 && pause_is_before(place, scheduler->paused[(at - 1) / 2]); at = (at - 1) / 2)
		pause_put(scheduler, at, scheduler->paused[(at - 1) / 2]);
	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < scheduler->n_paused &&
		    pause_is_before(scheduler->paused[child + 1], scheduler->paused[child]))
			child++;
		if (child >= scheduler->n_paused ||
		    !pause_is_before(scheduler->paused[child], place))
			break;
		pause_put(scheduler, at, scheduler->paused[child]);
		at = child;
	}
	pause_put(scheduler, at, place);
}

static void pause_insert(struct scheduler *scheduler, struct scheduler_place *place)
{
	if (scheduler->n_paused == scheduler->cap_paused) {
		scheduler->cap_paused = scheduler->cap_paused ? scheduler->cap_paused * 2 : 64;
		scheduler->paused = xrealloc(scheduler->paused,
		                             scheduler->cap_paused * sizeof(*scheduler->paused));
	}
	place->state = PLACE_PAUSED;
	pause_settle(scheduler, scheduler->n_paused++, place);
}

static void pause_remove(struct scheduler *scheduler, struct scheduler_place *place)
{
	struct scheduler_place *last = scheduler->paused[--scheduler->n_paused];

	if (last != place)
		pause_settle(scheduler, place->index, last);
}

void lanes_insert(struct scheduler *scheduler, struct scheduler_place *place)
{
	if (place->entry->hold != HOLD_NONE) {
		place->state = PLACE_HELD;
		place->previous = scheduler->held.last;
		place->next = NULL;
		*(place->previous ? &place->previous->next : &scheduler->held.first) = place;
		scheduler->held.last = place;
		scheduler->n_held++;
	} else if (place->entry->not_before_ms > scheduler->now_ms) {
		pause_insert(scheduler, place);
	} else {
		bin_insert(scheduler, place);
	}
}

void lanes_remove(struct scheduler *scheduler, struct scheduler_place *place)
{
	if (place->state == PLACE_HELD) {
		place_list_remove(&scheduler->held, place);
		scheduler->n_held--;
	} else if (place->state == PLACE_PAUSED) {
		pause_remove(scheduler, place);
	} else if (place->state == PLACE_IN_LANE) {
		bin_remove(scheduler, place);
	}
	place->state = PLACE_AWAY;
}

void lanes_wake(struct scheduler *scheduler)
{
	while (scheduler->n_paused &&
	       scheduler->paused[0]->entry->not_before_ms <= scheduler->now_ms) {
		struct scheduler_place *place = scheduler->paused[0];

		pause_remove(scheduler, place);
		bin_insert(scheduler, place);
		scheduler_changed(scheduler);
	}
}

/* Rank, priority, use, and the age of the first of each. */
static bool lane_is_before(const struct lane *a, const struct lane *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (a->score != b->score)
		return a->score < b->score;
	return place_compare_age(a->candidate, b->candidate) < 0;
}

void lane_heap_sink(struct lane_heap *heap, size_t at)
{
	struct lane *lane = heap->lanes[at];

	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < heap->count &&
		    lane_is_before(heap->lanes[child + 1], heap->lanes[child]))
			child++;
		if (child >= heap->count || !lane_is_before(heap->lanes[child], lane))
			break;
		heap->lanes[at] = heap->lanes[child];
		at = child;
	}
	heap->lanes[at] = lane;
}

void lane_heap_pop(struct lane_heap *heap)
{
	heap->lanes[0] = heap->lanes[--heap->count];
	if (heap->count)
		lane_heap_sink(heap, 0);
}

void lane_heap_build(struct lane_heap *heap)
{
	for (size_t i = heap->count / 2; i-- > 0;)
		lane_heap_sink(heap, i);
}

void lane_heap_add(struct lane_heap *heap, struct lane *lane)
{
	if (heap->count == heap->cap) {
		heap->cap = heap->cap ? heap->cap * 2 : 64;
		heap->lanes = xrealloc(heap->lanes, heap->cap * sizeof(*heap->lanes));
	}
	heap->lanes[heap->count++] = lane;
}
