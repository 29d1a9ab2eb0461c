/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP client of the loop: libcurl's multi-socket interface. For whoami of an upstream Hub and for
 * webhooks. Connections are kept and used again inside one client; addresses are judged when a
 * connection is made, so requests with and without a guard need clients of their own. */
#ifndef HEARTH_NET_HTTP_CLIENT_H
#define HEARTH_NET_HTTP_CLIENT_H

#include "base/error.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct sockaddr;
struct http_client_request {
	const char *method;         /* "GET" */
	const char *url;            /* http and https only */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const char *const
	        *private_headers; /* not sent to another host after a redirect; may be NULL */
	const void *body;
	size_t body_len;
	size_t max_response; /* bytes; more is an error, or is cut off with `is_cut` */
	int64_t timeout_ms;  /* all redirects together */
	int max_redirects;   /* 301, 302, 307, 308: the same request again at the new place; 0: none
	                      */
	bool is_cut;
	/* Asked for the real address of every connection before it is made; NULL: all are fine. A
	 * guarded request goes past proxies of the environment, behind which nobody sees addresses.
	 */
	bool (*allows)(const struct sockaddr *address);
};
/* status 0: no answer, `err` says why: E_FORBIDDEN when the address was not allowed. `body` is
 * borrowed for the call. */
typedef void http_client_fn(void *arg, int status, const char *body, size_t len,
                            const struct error *err);
/* For http_client_fn: headers of the last answer ("Name: value" lines), and where it came from. */
const char *http_client_answer_headers(const struct http_client *client);
const char *http_client_answer_url(const struct http_client *client);

struct http_client *http_client_new(struct loop *loop);
void http_client_free(struct http_client *client);
void http_client_send(struct http_client *client, const struct http_client_request *request,
                      http_client_fn *fn, void *arg);

#endif
