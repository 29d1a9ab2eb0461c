/* SPDX-License-Identifier: Apache-2.0 */
/* Answers. They are handed to libmicrohttpd at once; when that happens in a later turn than the
 * request came in, the connection is resumed and served at the end of this turn. */
#include "net/http_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

void http_add_header(struct http_request *request, const char *name, const char *value)
{
	struct http_answer_header *header = xcalloc(1, sizeof(*header));

	header->name = xstrdup(name);
	header->value = xstrdup(value);
	/* A line break would end the header and begin another one. */
	for (char *p = header->value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	header->next = request->answer_headers;
	request->answer_headers = header;
}

static void put_headers(struct http_request *request, struct MHD_Response *response)
{
	for (const struct http_answer_header *h = request->answer_headers; h; h = h->next)
		(void)MHD_add_response_header(response, h->name, h->value);
	(void)MHD_add_response_header(response, "X-Request-Id", request->id);
}

void http_respond_queue(struct http_request *request, int status, struct MHD_Response *response)
{
	struct http_connection *connection = request->connection;

	if (request->phase == PHASE_ANSWERED || request->phase == PHASE_STREAMING)
		BUG("a request was answered twice");
	if (!connection) {
		MHD_destroy_response(response);
		http_request_free(request);
		return;
	}
	request->phase = request->stream ? PHASE_STREAMING : PHASE_ANSWERED;
	put_headers(request, response);
	if (MHD_queue_response(connection->mhd, (unsigned)status, response) != MHD_YES)
		BUG("an answer was refused by libmicrohttpd");
	MHD_destroy_response(response);
	if (request->server->options.after)
		request->server->options.after(request, status,
		                               clock_monotonic_us() - request->begin_us,
		                               request->server->context);
	http_connection_resume(connection);
}

static void respond(struct http_request *request, int status, const char *content_type, void *body,
                    size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, body, mode);

	if (!response)
		BUG("out of memory");
	if (content_type)
		(void)MHD_add_response_header(response, "Content-Type", content_type);
	http_respond_queue(request, status, response);
}

void http_respond(struct http_request *request, int status, const char *content_type,
                  const void *body, size_t len)
{
	respond(request, status, content_type, (void *)body, len, MHD_RESPMEM_MUST_COPY);
}

void http_respond_file(struct http_request *request, int status, const char *content_type,
                       int take_fd, int64_t offset, int64_t length)
{
	struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
	        (uint64_t)length, take_fd, (uint64_t)offset);

	if (!response)
		BUG("out of memory");
	if (content_type)
		(void)MHD_add_response_header(response, "Content-Type", content_type);
	http_respond_queue(request, status, response);
}

void http_respond_json(struct http_request *request, int status, json_t *take_body)
{
	char *text = json_to_text(take_body);

	json_decref(take_body);
	respond(request, status, "application/json; charset=utf-8", text, strlen(text),
	        MHD_RESPMEM_MUST_FREE);
}

void http_respond_error_as(struct http_request *request, int status, const struct error *err)
{
	autobuffer struct buffer body = BUFFER_INIT(8L * ERROR_TEXT_SIZE);
	char line[ERROR_TEXT_SIZE];
	size_t len = 0;

	/* ASCII, one line (hub-jobs-api 0.5): one '?' for each character beyond that. */
	for (const char *p = err->text; *p; p++)
		if (((unsigned char)*p & 0xc0) != 0x80)
			line[len++] = *p >= 0x20 && *p < 0x7f ? *p : '?';
	line[len] = '\0';
	(void)buffer_add_text(&body, "{\"error\":\"");
	(void)json_escape(&body, err->text, strlen(err->text));
	(void)buffer_add_text(&body, "\"}");
	http_add_header(request, "X-Error-Message", line);
	http_respond(request, status, "application/json; charset=utf-8", buffer_text(&body),
	             body.len);
}

void http_respond_error(struct http_request *request, const struct error *err)
{
	http_respond_error_as(request, error_http_status(err->code), err);
}
