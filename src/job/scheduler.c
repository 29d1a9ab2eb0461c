/* SPDX-License-Identifier: Apache-2.0 */
/* What the owner of the queue calls. See scheduler_private.h for where the rest
 * is. */
#include "job/scheduler_private.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct scheduler *scheduler_new(const struct configuration *c)
{
	struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));

	scheduler->capacity = (struct amount){
	        c->cpu_millis > 0 ? c->cpu_millis : NO_ROOM / 4,
	        c->memory_bytes > 0 ? c->memory_bytes : NO_ROOM / 4,
	        c->max_running > 0 ? c->max_running : NO_ROOM / 4,
	};
	scheduler->is_backfilling = c->backfill;
	scheduler->is_sharing_between = c->share_between_owners;
	scheduler->half_life_ms = (double)(c->half_life_s > 0 ? c->half_life_s : 86400) * 1000;
	scheduler->default_max[SCOPE_NAMESPACE] =
	        c->max_running_per_namespace > 0 ? c->max_running_per_namespace : -1;
	scheduler->default_max[SCOPE_USER] =
	        c->max_running_per_user > 0 ? c->max_running_per_user : -1;
	scheduler->default_max[SCOPE_GROUP] = -1;
	return scheduler;
}

static void place_free(struct scheduler_place *place)
{
	free(place->devices);
	free(place->device_names);
	free(place);
}

static void place_list_free(const struct place_list *list)
{
	for (struct scheduler_place *place = list->first, *next; place; place = next) {
		next = place->next;
		place_free(place);
	}
}

/* Their entries may be gone already. */
static void scheduler_free_places(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->n_lanes; i++) {
		for (struct bin *bin = scheduler->lanes[i]->bins, *next; bin; bin = next) {
			next = bin->next;
			place_list_free(&bin->retries);
			place_list_free(&bin->arrivals);
			free(bin);
		}
		free(scheduler->lanes[i]);
	}
	for (size_t i = 0; i < scheduler->n_paused; i++)
		place_free(scheduler->paused[i]);
	for (size_t i = 0; i < scheduler->n_holding; i++)
		place_free(scheduler->holding[i]);
	place_list_free(&scheduler->held);
}

void scheduler_free(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	plan_clear(scheduler);
	scheduler_free_places(scheduler);
	inventory_clear(scheduler);
	kinds_clear(scheduler);
	scopes_clear(scheduler);
	free(scheduler->lanes);
	free(scheduler->paused);
	free(scheduler->holding);
	free(scheduler->pass.heap.lanes);
	free(scheduler->order.heap.lanes);
	free(scheduler->order.places);
	free(scheduler->slots);
	free(scheduler);
}

void scheduler_set_names(struct scheduler *scheduler, scheduler_name_fn *fn, void *arg)
{
	scheduler->name = fn;
	scheduler->name_arg = arg;
}

void scheduler_changed(struct scheduler *scheduler)
{
	scheduler->pass.is_valid = false;
	scheduler->order.is_valid = false;
}

static void scheduler_set_clock(struct scheduler *scheduler, int64_t now_ms)
{
	if (now_ms > scheduler->now_ms)
		scheduler->now_ms = now_ms;
}

static int64_t place_limit_ms(const struct scheduler_entry *entry)
{
	int64_t limit_ms = entry->limit_ms;

	return limit_ms > 0 && limit_ms < FOREVER_MS ? limit_ms : FOREVER_MS;
}

int64_t place_end_ms(const struct scheduler *scheduler, const struct scheduler_place *place)
{
	return place->end_ms > scheduler->now_ms ? place->end_ms : scheduler->now_ms + 1;
}

int place_compare_urgency(const struct scheduler_place *a, const struct scheduler_place *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->priority > b->priority ? -1 : a->priority < b->priority;
}

/* What it was when it came into its lane: the owner may be about to change it.
 */
static void place_note(struct scheduler_place *place)
{
	place->rank = place->entry->rank;
	place->priority = place->entry->priority;
	place->limit_ms = place_limit_ms(place->entry);
	place->arrived_ms = place->entry->arrived_ms;
	place->is_retry = place->entry->is_retry;
}

static struct scheduler_place *place_new(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct scheduler_place *place = xcalloc(1, sizeof(*place));

	place->entry = entry;
	place->kind = kind_get(scheduler, entry->flavor);
	place->ticket = scheduler->next_ticket++;
	scopes_of(scheduler, place);
	place_note(place);
	entry->place = place;
	return place;
}

void scheduler_enqueue(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct scheduler_place *place = place_new(scheduler, entry);

	entry->is_queued = true;
	scheduler->usage.queued++;
	scope_count(place, 1, 0);
	lanes_insert(scheduler, place);
	scheduler_changed(scheduler);
}

/* Its place is not anywhere any more. */
static void scheduler_leave(struct scheduler *scheduler, struct scheduler_place *place)
{
	lanes_remove(scheduler, place);
	scope_count(place, -1, 0);
	place->entry->is_queued = false;
	scheduler->usage.queued--;
	scheduler->order.is_valid = false;
}

void scheduler_dequeue(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct scheduler_place *place = entry->place;

	plan_forget(scheduler, place);
	scheduler_leave(scheduler, place);
	order_forget(scheduler, place);
	scheduler_changed(scheduler);
	entry->place = NULL;
	place_free(place);
}

