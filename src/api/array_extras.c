/* SPDX-License-Identifier: Apache-2.0 */
/* What a job waits for, and what an array or an element is part of. */
#include "api/job_extras.h"

#include "job/array.h"
#include "store/dependencies.h"

static void after_add(void *arg, const struct dependency *after)
{
	json_array_append_new(
	        arg, json_pack("{s:s, s:s}", "id", after->id, "stage", stage_name(after->stage)));
}

/* Those that have completed are not waited for any more. */
void after_extras(struct api *api, const struct job_record *job, json_t *extras)
{
	json_t *list;

	if (job->stage != STAGE_SCHEDULING)
		return;
	list = json_array();
	dependencies_each_after(api->db, job->id, after_add, list);
	if (json_array_size(list) > 0)
		json_object_set_new(extras, "after", list);
	else
		json_decref(list);
}

static json_t *array_describe(const struct array_view *view)
{
	static const char *const names[STAGE_COUNT] = {
	        [STAGE_SCHEDULING] = "waiting",  [STAGE_RUNNING] = "running",
	        [STAGE_COMPLETED] = "completed", [STAGE_ERROR] = "failed",
	        [STAGE_CANCELED] = "canceled",
	};
	json_t *array = json_pack("{s:i, s:i, s:i}", "first", view->plan.first, "last",
	                          view->plan.last, "elements", view->total);

	if (view->plan.max_open > 0)
		json_object_set_new(array, "max", json_integer(view->plan.max_open));
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (names[stage])
			json_object_set_new(array, names[stage], json_integer(view->counts[stage]));
	return array;
}

void array_extras(struct api *api, const struct job_record *job, json_t *extras)
{
	struct array_view view;
	char array_id[ID_SIZE];
	int number;

	if (elements_find_array(api->db, job->id, array_id, &number))
		json_object_set_new(extras, "array",
		                    json_pack("{s:s, s:i}", "of", array_id, "index", number));
	else if (array_view(api->jobs, job->id, &view))
		json_object_set_new(extras, "array", array_describe(&view));
}
