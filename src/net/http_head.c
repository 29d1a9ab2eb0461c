/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request: checked, its route found, the size of its body judged. */
#include "net/http_internal.h"

#include "base/clock.h"
#include "net/uri.h"

#include <string.h>

struct field_list {
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t n;
	size_t cookie_bytes;
	bool is_full;
};

static enum MHD_Result collect_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                     size_t name_len, const char *value, size_t value_len)
{
	struct field_list *list = cls;

	if (list->n == HTTP_FIELDS_MAX) {
		list->is_full = true;
		return MHD_NO;
	}
	list->fields[list->n++] = (struct http_field){name, value, name_len, value_len};
	return MHD_YES;
}

/* libmicrohttpd answers itself, in HTML, when a head does not fit its memory at all. What fits but
 * leaves no room for the answer's head is refused here. */
static bool is_too_large(struct http_request *request, size_t head_size, size_t n_fields)
{
	size_t per_value = 64; /* its own record of a header or query parameter */
	int n_query = MHD_get_connection_values(
	        request->connection->mhd, MHD_GET_ARGUMENT_KIND | MHD_COOKIE_KIND, NULL, NULL);

	return head_size + (n_fields + (size_t)n_query) * per_value >
	       HTTP_POOL_BYTES - HTTP_POOL_ANSWER_BYTES;
}

static int check_head(struct http_request *request, const char *method, const char *version,
                      struct http_framing *ret, int *ret_status, struct error *err)
{
	struct MHD_Connection *mhd = request->connection->mhd;
	struct field_list list;
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	list.n = 0;
	list.is_full = false;
	(void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, collect_field, &list);
	if (list.is_full || is_too_large(request, info->header_size, list.n)) {
		*ret_status = 431;
		return fail(err, E_INVALID,
		            "the head of the request is too large (%d headers, "
		            "%d bytes at most)",
		            HTTP_FIELDS_MAX, HTTP_POOL_BYTES - HTTP_POOL_ANSWER_BYTES);
	}
	struct http_head head = {
	        .method = method,
	        .path = request->path,
	        .query = request->query,
	        .target = request->target_at,
	        .target_len = request->target_len,
	        .version = version,
	        .fields = list.fields,
	        .n_fields = list.n,
	        .size = info->header_size,
	};
#if MHD_VERSION < 0x00097600
	if (http_framing_check_layout(&head, err) < 0)
		return -1;
#endif
	return http_framing_check(&head, ret, err);
}

/* Escapes of the query are checked once, so that accessors cannot fail. */
static int check_query(const struct http_request *request, struct error *err)
{
	struct uri_pair pair;
	char decoded[HTTP_POOL_BYTES];

	for (const char *at = request->query; (at = uri_next_pair(at, &pair));)
		if (uri_decode(pair.name, pair.name_len, true, decoded) < 0 ||
		    uri_decode(pair.value, pair.value_len, true, decoded) < 0)
			return fail(err, E_INVALID,
			            "the query has a broken escape or a control character");
	return 0;
}

static int find_route(struct http_request *request, int *ret_status, struct error *err)
{
	autobuffer struct buffer allow = BUFFER_INIT(256);

	switch (router_find(request->server->routes, request->method, request->path,
	                    &request->match)) {
	case ROUTER_FOUND:
		return check_query(request, err);
	case ROUTER_BAD_PATH:
		return fail(err, E_INVALID,
		            "the address has a broken escape, a control character or is not UTF-8");
	case ROUTER_NO_METHOD:
		router_allow(request->server->routes, request->path, &allow);
		http_add_header(request, "Allow", buffer_text(&allow));
		*ret_status = 405;
		return fail(err, E_INVALID, "%s is not possible here, but %s", request->method,
		            buffer_text(&allow));
	case ROUTER_NO_PATH:
		break;
	}
	return fail(err, E_NOT_FOUND, "there is nothing at this address");
}

static int judge_length(struct http_request *request, const struct http_framing *framing,
                        struct error *err)
{
	const struct http_route *route = request->match.route;

	request->body_max = route->max_body;
	if (!route->spool)
		request->body.max = (size_t)route->max_body;
	if (route->max_body < 0 || framing->length <= (uint64_t)route->max_body)
		return 0;
	if (route->max_body == 0)
		return fail(err, E_TOO_LARGE, "the body of this request must be empty");
	return fail(err, E_TOO_LARGE, "the request body is larger than %lld bytes",
	            (long long)route->max_body);
}

static int admit(struct http_request *request, struct error *err)
{
	const struct http_server *server = request->server;

	if (!server->options.admit)
		return 0;
	return server->options.admit(request, request->match.route, server->context, err);
}

/* The sender of a small refused body gets its answer after it, on a connection that goes on. So
 * does who uploads a xorb: for such clients an answer before the end of the body is a broken
 * connection, and they send it all again (xet-cas 2.1). */
static bool is_worth_reading(const struct http_request *request, const struct http_framing *framing)
{
	const struct http_route *route = request->match.route;
	uint64_t limit = HTTP_DISCARD_BYTES;

	if (route && route->spool && route->max_body > 0)
		limit = (uint64_t)route->max_body;
	return !framing->is_chunked && framing->length <= limit &&
	       (framing->length == 0 || !http_header(request, "Expect"));
}

int http_head_take(struct http_request *request, const char *method, const char *version,
                   int *ret_status, bool *ret_fatal, struct error *err)
{
	struct http_framing framing = {0};

	*ret_fatal = true;
	*ret_status = 0;
	(void)snprintf(request->method, sizeof(request->method), "%s", method);
	request->is_1_0 = strcmp(version, "HTTP/1.0") == 0;
	request->is_head = strcmp(method, "HEAD") == 0;
	if (check_head(request, method, version, &framing, ret_status, err) < 0)
		return -1;
	*ret_fatal = !is_worth_reading(request, &framing);
	if (strlen(method) >= sizeof(request->method)) {
		*ret_status = 501;
		return fail(err, E_UNSUPPORTED, "unknown method");
	}
	if (find_route(request, ret_status, err) < 0)
		return -1;
	*ret_fatal = !is_worth_reading(request, &framing); /* now that the route is known */
	if (judge_length(request, &framing, err) < 0)
		return -1;
	return admit(request, err);
}