static bool place_stays(const struct scheduler *scheduler, const struct scheduler_place *place)
{
	const struct scheduler_entry *entry = place->entry;

	return place->state == PLACE_IN_LANE && entry->hold == HOLD_NONE &&
	       entry->not_before_ms <= scheduler->now_ms && entry->rank == place->rank &&
	       entry->priority == place->priority && entry->arrived_ms == place->arrived_ms &&
	       entry->is_retry == place->is_retry;
}

static void scheduler_change_queued(struct scheduler *scheduler, struct scheduler_place *place)
{
	int64_t limit_ms = place->limit_ms;

	if (place_stays(scheduler, place)) {
		place_note(place);
		bin_note_limit(place->bin, place);
	} else {
		lanes_remove(scheduler, place);
		if (place->rank != place->entry->rank || place->priority != place->entry->priority)
			plan_forget(scheduler, place);
		place_note(place);
		lanes_insert(scheduler, place);
	}
	if (place->state != PLACE_IN_LANE || place->limit_ms > limit_ms)
		plan_forget(scheduler, place);
}

void scheduler_change(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct scheduler_place *place = entry->place;

	if (entry->is_queued) {
		scheduler_change_queued(scheduler, place);
	} else if (entry->is_holding) {
		int64_t end_ms = entry->held_since_ms + place_limit_ms(entry);

		scheduler->plan.is_broken |= end_ms > place->end_ms;
		scheduler->plan.is_loose |= end_ms < place->end_ms;
		place->end_ms = end_ms;
	}
	scheduler_changed(scheduler);
}

static void scheduler_take(struct scheduler *scheduler, struct scheduler_place *place, int slot,
                           struct scheduler_device *const *devices, int n_devices, int64_t since_ms)
{
	struct scheduler_entry *entry = place->entry;

	slot_take(scheduler, slot);
	entry->slot = slot;
	entry->is_holding = true;
	entry->held_since_ms = since_ms;
	place->state = PLACE_HOLDING;
	place->end_ms = since_ms + place->limit_ms;
	scope_count(place, 0, 1);
	share_hold(scheduler, place, since_ms);
	inventory_take(place, devices, n_devices);
	entry->devices = place->device_names;
	scheduler->taken = amount_add(&scheduler->taken, &place->kind->amount);
	scheduler->usage.holding++;
	if (scheduler->n_holding == scheduler->cap_holding) {
		scheduler->cap_holding = scheduler->cap_holding ? scheduler->cap_holding * 2 : 64;
		scheduler->holding = xrealloc(scheduler->holding,
		                              scheduler->cap_holding * sizeof(*scheduler->holding));
	}
	place->index = scheduler->n_holding;
	scheduler->holding[scheduler->n_holding++] = place;
	plan_started(scheduler, place);
}

struct scheduler_entry *scheduler_next(struct scheduler *scheduler, int64_t now_ms)
{
	struct scheduler_device *devices[DEVICES_PER_JOB];
	struct scheduler_place *place;
	bool was_promised;

	scheduler_set_clock(scheduler, now_ms);
	scheduler->seen_ticket = scheduler->next_ticket;
	lanes_wake(scheduler);
	place = pass_next(scheduler, devices);
	if (!place)
		return NULL;
	/* Others of its kind that were passed over for its sake are to be looked at again. */
	was_promised = place->promise;
	scheduler_leave(scheduler, place);
	order_forget(scheduler, place);
	scheduler_take(scheduler, place, slot_find(scheduler), devices, place->kind->n_devices,
	               scheduler->now_ms);
	pass_started(scheduler);
	if (was_promised)
		scheduler->pass.is_valid = false;
	return place->entry;
}

void scheduler_hold(struct scheduler *scheduler, struct scheduler_entry *entry, int slot,
                    const char *devices, int64_t since_ms, int64_t now_ms)
{
	struct scheduler_device *found[DEVICES_PER_JOB];
	int n_devices = inventory_find(scheduler, devices, found);

	scheduler_set_clock(scheduler, now_ms);
	scheduler_take(scheduler, place_new(scheduler, entry), slot, found, n_devices, since_ms);
	scheduler->plan.is_broken = true;
	scheduler_changed(scheduler);
}

void scheduler_release(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms)
{
	struct scheduler_place *place = entry->place;

	scheduler_set_clock(scheduler, now_ms);
	slot_free(scheduler, entry->slot);
	scope_count(place, 0, -1);
	share_release(scheduler, place);
	scheduler->holding[place->index] = scheduler->holding[--scheduler->n_holding];
	scheduler->holding[place->index]->index = place->index;
	inventory_release(scheduler, place);
	scheduler->taken = amount_subtract(&scheduler->taken, &place->kind->amount);
	scheduler->usage.holding--;
	scheduler->plan.is_loose = true;
	scheduler->plan.are_leavings_valid = false;
	scheduler_changed(scheduler);
	entry->is_holding = false;
	entry->devices = NULL;
	entry->place = NULL;
	place_free(place);
}

int64_t scheduler_wake_ms(const struct scheduler *scheduler)
{
	return scheduler->n_paused ? scheduler->paused[0]->entry->not_before_ms : 0;
}

struct scheduler_usage scheduler_usage(const struct scheduler *scheduler)
{
	struct scheduler_usage usage = scheduler->usage;

	usage.cpu_millis = scheduler->taken.cpu_millis;
	usage.memory_bytes = scheduler->taken.memory_bytes;
	inventory_count(scheduler, &usage);
	return usage;
}
