/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request, as libmicrohttpd calls for it: address line, head, body, handler, end. */
#include "net/http_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>

/* "Root=1-<seconds>-<24 hex>", as the clients know it from the Hub. */
static void make_id(char id[48])
{
	static uint64_t prefix, counter;

	if (prefix == 0)
		random_fill(&prefix, sizeof(prefix));
	(void)snprintf(id, 48, "Root=1-%08x-%016llx%08x", (unsigned)(clock_now_ms() / 1000),
	               (unsigned long long)prefix, (unsigned)++counter);
}

/* "http://host/path" is what a client sends that takes us for a proxy. */
static const char *path_of(const char *target)
{
	const char *scheme_end = strstr(target, "://");

	if (*target == '/' || !scheme_end || memchr(target, '/', (size_t)(scheme_end - target)))
		return target;
	return scheme_end + 3 + strcspn(scheme_end + 3, "/?");
}

void *http_request_begin(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct http_connection *connection = http_connection_of(mhd);
	struct http_request *request = xcalloc(1, sizeof(*request));

	if (!target)
		target = "";
	request->server = cls;
	request->connection = connection;
	request->target = xstrdup(target);
	request->target_at = target;
	request->target_len = strlen(target);
	request->path = path_of(request->target);
	request->query = "";
	char *question = strchr(request->target, '?');
	if (question) {
		*question = '\0';
		request->query = question + 1;
	}
	request->body_fd = -1;
	request->begin_us = clock_monotonic_us();
	make_id(request->id);
	connection->request = request;
	/* On a fresh connection the time began with it. */
	if (connection->bytes_at_rest != HTTP_NEVER_SERVED)
		connection->waiting_since_ms = clock_monotonic_ms();
	return request;
}

void http_request_free(struct http_request *request)
{
	while (request->answer_headers) {
		struct http_answer_header *header = take_ptr(&request->answer_headers);

		request->answer_headers = header->next;
		free(header->name);
		free(header->value);
		free(header);
	}
	while (request->texts) {
		struct http_text *text = take_ptr(&request->texts);

		request->texts = text->next;
		free(text);
	}
	if (request->user_data && request->free_user_data)
		request->free_user_data(request->user_data);
	router_match_clear(&request->match);
	http_body_clear(request);
	free(request->target);
	free(request);
}

static void refuse(struct http_request *request)
{
	int status = request->refusal_status ? request->refusal_status
	                                     : error_http_status(request->refusal.code);

	http_respond_error_as(request, status, &request->refusal);
}

static void take_head(struct http_request *request, const char *method, const char *version)
{
	bool is_fatal;

	request->phase = PHASE_BODY;
	if (http_head_take(request, method, version, &request->refusal_status, &is_fatal,
	                   &request->refusal) == 0)
		return;
	if (is_fatal) {
		request->is_closing = true;
		http_linger_prepare(request->connection);
		refuse(request);
	}
}

/* libmicrohttpd takes no answer in the middle of a body. */
static enum MHD_Result refuse_midway(struct http_request *request)
{
	http_linger_prepare(request->connection);
	http_linger_answer(request->connection, &request->refusal, request->id,
	                   error_http_status(request->refusal.code));
	request->phase = PHASE_ANSWERED;
	return MHD_NO;
}

/* What http_head.c reads although it is refused: uploads up to their limit. */
static bool is_upload(const struct http_request *request)
{
	const struct http_route *route = request->match.route;

	return route && route->spool && route->max_body > 0;
}

static enum MHD_Result take_piece(struct http_request *request, const char *data, size_t len)
{
	if (request->refusal.code != E_NONE)
		request->body_bytes += (int64_t)len;
	else if (http_body_take(request, data, len, &request->refusal) < 0 && !is_upload(request))
		return refuse_midway(request);
	if (request->refusal.code == E_NONE || !is_upload(request))
		return MHD_YES;
	http_body_clear(request);
	return request->body_bytes > request->match.route->max_body ? refuse_midway(request)
	                                                            : MHD_YES;
}

static enum MHD_Result wait_for_answer(struct http_request *request)
{
	if (request->phase == PHASE_HANDLING)
		http_connection_suspend(request->connection);
	return MHD_YES;
}

static enum MHD_Result run_handler(struct http_request *request)
{
	const struct http_server *server = request->server;
	const struct http_route *route = request->match.route;

	request->phase = PHASE_HANDLING;
	if (request->refusal.code == E_NONE)
		(void)http_body_end(request, &request->refusal);
	free(take_ptr(&request->spool_block));
	if (request->refusal.code != E_NONE) {
		refuse(request);
		return MHD_YES;
	}
	if (!server->options.before || server->options.before(request, route, server->context))
		route->handler(request, server->context);
	return wait_for_answer(request);
}

enum MHD_Result http_request_step(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **request_context)
{
	struct http_request *request = *request_context;
	enum MHD_Result result = MHD_YES;

	request->is_inside = true;
	if (request->phase == PHASE_HEAD)
		take_head(request, method, version);
	else if (request->phase == PHASE_BODY && *data_len > 0)
		result = take_piece(request, data, *data_len);
	else if (request->phase == PHASE_BODY)
		result = run_handler(request);
	else if (request->phase == PHASE_HANDLING && request->connection->is_gone)
		result = MHD_NO;
	else
		result = wait_for_answer(request);
	if (data)
		*data_len = 0;
	request->is_inside = false;
	return result;
}

void http_request_completed(void *cls, struct MHD_Connection *mhd, void **request_context,
                            enum MHD_RequestTerminationCode code)
{
	struct http_request *request = *request_context;

	*request_context = NULL;
	if (!request)
		return;
	struct http_connection *connection = request->connection;
	if (connection) {
		connection->request = NULL;
		connection->waiting_since_ms = clock_monotonic_ms();
		connection->bytes_at_rest = 0;
	}
	request->connection = NULL;
	if (request->phase == PHASE_STREAMING)
		http_stream_end(take_ptr(&request->stream));
	if (request->phase == PHASE_HANDLING) {
		/* Without a cancel function the handler will still answer, to nobody. */
		if (!request->cancel)
			return;
		request->cancel(request->cancel_arg);
	}
	http_request_free(request);
}

void http_on_cancel(struct http_request *request, void (*fn)(void *arg), void *arg)
{
	request->cancel = fn;
	request->cancel_arg = arg;
}
