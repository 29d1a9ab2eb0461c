/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the forms that handlers share. Each of them ends the request for its handler. */
#ifndef HEARTH_API_ANSWER_H
#define HEARTH_API_ANSWER_H

#include "api/api.h"
#include "base/buffer.h"

/* An error in the shape of hub-jobs-api 0.5, with WWW-Authenticate or Retry-After where they belong.
 * Internal errors are logged, and the caller learns only the request id. */
void answer_error(struct http_request *request, const struct error *err);
void answer_add_error_headers(struct http_request *request, const struct error *err);
void answer_fail(struct http_request *request, enum error_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* JSON that was written as text. */
void answer_json(struct http_request *request, int status, const struct buffer *json);

/* For calls that change something: the answer is sent once the turn's changes are on disk. After
 * that nothing can fail any more, and so no 5xx follows a commit. Takes what is in `json`. */
void answer_when_durable(struct api *api, struct http_request *request, struct buffer *json);
void answer_status_when_durable(struct api *api, struct http_request *request, int status, struct buffer *json);
void answer_value_when_durable(struct api *api, struct http_request *request, int status, json_t *take_value);

/* A stream of server-sent events: the headers of hub-jobs-api 0.8. */
struct http_stream *answer_events(struct http_request *request,
				  const struct http_stream_source *source);

#endif
