/* SPDX-License-Identifier: Apache-2.0 */
/* GET …/logs: the log stream of job/, handed to the HTTP server piece by piece as the client takes
 * it. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/monitoring.h"
#include "api/query_number.h"
#include "base/memory.h"
#include "job/log_stream.h"

#include <stdlib.h>
#include <string.h>

struct log_follower {
	struct api *api;
	struct log_stream *log;
	struct http_stream *http;
	bool stops; /* with what is stored now (follow=false) */
};

static void logs_wake(void *arg)
{
	struct log_follower *follower = arg;

	if (follower->http)
		http_stream_wake(follower->http);
}

static ssize_t logs_fill(void *arg, char *data, size_t max)
{
	struct log_follower *follower = arg;

	ssize_t n = log_stream_fill(follower->log, data, max);

	return n == 0 && follower->stops ? -1 : n;
}

static void logs_done(void *arg)
{
	struct log_follower *follower = arg;

	monitoring_count_stream(follower->api->metrics, -1);
	log_stream_free(follower->log);
	free(follower);
}

static int logs_read_tail(const struct http_request *request, int64_t *ret, struct error *err)
{
	*ret = -1;
	if (!query_number(request, "tail", 0, INT64_MAX, ret))
		return fail(err, E_INVALID,
		            "tail: must be a number of lines, 0 or more, got \"%.64s\"",
		            http_query(request, "tail"));
	return 0;
}

/* An extension for `hearth logs`: other clients tell the end of the stored lines by a silence. */
static int logs_read_follow(const struct http_request *request, bool *ret_stops, struct error *err)
{
	const char *text = http_query(request, "follow");

	*ret_stops = text && strcmp(text, "false") == 0;
	if (text && !*ret_stops && strcmp(text, "true") != 0)
		return fail(err, E_INVALID, "follow: must be true or false, got \"%.64s\"", text);
	return 0;
}

void logs_follow(struct http_request *request, void *context)
{
	struct api *api = context;
	autojob struct job_record job = {0};
	struct error err = ERROR_INIT;
	struct log_follower *follower;
	int64_t tail;
	bool stops;

	if (logs_read_tail(request, &tail, &err) < 0 ||
	    logs_read_follow(request, &stops, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (!jobs_load(api, request, &job))
		return;
	follower = xcalloc(1, sizeof(*follower));
	follower->api = api;
	follower->stops = stops;
	follower->log = log_stream_new(api->jobs, job.id, tail, logs_wake, follower);
	monitoring_count_stream(api->metrics, 1);
	follower->http = answer_events(request, &(struct http_stream_source){
	                                                .fill = logs_fill,
	                                                .done = logs_done,
	                                                .arg = follower,
	                                        });
}
