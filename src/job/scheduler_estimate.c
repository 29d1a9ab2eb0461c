/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each of the first entries may start: what would happen if nobody came
 * any more and everybody ran as long as jobs like it did, else as long as it
 * may. Whatever fits starts, in the order of the queue; entries of a kind wait
 * for each other. Those after the first thousand are guessed from the last
 * one's rate.
 */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct later_end {
	int64_t at_ms;
	struct scheduler_place *place;
};

struct future {
	struct scheduler *scheduler;
	int64_t at_ms;
	struct amount taken;
	struct later_end *ends; /* a heap */
	size_t n_ends;
};

static void future_add_end(struct future *future, int64_t at_ms, struct scheduler_place *place)
{
	size_t at = future->n_ends++;

	for (; at > 0 && at_ms < future->ends[(at - 1) / 2].at_ms; at = (at - 1) / 2)
		future->ends[at] = future->ends[(at - 1) / 2];
	future->ends[at] = (struct later_end){at_ms, place};
}

static struct later_end future_take_end(struct future *future)
{
	struct later_end first = future->ends[0], last = future->ends[--future->n_ends];
	size_t at = 0;

	for (;;) {
		size_t child = at * 2 + 1;

		if (child + 1 < future->n_ends &&
		    future->ends[child + 1].at_ms < future->ends[child].at_ms)
			child++;
		if (child >= future->n_ends || future->ends[child].at_ms >= last.at_ms)
			break;
		future->ends[at] = future->ends[child];
		at = child;
	}
	future->ends[at] = last;
	return first;
}

/* One that has run longer than expected stays half of that longer. */
static int64_t estimate_end_ms(const struct scheduler *scheduler,
                               const struct scheduler_place *place)
{
	int64_t last_ms = place_end_ms(scheduler, place), now_ms = scheduler->now_ms;
	int64_t expected_ms = place->entry->expected_ms, end_ms;

	if (expected_ms <= 0 || expected_ms > FOREVER_MS)
		return last_ms;
	end_ms = place->entry->held_since_ms + expected_ms;
	if (end_ms <= now_ms)
		end_ms = now_ms + expected_ms / 2 + 1;
	return end_ms < last_ms ? end_ms : last_ms;
}

static int64_t estimate_length_ms(const struct scheduler_place *place)
{
	int64_t limit_ms = place->limit_ms, expected_ms = place->entry->expected_ms;

	return expected_ms > 0 && expected_ms < limit_ms ? expected_ms : limit_ms;
}

static void future_take_devices(struct scheduler_place *place,
                                struct scheduler_device *const *devices, int n)
{
	for (int i = 0; i < n; i++) {
		devices[i]->later_units += place->kind->units;
		devices[i]->later_owner = place->scopes[SCOPE_NAMESPACE];
	}
}

static void future_give_devices(const struct scheduler_place *place,
                                struct scheduler_device *const *devices, int n)
{
	for (int i = 0; i < n; i++) {
		devices[i]->later_units -= place->kind->units;
		if (devices[i]->later_units <= 0)
			devices[i]->later_owner = NULL;
	}
}

static bool future_choose(const struct future *future, const struct scheduler_place *place,
                          struct scheduler_device **ret)
{
	const struct kind *kind = place->kind;
	int n = 0;

	for (size_t i = 0; i < kind->n_eligible && n < kind->n_devices; i++) {
		struct scheduler_device *device = kind->eligible[i];

		if (!device_is_usable(device) || device->later_units + kind->units > DEVICE_UNITS)
			continue;
		if (device->later_owner && !future->scheduler->is_sharing_between &&
		    device->later_owner != place->scopes[SCOPE_NAMESPACE])
			continue;
		ret[n++] = device;
	}
	return n >= kind->n_devices;
}

static bool future_try(struct future *future, struct scheduler_place *place)
{
	struct scheduler_device *devices[DEVICES_PER_JOB];
	struct kind *kind = place->kind;
	struct amount room = amount_subtract(&future->scheduler->capacity, &future->taken);

	if (!amount_fits(&kind->amount, &room) || !future_choose(future, place, devices))
		return false;
	future->taken = amount_add(&future->taken, &kind->amount);
	future_take_devices(place, devices, kind->n_devices);
	if (kind->n_devices) {
		size_t size = (size_t)kind->n_devices * sizeof(devices[0]);

		place->later_devices = xmalloc(size);
		memcpy(place->later_devices, devices, size);
	}
	place->start_ms = future->at_ms;
	future_add_end(future, future->at_ms + estimate_length_ms(place), place);
	kind->first_later = place->next_later;
	return true;
}

