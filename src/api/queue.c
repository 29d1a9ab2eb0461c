/* SPDX-License-Identifier: Apache-2.0 */
/* The queue as everyone may see it, and what owners may do with their jobs in it. Nothing of what a
 * job is leaves here: whoever has a token sees the rows of others too. */
#include "api/answer.h"
#include "api/handlers.h"
#include "api/job_extras.h"
#include "api/jobs.h"
#include "api/query_number.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/queue.h"

#include <string.h>

#define QUEUE_DEFAULT 100

static const char *const hold_names[] = {
        [HOLD_NONE] = NULL,    [HOLD_OWNER] = "owner", [HOLD_ADMIN] = "admin",
        [HOLD_AFTER] = "jobs", [HOLD_ARRAY] = "array",
};

/* What the scheduler cannot say, without saying more than everyone may know. */
static const char *queue_why(const struct queue_row *row)
{
	switch (row->view->entry->hold) {
	case HOLD_OWNER:
		return "Held by its owner";
	case HOLD_ADMIN:
		return "Held by an admin";
	case HOLD_AFTER:
		return "Waiting for other jobs";
	case HOLD_ARRAY:
		return row->is_array ? "An array; its elements wait on their own"
		                     : "Kept back by its array";
	default:
		return row->view->why;
	}
}

/* The part that `hearth inspect` shows as well. */
static json_t *queue_place(const struct scheduler_view *view)
{
	const char *hold = hold_names[view->entry->hold];
	char start[CLOCK_TEXT_SIZE];
	json_t *place =
	        json_pack("{s:o, s:i, s:s?}", "position",
	                  view->position >= 0 ? json_integer(view->position + 1) : json_null(),
	                  "priority", view->entry->priority, "hold", hold);

	if (view->start_ms > 0 && !hold) {
		json_object_set_new(place, "estimatedStart",
		                    json_string(clock_format_iso(view->start_ms, start)));
		json_object_set_new(place, "isPromised", json_boolean(view->is_promised));
	}
	return place;
}

static void queue_add_row(void *arg, const struct queue_row *row)
{
	const struct scheduler_entry *entry = row->view->entry;
	int64_t now_ms = clock_now_ms();
	json_t *item = queue_place(row->view);

	json_object_set_new(item, "id", json_string(entry->job_id));
	json_object_set_new(item, "namespace", json_string(row->namespace_name));
	json_object_set_new(item, "user", json_string(row->user_name));
	json_object_set_new(item, "flavor", json_string(entry->flavor->name));
	json_object_set_new(
	        item, "ageSeconds",
	        json_integer(now_ms > entry->arrived_ms ? (now_ms - entry->arrived_ms) / 1000 : 0));
	json_object_set_new(item, "message", json_string(queue_why(row)));
	json_array_append_new(arg, item);
}

static int queue_read_limit(struct http_request *request, size_t *ret, struct error *err)
{
	int64_t limit = QUEUE_DEFAULT;

	if (!query_number(request, "limit", 1, QUEUE_ROWS_MAX, &limit))
		return fail(err, E_INVALID, "limit must be a whole number from 1 to %d",
		            QUEUE_ROWS_MAX);
	*ret = (size_t)limit;
	return 0;
}

void queue_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;
	json_t *rows;
	size_t limit = 0;

	if (queue_read_limit(request, &limit, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	rows = json_array();
	queue_each(api->jobs, limit, queue_add_row, rows);
	http_respond_json(request, 200, rows);
}

void queue_extras(struct api *api, const struct job_record *job, json_t *extras)
{
	struct scheduler_view view;

	if (queue_find(api->jobs, job->id, &view))
		json_object_set_new(extras, "queue", queue_place(&view));
}

static void queue_change(struct http_request *request, struct api *api,
                         int (*change)(struct job_service *, const char *, bool, struct error *))
{
	autojob struct job_record job = {0};
	struct error err = ERROR_INIT;

	if (!jobs_load(api, request, &job))
		return;
	if (change(api->jobs, job.id, false, &err) < 0)
		answer_error(request, &err);
	else
		jobs_answer_when_durable(api, request, job.id);
}

void queue_hold_job(struct http_request *request, void *context)
{
	queue_change(request, context, queue_hold);
}

void queue_release_job(struct http_request *request, void *context)
{
	queue_change(request, context, queue_release);
}
