/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET …/events: the state of the job at once, then one event for each committed change, then a
 * clean end after the terminal one (hub-jobs-api 2.9). Changes that a slow client has not taken yet
 * wait here up to PENDING_MAX; beyond that the ones in between are left out, never the last.
 */
#include "api/answer.h"
#include "api/handlers.h"
#include "api/job_json.h"
#include "api/jobs.h"
#include "api/monitoring.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <string.h>

#define KEEP_ALIVE_MS 30000
#define PENDING_MAX ((size_t)32 * 1024)
#define EVENT_MAX ((size_t)64 * 1024)

struct events_follower {
	struct api *api;
	char job_id[ID_SIZE];
	struct job_watch *watch;
	struct loop_timer *timer;
	struct http_stream *http;
	struct buffer pending;
	bool is_behind; /* a change was left out: look again when there is room */
	bool is_over;
};

static void events_stream_write(struct events_follower *follower, const struct job_record *job)
{
	char now[CLOCK_TEXT_SIZE], message[JOB_STATUS_MESSAGE_SIZE];
	struct buffer *out = &follower->pending;
	char *labels = job->labels ? json_to_text(job->labels) : xstrdup("{}");
	int failed = buffer_printf(out, "event: status\ndata: {\"id\":\"%s\",\"status\":", job->id);

	failed |= job_json_write_status(out, job,
	                                job_status_message(follower->api->jobs, job, message));
	failed |= buffer_printf(out, ",\"labels\":%s,\"timestamp\":\"%s\"}\n\n", labels,
	                        clock_format_iso(job->updated_ms, now));
	free(labels);
	if (failed)
		BUG("an event of job %s does not fit into its buffer", job->id);
}

static void events_stream_look(struct events_follower *follower)
{
	autojob struct job_record job = {0};

	follower->is_behind = false;
	if (!jobs_find(follower->api->db, follower->job_id, &job)) {
		follower->is_over = true;
		return;
	}
	events_stream_write(follower, &job);
	follower->is_over = stage_is_terminal(job.stage);
}

static void events_stream_job_changed(void *arg)
{
	struct events_follower *follower = arg;

	if (follower->is_over)
		return;
	if (follower->pending.len > PENDING_MAX)
		follower->is_behind = true;
	else
		events_stream_look(follower);
	http_stream_wake(follower->http);
}

static void events_stream_tick(void *arg)
{
	struct events_follower *follower = arg;

	if (follower->pending.len == 0)
		(void)buffer_add_text(&follower->pending, ": keep-alive\n\n");
	http_stream_wake(follower->http);
}

static ssize_t events_stream_fill(void *arg, char *data, size_t max)
{
	struct events_follower *follower = arg;
	size_t len;

	if (follower->pending.len == 0 && follower->is_behind)
		events_stream_look(follower);
	len = follower->pending.len < max ? follower->pending.len : max;
	if (len == 0)
		return follower->is_over ? -1 : 0;
	memcpy(data, follower->pending.data, len);
	buffer_drop(&follower->pending, len);
	loop_timer_start(follower->timer, KEEP_ALIVE_MS, KEEP_ALIVE_MS);
	return (ssize_t)len;
}

static void events_stream_done(void *arg)
{
	struct events_follower *follower = arg;

	monitoring_count_stream(follower->api->metrics, -1);
	job_unwatch(follower->watch);
	loop_timer_free(follower->timer);
	buffer_clear(&follower->pending);
	free(follower);
}

void events_stream_follow(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct events_follower *follower;

	if (!jobs_load(api, request, &job))
		return;
	follower = xcalloc(1, sizeof(*follower));
	follower->api = api;
	follower->pending = BUFFER_INIT(PENDING_MAX + EVENT_MAX);
	memcpy(follower->job_id, job.id, ID_SIZE);
	events_stream_look(follower);
	follower->watch = job_watch(api->jobs, job.id, events_stream_job_changed, follower);
	follower->timer = loop_timer_new(api->loop, events_stream_tick, follower);
	loop_timer_start(follower->timer, KEEP_ALIVE_MS, KEEP_ALIVE_MS);
	monitoring_count_stream(api->metrics, 1);
	follower->http = answer_events(request, &(struct http_stream_source){
	                                                .fill = events_stream_fill,
	                                                .done = events_stream_done,
	                                                .arg = follower,
	                                        });
}
