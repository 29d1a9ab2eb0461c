/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP client of the loop: libcurl's multi-socket interface. For whoami of an upstream Hub and, in
 * later issues, webhooks. */
#ifndef HEARTH_NET_HTTP_CLIENT_H
#define HEARTH_NET_HTTP_CLIENT_H

#include "base/error.h"
#include "net/loop.h"

#include <stddef.h>

struct http_client;
struct http_client_request {
	const char *method; /* "GET" */
	const char *url;    /* http and https only; redirects are not followed */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const void *body;
	size_t body_len;
	size_t max_response; /* bytes; more is an error */
	int64_t timeout_ms;
};
/* status 0: no answer, `err` says why. `body` is borrowed for the call. */
typedef void http_client_fn(void *arg, int status, const char *body, size_t len,
			    const struct error *err);

struct http_client *http_client_new(struct loop *loop);
void http_client_free(struct http_client *client);
void http_client_send(struct http_client *client, const struct http_client_request *request,
		      http_client_fn *fn, void *arg);

#endif
