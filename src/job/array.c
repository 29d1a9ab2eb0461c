/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to arrays and to their elements. See the header. */
#include "job/array_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/log_array.h"
#include "job/state.h"
#include "store/dependencies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNFINISHED ((1u << STAGE_SCHEDULING) | (1u << STAGE_RUNNING))

bool array_is_array(struct database *db, const char *job_id)
{
	return arrays_exist(db, job_id);
}

struct array *array_find(const struct job_service *service, const char *id)
{
	return id_table_find(&service->arrays->arrays, id);
}

struct array *array_add(struct job_service *service, const char *id, const struct array_plan *plan)
{
	struct array *array = xcalloc(1, sizeof(*array));

	memcpy(array->entry.id, id, ID_SIZE);
	array->plan = *plan;
	array->total = array_plan_count(plan);
	array->open_from = array->close_from = ARRAY_NONE;
	id_table_add(&service->arrays->arrays, &array->entry);
	return array;
}

void array_remove(struct job_service *service, struct array *array)
{
	id_table_remove(&service->arrays->arrays, &array->entry);
	free(array);
}

bool array_may_open(const struct array *array)
{
	return !array->is_kept && !array->is_ended &&
	       (array->plan.max_open == 0 || array->open < array->plan.max_open);
}

int64_t array_count_over(const struct array *array)
{
	return array->counts[STAGE_COMPLETED] + array->counts[STAGE_ERROR] +
	       array->counts[STAGE_CANCELED];
}

static bool array_is_kept(struct job_service *service, const char *id)
{
	const struct active_job *active = active_find(service, id);

	return active && active->place.hold != HOLD_ARRAY;
}

void array_submit(struct job_service *service, const char *id, const struct array_plan *plan)
{
	struct array *array = array_add(service, id, plan);

	arrays_insert(service->db, id, plan);
	array->is_kept = array_is_kept(service, id);
	log_array_write(service, id, "Array of %d element%s, %d to %d", array->total,
	                array->total == 1 ? "" : "s", plan->first, plan->last);
	array_await(service, array);
}

/* RUNNING from the start of the first one. */
static void array_start(struct job_service *service, struct array *array, int64_t at_ms)
{
	struct job_record record autojob = {0};
	struct job_change change = {.stage = STAGE_RUNNING, .at_ms = at_ms};

	array->is_running = true;
	if (jobs_find(service->db, array->entry.id, &record) && record.stage == STAGE_SCHEDULING)
		(void)service_transition(service, &record, &change);
}

static void array_element_running(struct job_service *service, struct array *array,
                                  const struct job_record *job, int number)
{
	array->counts[STAGE_SCHEDULING]--;
	array->counts[STAGE_RUNNING]++;
	if (array->is_ended)
		return;
	log_array_write(service, array->entry.id, "Element %d started (job %s)", number, job->id);
	if (!array->is_running)
		array_start(service, array, job->started_ms);
}

static void array_element_over(struct job_service *service, struct array *array,
                               const struct job_record *job, int number)
{
	const struct active_job *active = active_find(service, job->id);
	char took[32] = "";

	array->counts[job->started_ms ? STAGE_RUNNING : STAGE_SCHEDULING]--;
	array->counts[job->stage]++;
	if (!active || !active->waits_array)
		array->open--;
	array_await(service, array);
	if (array->is_ended)
		return;
	if (job->started_ms)
		snprintf(took, sizeof(took), " after %lld s",
		         (long long)((job->finished_ms - job->started_ms) / 1000));
	log_array_write(service, array->entry.id, "Element %d %s%s%s%s (job %s)", number,
	                stage_name(job->stage), took, job->message ? ": " : "",
	                job->message ? job->message : "", job->id);
}

void array_job_changed(struct job_service *service, const struct job_record *job)
{
	struct array *array = array_find(service, job->id);
	char array_id[ID_SIZE];
	int number;

	if (array && stage_is_terminal(job->stage)) {
		array->is_ended = true;
		array_await(service, array);
	}
	if (array || !json_object_get(job->labels, "hearth.array-of") ||
	    !elements_find_array(service->db, job->id, array_id, &number))
		return;
	array = array_find(service, array_id);
	if (array && job->stage == STAGE_RUNNING)
		array_element_running(service, array, job, number);
	else if (array && stage_is_terminal(job->stage))
		array_element_over(service, array, job, number);
}

void array_hold_changed(struct job_service *service, const struct active_job *job)
{
	struct array *array = array_find(service, job->entry.id);
	bool is_kept = job->place.hold != HOLD_ARRAY;

	if (!array || is_kept == array->is_kept)
		return;
	array->is_kept = is_kept;
	array->close_from = is_kept ? array->plan.first : ARRAY_NONE;
	array_await(service, array);
}

struct recovered {
	struct job_service *service;
	struct array *array;
};

/* In the order of their numbers; array-max lets the first ones begin again. */
static void array_recover_element(void *arg, const struct array_element *element)
{
	const struct recovered *recovered = arg;
	struct array *array = recovered->array;
	struct active_job *active = active_find(recovered->service, element->job_id);

	if (!active || element->stage != STAGE_SCHEDULING || array_may_open(array)) {
		array->open++;
		return;
	}
	active->waits_array = true;
	active_update_hold(recovered->service, active);
	if (element->number < array->open_from)
		array->open_from = element->number;
}

static void array_recover_one(struct job_service *service, const char *id)
{
	struct active_job *active = active_find(service, id);
	struct recovered recovered = {.service = service};
	struct dependency self;
	struct array_plan plan;
	struct array *array;

	if (!arrays_find(service->db, id, &plan) || !dependencies_look(service->db, id, &self))
		return;
	if (active) {
		active->waits_array = true;
		active_update_hold(service, active);
	}
	recovered.array = array = array_add(service, id, &plan);
	array->is_running = self.stage == STAGE_RUNNING;
	array->is_ended = stage_is_terminal(self.stage);
	array->is_kept = array_is_kept(service, id);
	elements_count(service->db, id, array->counts);
	elements_each(service->db, id, plan.first, UNFINISHED, ARRAY_ELEMENTS_MAX,
	              array_recover_element, &recovered);
	array_await(service, array);
}

static void array_add_id(void *arg, const char *id)
{
	id_list_add(arg, id);
}

void array_recover(struct job_service *service)
{
	struct id_list ids = {0};

	arrays_each_not_over(service->db, array_add_id, &ids);
	for (size_t i = 0; i < ids.count; i++)
		array_recover_one(service, ids.ids[i]);
	id_list_clear(&ids);
}
