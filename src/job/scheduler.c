/* SPDX-License-Identifier: Apache-2.0 */
/* The queue, the free resources and the slots. See the header. */
#include "job/scheduler.h"

#include "base/memory.h"
#include "base/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the scheduler knows of an entry in a queue. */
struct scheduler_place {
	struct scheduler_entry *entry;
	int64_t ticket, position;
	struct scheduler_place *previous, *next;
};

struct queue {
	struct scheduler_place *first, *last;
};

struct scheduler {
	int64_t cpu_millis, memory_bytes, max_running;
	struct scheduler_usage usage;
	struct queue retries, arrivals;
	int64_t next_ticket;
	int64_t seen_ticket; /* the last scheduler_next() knew all tickets below this one */
	bool are_positions_valid;
	uint8_t *slots; /* one byte each: taken or not */
	int n_slots, first_free_slot;
};

struct scheduler *scheduler_new(const struct configuration *configuration)
{
	struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));

	scheduler->cpu_millis = configuration->cpu_millis ? configuration->cpu_millis : INT64_MAX;
	scheduler->memory_bytes =
	        configuration->memory_bytes ? configuration->memory_bytes : INT64_MAX;
	scheduler->max_running =
	        configuration->max_running > 0 ? configuration->max_running : INT64_MAX;
	return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	free(scheduler->slots);
	free(scheduler);
}

static struct queue *scheduler_queue(struct scheduler *scheduler,
                                     const struct scheduler_entry *entry)
{
	return entry->is_retry ? &scheduler->retries : &scheduler->arrivals;
}

static struct scheduler_place *scheduler_first(const struct scheduler *scheduler)
{
	return scheduler->retries.first ? scheduler->retries.first : scheduler->arrivals.first;
}

void scheduler_enqueue(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct queue *queue = scheduler_queue(scheduler, entry);
	struct scheduler_place *place = xcalloc(1, sizeof(*place));

	place->entry = entry;
	place->ticket = scheduler->next_ticket++;
	place->previous = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = place;
	queue->last = place;
	entry->place = place;
	entry->is_queued = true;
	scheduler->usage.queued++;
	scheduler->are_positions_valid = false;
}

void scheduler_dequeue(struct scheduler *scheduler, struct scheduler_entry *entry)
{
	struct queue *queue = scheduler_queue(scheduler, entry);
	struct scheduler_place *place = entry->place;

	*(place->previous ? &place->previous->next : &queue->first) = place->next;
	*(place->next ? &place->next->previous : &queue->last) = place->previous;
	free(place);
	entry->place = NULL;
	entry->is_queued = false;
	scheduler->usage.queued--;
	scheduler->are_positions_valid = false;
}

static void scheduler_reserve_slots(struct scheduler *scheduler, int count)
{
	int bigger = scheduler->n_slots ? scheduler->n_slots : 64;

	if (count <= scheduler->n_slots)
		return;
	while (bigger < count)
		bigger *= 2;
	scheduler->slots = xrealloc(scheduler->slots, (size_t)bigger);
	memset(scheduler->slots + scheduler->n_slots, 0, (size_t)(bigger - scheduler->n_slots));
	scheduler->n_slots = bigger;
}

/* Every slot below first_free_slot is taken. */
static int scheduler_free_slot(struct scheduler *scheduler)
{
	int slot = scheduler->first_free_slot;

	while (slot < scheduler->n_slots && scheduler->slots[slot])
		slot++;
	scheduler->first_free_slot = slot;
	return slot;
}

void scheduler_hold(struct scheduler *scheduler, struct scheduler_entry *entry, int slot,
                    const char *devices, int64_t since_ms, int64_t now_ms)
{
	scheduler_reserve_slots(scheduler, slot + 1);
	scheduler->slots[slot] = 1;
	entry->slot = slot;
	entry->is_holding = true;
	scheduler->usage.holding++;
	scheduler->usage.cpu_millis += entry->flavor->cpu_millis;
	scheduler->usage.memory_bytes += entry->flavor->memory_bytes;
}

void scheduler_release(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms)
{
	scheduler->slots[entry->slot] = 0;
	if (entry->slot < scheduler->first_free_slot)
		scheduler->first_free_slot = entry->slot;
	entry->is_holding = false;
	scheduler->usage.holding--;
	scheduler->usage.cpu_millis -= entry->flavor->cpu_millis;
	scheduler->usage.memory_bytes -= entry->flavor->memory_bytes;
}

static bool scheduler_fits(const struct scheduler *scheduler, const struct flavor *flavor)
{
	return scheduler->usage.holding < scheduler->max_running &&
	       scheduler->usage.cpu_millis + flavor->cpu_millis <= scheduler->cpu_millis &&
	       scheduler->usage.memory_bytes + flavor->memory_bytes <= scheduler->memory_bytes;
}

