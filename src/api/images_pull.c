/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /api/images/pull: lines of JSON while the image comes. Only the newest progress is kept for
 * a slow reader; the last line says how it ended. The status is 200 once the wish is understood,
 * since what a registry says comes later.
 */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/images.h"
#include "api/monitoring.h"
#include "base/json.h"
#include "base/memory.h"

#include <string.h>

#define QUIET_MS 15000 /* an empty line after that long */
#define LINES_MAX ((size_t)4 * 1024 * 1024)

struct pull_follower {
	struct api *api;
	struct image_wait *wait; /* NULL: over */
	struct loop_timer *timer;
	struct http_stream *http;
	struct buffer pending; /* at most one line beyond what the client has begun to take */
	char *progress;        /* the newest, not yet in `pending` */
	char *last;            /* the line that ends it */
};

static char *pull_line(json_t *take_object)
{
	char *text = json_to_text(take_object);
	char *line = xasprintf("%s\n", text);

	json_decref(take_object);
	free(text);
	return line;
}

static void pull_wake(struct pull_follower *follower)
{
	if (follower->http)
		http_stream_wake(follower->http);
}

static void pull_progress(void *arg, const char *message)
{
	struct pull_follower *follower = arg;

	free(follower->progress);
	follower->progress =
	        pull_line(json_pack("{s:s,s:s}", "status", "progress", "message", message));
	pull_wake(follower);
}

static void pull_done(void *arg, const json_t *record, const struct error *err)
{
	struct pull_follower *follower = arg;

	follower->wait = NULL;
	if (record)
		follower->last = pull_line(json_pack("{s:s,s:o}", "status", "done", "image",
		                                     images_render(record, 0)));
	else
		follower->last =
		        pull_line(json_pack("{s:s,s:s,s:s}", "status", "error", "code",
		                            error_code_name(err->code), "error", err->text));
	pull_wake(follower);
}

static void pull_tick(void *arg)
{
	struct pull_follower *follower = arg;

	if (follower->pending.len == 0)
		(void)buffer_add_byte(&follower->pending, '\n');
	pull_wake(follower);
}

/* Move the next line over once the one before is gone. */
static void pull_refill(struct pull_follower *follower)
{
	char **line = follower->progress ? &follower->progress : &follower->last;

	if (follower->pending.len > 0 || !*line)
		return;
	if (buffer_add_text(&follower->pending, *line) < 0)
		BUG("a line of a pull does not fit into its buffer");
	free(*line);
	*line = NULL;
}

static ssize_t pull_fill(void *arg, char *data, size_t max)
{
	struct pull_follower *follower = arg;
	size_t len;

	pull_refill(follower);
	len = follower->pending.len < max ? follower->pending.len : max;
	if (len == 0)
		return follower->wait ? 0 : -1;
	memcpy(data, follower->pending.data, len);
	buffer_drop(&follower->pending, len);
	loop_timer_start(follower->timer, QUIET_MS, QUIET_MS);
	return (ssize_t)len;
}

static void pull_free(void *arg)
{
	struct pull_follower *follower = arg;

	if (follower->wait)
		image_wait_cancel(follower->wait);
	monitoring_count_stream(follower->api->metrics, -1);
	loop_timer_free(follower->timer);
	buffer_clear(&follower->pending);
	free(follower->progress);
	free(follower->last);
	free(follower);
}

struct pull_wish {
	const char *reference, *architecture;
	bool always;
};

static int pull_read(struct http_request *request, json_t **ret_body, struct pull_wish *ret,
                     char reference[REFERENCE_MAX], struct error *err)
{
	static const struct json_field fields[] = {
	        {"reference", JSON_FIELD_STRING, false, offsetof(struct pull_wish, reference)},
	        {"architecture", JSON_FIELD_STRING, false,
	         offsetof(struct pull_wish, architecture)},
	        {"always", JSON_FIELD_BOOLEAN, false, offsetof(struct pull_wish, always)},
	        {0}};

	ret->always = true;
	if (http_body_json(request, ret_body, err) < 0 ||
	    json_read_fields(*ret_body, fields, ret, "request body", err) < 0)
		return -1;
	if (!ret->architecture)
		ret->architecture = "amd64";
	if (strcmp(ret->architecture, "amd64") != 0 && strcmp(ret->architecture, "arm64") != 0)
		return fail(err, E_INVALID, "architecture must be amd64 or arm64");
	return images_full_reference(
	        ret->reference ? ret->reference : http_query(request, "reference"), reference, err);
}

static void pull_start(struct http_request *request, struct api *api, const char *reference,
                       const struct pull_wish *wish)
{
	struct pull_follower *follower = xcalloc(1, sizeof(*follower));
	const struct image_wait_events events = {
	        .progress = pull_progress, .done = pull_done, .arg = follower};

	follower->api = api;
	follower->pending = BUFFER_INIT(LINES_MAX);
	follower->wait = image_service_want(api->images, reference, wish->architecture,
	                                    wish->always, &events);
	follower->timer = loop_timer_new(api->loop, pull_tick, follower);
	loop_timer_start(follower->timer, QUIET_MS, QUIET_MS);
	monitoring_count_stream(api->metrics, 1);
	http_add_header(request, "Cache-Control", "no-cache");
	follower->http =
	        http_respond_stream(request, 200, "application/x-ndjson",
	                            &(struct http_stream_source){
	                                    .fill = pull_fill, .done = pull_free, .arg = follower});
}

void images_pull(struct http_request *request, void *context)
{
	autojson json_t *body = NULL;
	struct pull_wish wish = {0};
	struct error err = ERROR_INIT;
	char reference[REFERENCE_MAX];

	if (pull_read(request, &body, &wish, reference, &err) < 0)
		answer_error(request, &err);
	else
		pull_start(request, context, reference, &wish);
}
