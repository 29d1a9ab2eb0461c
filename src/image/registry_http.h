/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request to a registry, its token server or its storage: redirects are followed by hand,
 * so that credentials stay with the host they are for (S20) and every hop is judged (S21).
 */
#ifndef HEARTH_IMAGE_REGISTRY_HTTP_H
#define HEARTH_IMAGE_REGISTRY_HTTP_H

#include "base/buffer.h"
#include "base/configuration.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct registry_http; /* one connection pool */

/* `ca_file`: extra CA bundle or NULL. `is_plain`: http is spoken to hosts of [registry] sections.
 */
struct registry_http *registry_http_new(const struct configuration *configuration,
                                        const char *ca_file);
void registry_http_free(struct registry_http *http);

struct registry_exchange {
	/* The request. All borrowed. */
	const char *url;
	const char *accept;        /* NULL: none */
	const char *authorization; /* value of the header; NULL: none; for the host of `url` only */
	const char *form;          /* body of a POST; NULL: GET */
	bool is_head;
	int64_t range_start; /* bytes wanted from here on; 0: all */
	/* Takes the body of a 200 or 206 as it comes; non-zero aborts. NULL: it is kept in `body`.
	 */
	int (*sink)(void *arg, const struct registry_exchange *exchange, const void *data,
	            size_t len);
	void *arg;

	/* The answer. */
	long status;
	int64_t range_got;     /* first byte of a 206; 0 for a 200 */
	int64_t retry_after_s; /* -1: not said */
	struct buffer body;    /* of other answers at most 64 KiB */
	char *challenge;       /* WWW-Authenticate values, joined by commas; NULL: none */
	char digest[128];      /* Docker-Content-Digest; "" if not sent */
	char *location;        /* of a redirect */
	bool is_transient;     /* after a failure: worth another try */
	bool is_sink_error;    /* after a failure: the sink aborted */
};

#define REGISTRY_EXCHANGE(url_, max_)                                                              \
	((struct registry_exchange){.url = (url_), .body = BUFFER_INIT(max_), .retry_after_s = -1})
void registry_exchange_clear(struct registry_exchange *exchange);

/* Any status is an answer, also 404 and 500; only no answer at all is a failure. */
int registry_http_run(struct registry_http *http, struct registry_exchange *exchange,
                      struct error *err);

/* Is `url` at the same scheme, host and port as `other`? */
bool registry_http_same_origin(const char *url, const char *other);
/* Is the host[:port] of `url` one that an administrator named in a [registry] section? */
bool registry_http_is_configured(const struct configuration *configuration, const char *url);

#endif