struct scheduler_entry *scheduler_next(struct scheduler *scheduler, int64_t now_ms)
{
	struct scheduler_place *place = scheduler_first(scheduler);
	struct scheduler_entry *entry = place ? place->entry : NULL;

	scheduler->seen_ticket = scheduler->next_ticket;
	while (place && place->entry->hold != HOLD_NONE)
		place = place->next ? place->next
		                    : (place->entry->is_retry ? scheduler->arrivals.first : NULL);
	entry = place ? place->entry : NULL;
	if (!entry || !scheduler_fits(scheduler, entry->flavor))
		return NULL;
	scheduler_dequeue(scheduler, entry);
	scheduler_hold(scheduler, entry, scheduler_free_slot(scheduler), NULL, now_ms, now_ms);
	return entry;
}

void scheduler_change_begin(struct scheduler *scheduler, struct scheduler_entry *entry)
{
}

void scheduler_change_end(struct scheduler *scheduler, struct scheduler_entry *entry)
{
}

int64_t scheduler_wake_ms(const struct scheduler *scheduler)
{
	return 0;
}

void scheduler_set_devices(struct scheduler *scheduler, const struct device *devices, size_t n)
{
}

static int64_t scheduler_number(struct scheduler_place *place, int64_t position)
{
	for (; place; place = place->next)
		place->position = position++;
	return position;
}

static int64_t scheduler_position(struct scheduler *scheduler, const struct scheduler_place *place)
{
	if (!scheduler->are_positions_valid) {
		(void)scheduler_number(scheduler->arrivals.first,
		                       scheduler_number(scheduler->retries.first, 0));
		scheduler->are_positions_valid = true;
	}
	return place->position;
}

static const char *scheduler_format_cpu(int64_t millis, char text[QUANTITY_TEXT_SIZE])
{
	snprintf(text, QUANTITY_TEXT_SIZE, "%g", (double)(millis > 0 ? millis : 0) / 1000);
	return text;
}

/* The first in the queue: what it needs that is not free. */
static void scheduler_explain_first(const struct scheduler *scheduler, const struct flavor *flavor,
                                    char *ret, size_t size)
{
	char cpu[QUANTITY_TEXT_SIZE], memory[QUANTITY_TEXT_SIZE];
	char free_cpu[QUANTITY_TEXT_SIZE], free_memory[QUANTITY_TEXT_SIZE];
	int64_t free_bytes = scheduler->memory_bytes - scheduler->usage.memory_bytes;

	if (scheduler->usage.holding >= scheduler->max_running) {
		snprintf(ret, size, "Waiting: %lld of %lld jobs are running",
		         (long long)scheduler->usage.holding, (long long)scheduler->max_running);
		return;
	}
	snprintf(
	        ret, size, "Waiting for %s vCPU and %s: %s vCPU and %s are free",
	        scheduler_format_cpu(flavor->cpu_millis, cpu),
	        quantity_format_bytes(flavor->memory_bytes, memory),
	        scheduler_format_cpu(scheduler->cpu_millis - scheduler->usage.cpu_millis, free_cpu),
	        quantity_format_bytes(free_bytes > 0 ? free_bytes : 0, free_memory));
}

bool scheduler_explain(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
                       char *ret, size_t size)
{
	int64_t position;

	if (!entry->is_queued || entry->place->ticket >= scheduler->seen_ticket)
		return false;
	position = scheduler_position(scheduler, entry->place);
	if (position == 0)
		scheduler_explain_first(scheduler, entry->flavor, ret, size);
	else
		snprintf(ret, size, "Waiting: %lld job%s ahead", (long long)position,
		         position == 1 ? "" : "s");
	return true;
}

struct scheduler_usage scheduler_usage(const struct scheduler *scheduler)
{
	return scheduler->usage;
}

__attribute__((weak)) void scheduler_set_limits(struct scheduler *scheduler, enum scheduler_scope scope, const char *id,
			  const struct scheduler_limits *limits)
{
}

__attribute__((weak)) void scheduler_count(const struct scheduler *scheduler, enum scheduler_scope scope, const char *id,
		     int64_t *ret_queued, int64_t *ret_running)
{
	*ret_queued = *ret_running = 0;
}

__attribute__((weak)) void scheduler_each(struct scheduler *scheduler, int64_t now_ms, size_t max,
		    void (*fn)(void *arg, const struct scheduler_view *view), void *arg)
{
}

__attribute__((weak)) bool scheduler_find(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
		    struct scheduler_view *ret)
{
	return false;
}