static void future_end(struct future *future, struct scheduler_place *place)
{
	future->taken = amount_subtract(&future->taken, &place->kind->amount);
	if (place->state == PLACE_HOLDING) {
		future_give_devices(place, place->devices, place->n_devices);
		return;
	}
	if (place->later_devices)
		future_give_devices(place, place->later_devices, place->kind->n_devices);
	free(place->later_devices);
	place->later_devices = NULL;
}

/* The first in the queue that may start; false: nobody. */
static bool future_start_one(struct future *future)
{
	const struct scheduler *scheduler = future->scheduler;
	int64_t after = -1;

	for (;;) {
		struct scheduler_place *first = NULL;

		for (size_t i = 0; i < scheduler->n_kinds; i++) {
			struct scheduler_place *place = scheduler->kinds[i]->first_later;

			if (place && place->position > after &&
			    (!first || place->position < first->position))
				first = place;
		}
		if (!first)
			return false;
		if (future_try(future, first))
			return true;
		after = first->position;
	}
}

static void future_run(struct future *future)
{
	for (;;) {
		while (future_start_one(future))
			;
		if (!future->n_ends)
			return;
		future->at_ms = future->ends[0].at_ms;
		while (future->n_ends && future->ends[0].at_ms <= future->at_ms) {
			struct later_end end = future_take_end(future);

			future_end(future, end.place);
		}
	}
}

static void future_line_up(struct scheduler *scheduler)
{
	struct order *order = &scheduler->order;

	for (size_t i = 0; i < scheduler->n_kinds; i++)
		scheduler->kinds[i]->first_later = scheduler->kinds[i]->last_later = NULL;
	for (size_t i = 0; i < order->count && i < ESTIMATES_MAX; i++) {
		struct scheduler_place *place = order->places[i];
		struct kind *kind = place->kind;

		place->next_later = NULL;
		if (!place->is_admitted)
			continue;
		*(kind->first_later ? &kind->last_later->next_later : &kind->first_later) = place;
		kind->last_later = place;
	}
}

static void future_begin(struct future *future)
{
	struct scheduler *scheduler = future->scheduler;

	for (size_t i = 0; i < scheduler->n_devices; i++) {
		scheduler->devices[i]->later_units = 0;
		scheduler->devices[i]->later_owner = NULL;
	}
	for (size_t i = 0; i < scheduler->n_holding; i++) {
		struct scheduler_place *place = scheduler->holding[i];

		future_take_devices(place, place->devices, place->n_devices);
		future_add_end(future, estimate_end_ms(scheduler, place), place);
	}
	future_line_up(scheduler);
}

/* A promise is kept even if the estimate is later. */
static void estimate_keep_promises(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];
		struct scheduler_place *place = promise->place;

		if (place->order == scheduler->order.number &&
		    (place->start_ms == 0 || promise->start_ms < place->start_ms))
			place->start_ms = promise->start_ms;
	}
}

static void estimate_note_rate(struct scheduler *scheduler)
{
	struct order *order = &scheduler->order;
	size_t last = order->count < ESTIMATES_MAX ? order->count : ESTIMATES_MAX;

	order->rest_from_ms = 0;
	while (last > 0 && order->places[last - 1]->start_ms == 0)
		last--;
	if (last == 0)
		return;
	order->rest_from_ms = order->places[last - 1]->start_ms;
	order->rest_position = (int64_t)last;
}

void estimate_make(struct scheduler *scheduler)
{
	struct future future = {
	        .scheduler = scheduler,
	        .at_ms = scheduler->now_ms,
	        .taken = scheduler->taken,
	        .ends = xcalloc(scheduler->n_holding + ESTIMATES_MAX, sizeof(*future.ends)),
	};

	future_begin(&future);
	future_run(&future);
	free(future.ends);
	estimate_keep_promises(scheduler);
	estimate_note_rate(scheduler);
}
