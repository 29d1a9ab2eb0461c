/* SPDX-License-Identifier: Apache-2.0 */
/* What an admin does with the queue: any job, and the order of all. */
#include "api/access.h"
#include "api/admin.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/json.h"
#include "job/queue.h"

#include <string.h>

static void admin_queue_answer(struct api *api, struct http_request *request)
{
	autojob struct job_record job = {0};
	static const char *const holders[] = {NULL, "owner", "admin"};
	const char *id = http_param(request, "id");

	if (!jobs_find(api->db, id, &job))
		BUG("job %s is gone in the turn that changed it", id);
	admin_answer(api, request, id,
	             json_pack("{s:s, s:s, s:i, s:s?, s:I}", "id", job.id, "namespace",
	                       job.namespace_name, "priority", job.priority, "hold",
	                       holders[job.hold], "rank", (json_int_t)job.rank));
}

void admin_queue_hold(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;

	if (queue_hold(api->jobs, http_param(request, "id"), true, &err) < 0)
		answer_error(request, &err);
	else
		admin_queue_answer(api, request);
}

void admin_queue_release(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;

	if (queue_release(api->jobs, http_param(request, "id"), true, &err) < 0)
		answer_error(request, &err);
	else
		admin_queue_answer(api, request);
}

static void admin_queue_move(struct http_request *request, struct api *api, enum queue_end end)
{
	struct error err = ERROR_INIT;

	if (queue_move(api->jobs, http_param(request, "id"), end, &err) < 0)
		answer_error(request, &err);
	else
		admin_queue_answer(api, request);
}

void admin_queue_first(struct http_request *request, void *context)
{
	admin_queue_move(request, context, QUEUE_FIRST);
}

void admin_queue_last(struct http_request *request, void *context)
{
	admin_queue_move(request, context, QUEUE_LAST);
}

void admin_queue_normal(struct http_request *request, void *context)
{
	admin_queue_move(request, context, QUEUE_NORMAL);
}

void admin_queue_priority(struct http_request *request, void *context)
{
	struct api *api = context;
	struct {
		int64_t priority;
	} wish = {0};
	static const struct json_field fields[] = {{"priority", JSON_FIELD_INTEGER, true, 0}, {0}};
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;

	if (admin_read_body(request, fields, &wish, &body, &err) < 0 ||
	    queue_set_priority(api->jobs, http_param(request, "id"),
	                       wish.priority < -1000 || wish.priority > 1000 ? 1000
	                                                                     : (int)wish.priority,
	                       &err) < 0)
		answer_error(request, &err);
	else
		admin_queue_answer(api, request);
}
