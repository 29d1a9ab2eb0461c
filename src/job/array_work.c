/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that arrays make, in slices: one batch of one array after the other, until the slice's
 * time is up. Each batch leaves rows from which recovery goes on.
 */
#include "job/array_private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "job/log_array.h"
#include "job/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_US 4000
#define BATCH 32
#define DISK_WAIT_MS 1000

enum work {
	WORK_DONE,
	WORK_MORE,
	WORK_LATER, /* the disk is full */
	WORK_OVER,  /* the array is gone */
};

struct batch {
	struct array_element elements[BATCH];
	int count;
};

static void array_work(void *arg);

struct array_table *array_table_new(struct job_service *service)
{
	struct array_table *table = xcalloc(1, sizeof(*table));

	table->service = service;
	table->end = &table->first;
	table->timer = loop_timer_new(service->loop, array_work, table);
	return table;
}

static void work_free_array(struct id_entry *entry)
{
	free(entry);
}

void array_table_free(struct array_table *table)
{
	if (!table)
		return;
	loop_timer_free(table->timer);
	id_table_clear(&table->arrays, work_free_array);
	free(table);
}

static void work_append(struct array_table *table, struct array *array)
{
	array->is_working = true;
	array->next_working = NULL;
	*table->end = array;
	table->end = &array->next_working;
}

static struct array *work_take(struct array_table *table)
{
	struct array *array = table->first;

	table->first = array->next_working;
	if (!table->first)
		table->end = &table->first;
	array->is_working = false;
	return array;
}

void array_await(struct job_service *service, struct array *array)
{
	struct array_table *table = service->arrays;

	if (!array->is_working)
		work_append(table, array);
	if (table->is_awaited)
		return;
	table->is_awaited = true;
	loop_defer(service->loop, array_work, table);
}

static void work_add(void *arg, const struct array_element *element)
{
	struct batch *batch = arg;

	batch->elements[batch->count++] = *element;
}

static void work_read(struct job_service *service, const struct array *array, int from,
                      unsigned mask, struct batch *ret)
{
	ret->count = 0;
	elements_each(service->db, array->entry.id, from, mask, BATCH, work_add, ret);
}

/* What is left of an array that has ended itself, most often because it was cancelled. */
static enum work work_cancel(struct job_service *service, struct array *array, int64_t end_us)
{
	struct job_record record autojob = {0};
	char message[ERROR_TEXT_SIZE];
	struct batch batch;

	work_read(service, array, array->cancel_from,
	          (1u << STAGE_SCHEDULING) | (1u << STAGE_RUNNING), &batch);
	if (batch.count == 0) {
		arrays_set_over(service->db, array->entry.id);
		array_remove(service, array);
		return WORK_OVER;
	}
	if (!jobs_find(service->db, array->entry.id, &record))
		BUG("array %s has no row", array->entry.id);
	snprintf(message, sizeof(message), "Its array %s ended with %s%s%s", record.id,
	         stage_name(record.stage), record.message ? ": " : "",
	         record.message ? record.message : "");
	for (int i = 0; i < batch.count && (i == 0 || clock_monotonic_us() < end_us); i++) {
		job_cancel(service, batch.elements[i].job_id, record.cancel_reason, message);
		array->cancel_from = batch.elements[i].number + 1;
	}
	return WORK_MORE;
}

static void work_lose_flavor(struct job_service *service, struct array *array,
                             struct job_record *record)
{
	struct active_job *active = active_find(service, array->entry.id);
	char message[ERROR_TEXT_SIZE];
	struct job_change change = {
	        .stage = STAGE_ERROR,
	        .message = message,
	        .failure_count = (int)array->counts[STAGE_ERROR],
	        .at_ms = clock_now_ms(),
	};

	snprintf(message, sizeof(message),
	         "The flavor %.64s was removed from this server while elements were still to be "
	         "made",
	         record->flavor);
	if (service_transition(service, record, &change) && active)
		active_end(service, active);
}

static enum work work_make(struct job_service *service, struct array *array, int64_t end_us)
{
	struct job_record record autojob = {0};
	int made = 0;

	if (!service_has_room(service))
		return WORK_LATER;
	if (!jobs_find(service->db, array->entry.id, &record))
		BUG("array %s has no row", array->entry.id);
	for (; array->plan.next <= array->plan.last && made < BATCH; array->plan.next++) {
		if (!array_plan_has(&array->plan, array->plan.next))
			continue;
		if (array_make_element(service, array, &record, array->plan.next) < 0) {
			work_lose_flavor(service, array, &record);
			return WORK_MORE;
		}
		made++;
		if (clock_monotonic_us() >= end_us) {
			array->plan.next++;
			break;
		}
	}
	arrays_set_next(service->db, array->entry.id, array->plan.next);
	return WORK_MORE;
}

static enum work work_open(struct job_service *service, struct array *array)
{
	struct batch batch;

	work_read(service, array, array->open_from, 1u << STAGE_SCHEDULING, &batch);
	if (batch.count == 0)
		array->open_from = ARRAY_NONE;
	for (int i = 0; i < batch.count && array_may_open(array); i++) {
		struct active_job *active = active_find(service, batch.elements[i].job_id);

		array->open_from = batch.elements[i].number + 1;
		if (!active || !active->waits_array)
			continue;
		active->waits_array = false;
		array->open++;
		active_update_hold(service, active);
	}
	return WORK_MORE;
}

static enum work work_close(struct job_service *service, struct array *array)
{
	struct batch batch;

	work_read(service, array, array->close_from, 1u << STAGE_SCHEDULING, &batch);
	if (batch.count == 0)
		array->close_from = ARRAY_NONE;
	for (int i = 0; i < batch.count; i++) {
		struct active_job *active = active_find(service, batch.elements[i].job_id);
		int number = batch.elements[i].number;

		array->close_from = number + 1;
		if (!active || !active->place.is_queued || active->waits_array)
			continue;
		active->waits_array = true;
		array->open--;
		if (number < array->open_from)
			array->open_from = number;
		active_update_hold(service, active);
	}
	return WORK_MORE;
}

static enum work work_step(struct job_service *service, struct array *array, int64_t end_us)
{
	if (array->is_ended)
		return work_cancel(service, array, end_us);
	if (array->plan.tell) {
		array_tell_some(service, array, end_us);
		return WORK_MORE;
	}
	if (array->close_from != ARRAY_NONE)
		return work_close(service, array);
	if (array->open_from != ARRAY_NONE && array_may_open(array))
		return work_open(service, array);
	if (array->plan.next <= array->plan.last)
		return work_make(service, array, end_us);
	if (array_count_over(array) < array->total)
		return WORK_DONE;
	array_conclude(service, array);
	return WORK_MORE;
}

/* The list may grow meanwhile, by what the work itself leads to. */
static void array_work(void *arg)
{
	struct array_table *table = arg;
	int64_t end_us = clock_monotonic_us() + SLICE_US;
	const struct array *late = NULL;

	table->is_awaited = true;
	while (table->first && table->first != late && clock_monotonic_us() < end_us) {
		struct array *array = work_take(table);
		enum work work = work_step(table->service, array, end_us);

		if (work == WORK_LATER && !late)
			late = array;
		if ((work == WORK_MORE || work == WORK_LATER) && !array->is_working)
			work_append(table, array);
	}
	table->is_awaited = table->first != NULL;
	if (table->first)
		loop_timer_start(table->timer, table->first == late ? DISK_WAIT_MS : 1, 0);
}
