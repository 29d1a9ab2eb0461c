/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the row of a route table for a method and a path. Knows nothing of connections. */
#ifndef HEARTH_NET_ROUTER_H
#define HEARTH_NET_ROUTER_H

#include "base/buffer.h"
#include "net/http_server.h"

#define ROUTER_PARAMS_MAX 6

struct router_match {
	const struct http_route *route;
	size_t n_params;
	struct {
		const char *name; /* in the pattern, not ended */
		size_t name_len;
		const char *value; /* decoded, in `text` */
	} params[ROUTER_PARAMS_MAX];
	char *text; /* owned */
};

enum router_result {
	ROUTER_FOUND,
	ROUTER_NO_PATH,
	ROUTER_NO_METHOD, /* the path exists; router_allow() says with which methods */
	ROUTER_BAD_PATH,  /* broken escapes, control characters, not UTF-8 */
};

/* `path` as sent, without query. On ROUTER_FOUND `ret` is filled and must be cleared. */
enum router_result router_find(const struct http_route *routes, const char *method,
                               const char *path, struct router_match *ret);
void router_match_clear(struct router_match *match);
const char *router_param(const struct router_match *match, const char *name); /* NULL: none */
/* Appends "GET, HEAD, POST". */
void router_allow(const struct http_route *routes, const char *path, struct buffer *ret);
/* A pattern that cannot be right is a bug of the table's owner: aborts. */
void router_check_table(const struct http_route *routes);

#endif
