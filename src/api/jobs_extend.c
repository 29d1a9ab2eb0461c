/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/extend: more time for a job that waits or runs; or a limit counted from its start. */
#include "api/handlers.h"
#include "api/jobs.h"
#include "base/json.h"
#include "job/extend.h"

static int extend_read_seconds(const json_t *value, const char *name, int64_t *ret,
                               struct error *err)
{
	if (!json_is_integer(value) || json_integer_value(value) < 1)
		return fail(err, E_INVALID, "%s must be a whole number of seconds greater than 0",
		            name);
	*ret = json_integer_value(value);
	return 0;
}

/* *ret_name: the member that was given. */
static int extend_read_body(struct http_request *request, int64_t old_s, int64_t *ret,
                            const char **ret_name, struct error *err)
{
	autojson json_t *body = NULL;
	const json_t *more, *total;

	if (http_body_json(request, &body, err) < 0)
		return -1;
	more = json_object_get(body, "seconds");
	total = json_object_get(body, "timeoutSeconds");
	if (!more == !total)
		return fail(err, E_INVALID,
		            "Send either seconds (to add to the time limit) or timeoutSeconds (a "
		            "new limit, counted from the start of the job)");
	*ret_name = more ? "seconds" : "timeoutSeconds";
	if (extend_read_seconds(more ? more : total, *ret_name, ret, err) < 0)
		return -1;
	if (more && __builtin_add_overflow(*ret, old_s, ret))
		*ret = INT64_MAX;
	return 0;
}

void jobs_extend(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct error err = ERROR_INIT;
	const char *name = "";
	int64_t timeout_s = 0;

	if (!jobs_load(api, request, &job))
		return;
	if (extend_read_body(request, job.timeout_s, &timeout_s, &name, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (job_set_timeout(api->jobs, job.id, timeout_s, &err) < 0) {
		if (err.code == E_INVALID)
			(void)error_prefix(&err, "%s", name);
		answer_error(request, &err);
		return;
	}
	jobs_answer_when_durable(api, request, job.id);
}
