/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of an array that concern its elements: priority and place in the queue, the time limit,
 * how many may run at once. Elements that are made later have them from the array's row; how far
 * the others have been told is in the plan.
 */
#include "job/array_private.h"

#include "base/clock.h"
#include "job/extend.h"
#include "job/queue.h"

#define BATCH 32

struct told {
	struct array_element elements[BATCH];
	int count;
};

static void change_note(void *arg, const struct array_element *element)
{
	struct told *told = arg;

	told->elements[told->count++] = *element;
}

void array_tell_some(struct job_service *service, struct array *array, int64_t end_us)
{
	struct job_record record autojob = {0};
	struct told told = {.count = 0};
	struct error ignored = ERROR_INIT;

	elements_each(service->db, array->entry.id, array->plan.tell_from,
	              (1u << STAGE_SCHEDULING) | (1u << STAGE_RUNNING), BATCH, change_note, &told);
	if (told.count == 0 || !jobs_find(service->db, array->entry.id, &record))
		array->plan.tell = 0;
	for (int i = 0; i < told.count && (i == 0 || clock_monotonic_us() < end_us); i++) {
		const char *id = told.elements[i].job_id;

		/* Nothing but an element that is just ending, or has used up the new limit. */
		if (array->plan.tell & ARRAY_TELL_TIMEOUT)
			(void)job_set_timeout(service, id, record.timeout_s, &ignored);
		if (array->plan.tell & ARRAY_TELL_ORDER)
			queue_copy_order(service, &record, id);
		array->plan.tell_from = told.elements[i].number + 1;
	}
	arrays_set_told(service->db, array->entry.id, array->plan.tell, array->plan.tell_from);
}

void array_setting_changed(struct job_service *service, const char *job_id, unsigned what)
{
	struct array *array = array_find(service, job_id);

	if (!array)
		return;
	array->plan.tell |= what;
	array->plan.tell_from = array->plan.first;
	arrays_set_told(service->db, job_id, array->plan.tell, array->plan.tell_from);
	array_await(service, array);
}

/* All that do not run yet are kept back, and then as many as may are let go. */
void array_set_max(struct job_service *service, const char *job_id, int max_open)
{
	struct array *array = array_find(service, job_id);

	if (!array || array->plan.max_open == max_open)
		return;
	array->plan.max_open = max_open;
	arrays_set_max(service->db, job_id, max_open);
	array->close_from = array->plan.first;
	array_await(service, array);
}
