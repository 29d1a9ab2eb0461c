/* SPDX-License-Identifier: Apache-2.0 */
/* One job: inspect, cancel, duplicate, labels, and the question who may do what with it. */
#include "api/jobs.h"

#include "api/access.h"
#include "api/handlers.h"
#include "api/job_extras.h"
#include "api/job_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/volumes.h"

#include <string.h>

bool jobs_load(struct api *api, struct http_request *request, struct job_record *ret)
{
	const struct access *access = access_of(request);
	const char *id = http_param(request, "id");

	if (id_is_valid(id) && jobs_find(api->db, id, ret)) {
		if (strcmp(ret->namespace_id, access->ns.id) == 0)
			return true;
		job_record_clear(ret);
	}
	answer_fail(request, E_NOT_FOUND, "Job not found");
	return false;
}

void jobs_render(struct api *api, struct http_request *request, const struct job_record *job,
                 struct buffer *ret)
{
	char message[JOB_STATUS_MESSAGE_SIZE];
	autojson json_t *extras = job_extras(api, job);
	const struct job_json_context context = {
	        .base_url = http_base_url(request, api->configuration->public_url),
	        .now_ms = clock_now_ms(),
	        .db = api->db,
	        .extras = extras,
	};

	if (job_json_write(ret, job, job_status_message(api->jobs, job, message), &context) < 0)
		BUG("job %s does not fit into its buffer", job->id);
}

void jobs_answer_when_durable(struct api *api, struct http_request *request, const char *id)
{
	autojob struct job_record job = {0};
	autobuffer struct buffer json = BUFFER_INIT(JOBS_OBJECT_MAX);

	if (!jobs_find(api->db, id, &job))
		BUG("job %s is gone in the turn that changed it", id);
	jobs_render(api, request, &job, &json);
	access_set_subject(request, id);
	answer_when_durable(api, request, &json);
}

void jobs_inspect(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	autobuffer struct buffer json = BUFFER_INIT(JOBS_OBJECT_MAX);

	if (!jobs_load(api, request, &job))
		return;
	jobs_render(api, request, &job, &json);
	answer_json(request, 200, &json);
}

void jobs_cancel(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};

	if (!jobs_load(api, request, &job))
		return;
	job_cancel(api->jobs, job.id, NULL, NULL);
	jobs_answer_when_durable(api, request, job.id);
}

struct jobs_caller {
	struct api *api;
	const struct caller *caller;
};

static enum account_role jobs_role_of_caller(void *arg, const struct account *ns)
{
	const struct jobs_caller *who = arg;

	return caller_role(who->api, who->caller, ns);
}

int jobs_check_volumes(struct api *api, const struct http_request *request, const json_t *body,
                       struct error *err)
{
	struct jobs_caller who = {api, &access_of(request)->caller};

	return job_volumes_check(api->db, api->configuration, body, jobs_role_of_caller, &who, err);
}

void jobs_duplicate(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	if (!jobs_load(api, request, &job))
		return;
	if (jobs_check_volumes(api, request, job.spec, &err) < 0 ||
	    job_duplicate(api->jobs, &job, &access_of(request)->caller.user, id, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	jobs_answer_when_durable(api, request, id);
}

int jobs_read_labels(struct http_request *request, json_t **ret, struct error *err)
{
	autojson json_t *body = NULL;
	json_t *labels;

	if (http_body_json(request, &body, err) < 0)
		return -1;
	labels = json_object_get(body, "labels");
	if (!labels)
		return fail(err, E_INVALID,
		            "labels is required: an object of strings ({} removes all labels)");
	return job_labels_parse(labels, ret, err);
}

void jobs_put_labels(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	autojson json_t *labels = NULL;
	struct error err = ERROR_INIT;

	if (!jobs_load(api, request, &job))
		return;
	if (jobs_read_labels(request, &labels, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (job_relabel(api->jobs, &job, labels, &access_of(request)->caller.user, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	jobs_answer_when_durable(api, request, job.id);
}

void jobs_auth_check(struct http_request *request, void *context)
{
	const struct access *access = access_of(request);

	http_respond_json(request, 200,
	                  json_pack("{s:{s:s,s:s},s:{s:s,s:s}}", "namespace", "id", access->ns.id,
	                            "name", access->ns.name, "user", "id", access->caller.user.id,
	                            "name", access->caller.user.name));
}

void jobs_auth_check_job(struct http_request *request, void *context)
{
	autojob struct job_record job = {0};

	if (jobs_load(context, request, &job))
		jobs_auth_check(request, context);
}
