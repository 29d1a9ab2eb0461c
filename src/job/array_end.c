/* SPDX-License-Identifier: Apache-2.0 */
/* How arrays end, and how they and their elements explain why they wait. */
#include "job/array_private.h"

#include "base/clock.h"
#include "job/state.h"

#include <stdio.h>
#include <string.h>

#define NAMED_MAX 12 /* numbers in a message */

struct names {
	char *text;
	size_t size, len;
	int count;
};

static void end_name_element(void *arg, const struct array_element *element)
{
	struct names *names = arg;

	if (names->count++ < NAMED_MAX && names->len < names->size)
		names->len +=
		        (size_t)snprintf(names->text + names->len, names->size - names->len, "%s%d",
		                         names->count > 1 ? ", " : ": ", element->number);
}

/* "3 of 100 elements failed, 1 was canceled: 4, 17, 23, 90" */
static void end_describe(struct job_service *service, const struct array *array, char *ret,
                         size_t size)
{
	int64_t failed = array->counts[STAGE_ERROR], canceled = array->counts[STAGE_CANCELED];
	struct names names = {.text = ret, .size = size};

	if (failed > 0)
		names.len = (size_t)snprintf(ret, size, "%lld of %d elements failed",
		                             (long long)failed, array->total);
	if (canceled > 0)
		names.len += (size_t)snprintf(ret + names.len, size - names.len,
		                              failed > 0 ? ", %lld %s canceled"
		                                         : "%lld of the elements %s canceled",
		                              (long long)canceled, canceled == 1 ? "was" : "were");
	elements_each(service->db, array->entry.id, array->plan.first,
	              (1u << STAGE_ERROR) | (1u << STAGE_CANCELED), NAMED_MAX + 1, end_name_element,
	              &names);
	if (names.count > NAMED_MAX && names.len < size)
		snprintf(ret + names.len, size - names.len, " and others");
}

void array_conclude(struct job_service *service, struct array *array)
{
	struct active_job *active = active_find(service, array->entry.id);
	struct job_record record autojob = {0};
	char message[ERROR_TEXT_SIZE] = "";
	struct job_change change = {
	        .stage = STAGE_COMPLETED,
	        .message = message,
	        .failure_count = (int)array->counts[STAGE_ERROR],
	        .at_ms = clock_now_ms(),
	};

	if (!jobs_find(service->db, array->entry.id, &record))
		BUG("array %s has no row", array->entry.id);
	if (array->counts[STAGE_COMPLETED] < array->total) {
		change.stage = STAGE_ERROR;
		end_describe(service, array, message, sizeof(message));
	}
	if (service_transition(service, &record, &change) && active)
		active_end(service, active);
}

int64_t array_count_running(const struct job_service *service)
{
	const struct id_table *arrays = &service->arrays->arrays;
	int64_t count = 0;

	for (size_t i = 0; i < arrays->n_buckets; i++)
		for (const struct id_entry *e = arrays->buckets[i]; e; e = e->next) {
			const struct array *array = (const struct array *)(const void *)e;

			count += array->is_running && !array->is_ended;
		}
	return count;
}

bool array_view(struct job_service *service, const char *job_id, struct array_view *ret)
{
	const struct array *array = array_find(service, job_id);
	int64_t made = 0;

	if (!arrays_find(service->db, job_id, &ret->plan))
		return false;
	if (array)
		memcpy(ret->counts, array->counts, sizeof(ret->counts));
	else
		elements_count(service->db, job_id, ret->counts);
	ret->total = array_plan_count(&ret->plan);
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		made += ret->counts[stage];
	if (array)
		ret->counts[STAGE_SCHEDULING] += ret->total - made;
	return true;
}

static size_t explain_count(char *ret, size_t size, size_t len, int64_t count, const char *what)
{
	if (count <= 0 || len >= size)
		return len;
	return len + (size_t)snprintf(ret + len, size - len, "%s%lld %s",
	                              len ? ", " : "Elements: ", (long long)count, what);
}

static void explain_array(const struct array *array, char *ret, size_t size)
{
	int64_t made = array->counts[STAGE_SCHEDULING] + array->counts[STAGE_RUNNING] +
	               array_count_over(array);
	size_t len = 0;

	*ret = '\0';
	len = explain_count(ret, size, len, array->counts[STAGE_SCHEDULING] + array->total - made,
	                    "waiting");
	len = explain_count(ret, size, len, array->counts[STAGE_RUNNING], "running");
	len = explain_count(ret, size, len, array->counts[STAGE_COMPLETED], "completed");
	len = explain_count(ret, size, len, array->counts[STAGE_ERROR], "failed");
	(void)explain_count(ret, size, len, array->counts[STAGE_CANCELED], "canceled");
}

void array_explain(struct job_service *service, const char *job_id, char *ret, size_t size)
{
	struct array *array = array_find(service, job_id);
	char array_id[ID_SIZE] = "";
	int number;

	if (array) {
		explain_array(array, ret, size);
		return;
	}
	if (elements_find_array(service->db, job_id, array_id, &number))
		array = array_find(service, array_id);
	if (array && !array->is_kept && array->plan.max_open)
		snprintf(ret, size, "Waiting: array %s runs at most %d of its elements at once",
		         array_id, array->plan.max_open);
	else
		snprintf(ret, size, "Waiting with its array %s", array_id);
}
