/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step of every handler. An answer that reports a change is held back until the change is
 * committed; the group commit at the end of the turn releases all of them together.
 */
#include "api/answer.h"

#include "api/access.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_S "5"

void answer_add_error_headers(struct http_request *request, const struct error *err)
{
	if (err->code == E_UNAUTHORIZED)
		http_add_header(request, "WWW-Authenticate", "Bearer realm=\"Hearth\"");
	if (err->code == E_BUSY || err->code == E_UNAVAILABLE)
		http_add_header(request, "Retry-After", RETRY_AFTER_S);
}

void answer_error(struct http_request *request, const struct error *err)
{
	struct error shown = *err;

	answer_add_error_headers(request, err);
	if (err->code == E_INTERNAL) {
		log_error("request %s: %s", http_request_id(request), err->text);
		snprintf(shown.text, sizeof(shown.text),
		         "Internal error; the server's log has the details of request %s",
		         http_request_id(request));
	}
	http_respond_error(request, &shown);
}

void answer_fail(struct http_request *request, enum error_code code, const char *fmt, ...)
{
	struct error err = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	answer_error(request, &err);
}

void answer_json(struct http_request *request, int status, const struct buffer *json)
{
	http_respond(request, status, "application/json; charset=utf-8", buffer_text(json),
	             json->len);
}

struct held_answer {
	struct http_request *request; /* NULL: the client left */
	struct buffer json;
	int status;
	char *audit; /* of a client that left: what to log, since nobody takes the answer */
};

static void answer_cancelled(void *arg)
{
	struct held_answer *held = arg;

	held->audit = access_audit_line(held->request);
	held->request = NULL;
}

static void answer_release(void *arg)
{
	struct held_answer *held = arg;

	if (held->request)
		answer_json(held->request, held->status, &held->json);
	else
		log_info("%s status=%d client=left", held->audit, held->status);
	buffer_clear(&held->json);
	free(held->audit);
	free(held);
}

void answer_status_when_durable(struct api *api, struct http_request *request, int status,
                                struct buffer *json)
{
	struct held_answer *held = xcalloc(1, sizeof(*held));

	held->request = request;
	held->status = status;
	held->json = *json;
	*json = BUFFER_INIT(json->max);
	http_on_cancel(request, answer_cancelled, held);
	database_after_commit(api->db, answer_release, held);
}

void answer_when_durable(struct api *api, struct http_request *request, struct buffer *json)
{
	answer_status_when_durable(api, request, 200, json);
}

void answer_value_when_durable(struct api *api, struct http_request *request, int status,
                               json_t *take_value)
{
	autofree char *text = json_to_text(take_value);
	struct buffer json = BUFFER_INIT(strlen(text) + 1);

	json_decref(take_value);
	(void)buffer_add_text(&json, text);
	answer_status_when_durable(api, request, status, &json);
}

struct http_stream *answer_events(struct http_request *request,
                                  const struct http_stream_source *source)
{
	http_add_header(request, "Cache-Control", "no-cache");
	http_add_header(request, "X-Accel-Buffering", "no"); /* nginx would collect lines */
	return http_respond_stream(request, 200, "text/event-stream", source);
}
