/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules (hub-jobs-api, section 3): create, show, change, trigger. Lists are in
 * schedules_list.c. */
#include "api/schedules.h"

#include "api/access.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "base/json.h"
#include "job/spec.h"

#include <string.h>

static bool schedules_load(struct api *api, struct http_request *request,
                           struct schedule_record *ret)
{
	const char *id = http_param(request, "id");

	if (id_is_valid(id) && schedules_find(api->db, id, ret)) {
		if (strcmp(ret->namespace_id, access_of(request)->ns.id) == 0)
			return true;
		schedule_record_clear(ret);
	}
	answer_fail(request, E_NOT_FOUND, "Scheduled job not found");
	return false;
}

static void schedules_render(struct api *api, struct http_request *request,
                             const struct schedule_record *schedule, struct buffer *ret)
{
	const struct schedule_json_context context = {
	        .service = api->schedules,
	        .base_url = http_base_url(request, api->configuration->public_url),
	        .with_next_runs = true,
	};

	if (schedule_json_write(ret, schedule, &context) < 0)
		BUG("schedule %s does not fit into its buffer", schedule->id);
}

/* As it is after what this call changed, once that is on disk. */
void schedules_answer_when_durable(struct api *api, struct http_request *request, const char *id)
{
	autoschedule struct schedule_record schedule = {0};
	autobuffer struct buffer json = BUFFER_INIT(JOBS_OBJECT_MAX);

	if (!schedules_find(api->db, id, &schedule))
		BUG("schedule %s is gone in the turn that changed it", id);
	schedules_render(api, request, &schedule, &json);
	access_set_subject(request, id);
	answer_when_durable(api, request, &json);
}

int schedules_read_expression(const json_t *body, const char **ret, struct error *err)
{
	const json_t *value = json_object_get(body, "schedule");

	if (!value || json_is_null(value))
		return fail(err, E_INVALID,
		            "schedule is required: a cron expression such as \"0 9 * * 1\", or "
		            "\"@hourly\"");
	if (!json_is_string(value))
		return fail(err, E_INVALID, "schedule must be a string");
	*ret = json_string_value(value);
	return 0;
}

void schedules_inspect(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	autobuffer struct buffer json = BUFFER_INIT(JOBS_OBJECT_MAX);

	if (!schedules_load(api, request, &schedule))
		return;
	schedules_render(api, request, &schedule, &json);
	answer_json(request, 200, &json);
}

void schedules_delete(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	autobuffer struct buffer json = BUFFER_INIT(8);

	if (!schedules_load(api, request, &schedule))
		return;
	schedule_delete(api->schedules, &schedule);
	access_set_subject(request, schedule.id);
	(void)buffer_add_text(&json, "{}");
	answer_when_durable(api, request, &json);
}

void schedules_suspend(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};

	if (!schedules_load(api, request, &schedule))
		return;
	schedule_suspend(api->schedules, &schedule);
	schedules_answer_when_durable(api, request, schedule.id);
}

void schedules_resume(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	struct error err = ERROR_INIT;

	if (!schedules_load(api, request, &schedule))
		return;
	if (schedule_resume(api->schedules, &schedule, &err) < 0)
		answer_error(request, &err);
	else
		schedules_answer_when_durable(api, request, schedule.id);
}

void schedules_trigger(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];

	if (!schedules_load(api, request, &schedule))
		return;
	if (schedule_trigger(api->schedules, &schedule, job_id, &err) < 0)
		answer_error(request, &err);
	else
		jobs_answer_when_durable(api, request, job_id);
}

void schedules_put_labels(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	autojson json_t *labels = NULL;
	struct error err = ERROR_INIT;

	if (!schedules_load(api, request, &schedule))
		return;
	if (jobs_read_labels(request, &labels, &err) < 0 ||
	    schedule_relabel(api->schedules, &schedule, labels, &err) < 0)
		answer_error(request, &err);
	else
		schedules_answer_when_durable(api, request, schedule.id);
}

void schedules_put_expression(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	const char *expression;

	if (!schedules_load(api, request, &schedule))
		return;
	if (http_body_json(request, &body, &err) < 0 ||
	    schedules_read_expression(body, &expression, &err) < 0 ||
	    schedule_set_expression(api->schedules, &schedule, expression, &err) < 0)
		answer_error(request, &err);
	else
		schedules_answer_when_durable(api, request, schedule.id);
}

void schedules_history(struct http_request *request, void *context)
{
	struct api *api = context;
	autoschedule struct schedule_record schedule = {0};

	if (schedules_load(api, request, &schedule))
		schedules_answer_history(api, request, &schedule);
}
