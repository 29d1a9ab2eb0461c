/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers ask a request for. */
#include "net/http_internal.h"

#include "base/memory.h"
#include "net/uri.h"

#include <stdio.h>
#include <string.h>

char *http_request_text(struct http_request *request, size_t size)
{
	struct http_text *text = xmalloc(sizeof(*text) + size);

	text->next = request->texts;
	request->texts = text;
	return text->text;
}

const char *http_method(const struct http_request *request)
{
	return request->method;
}

const char *http_path(const struct http_request *request)
{
	return request->path;
}

const char *http_raw_query(const struct http_request *request)
{
	return request->query;
}

const char *http_param(const struct http_request *request, const char *name)
{
	const char *value = router_param(&request->match, name);

	if (!value)
		BUG("route %s has no {%s}", request->match.route->pattern, name);
	return value;
}

const char *http_header(const struct http_request *request, const char *name)
{
	if (!request->connection)
		return NULL;
	return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

/* Decoded values live in the request, which is logically unchanged by that. */
static char *decode(const struct http_request *request, const char *text, size_t len)
{
	char *decoded = http_request_text((struct http_request *)request, len + 1);

	(void)uri_decode(text, len, true, decoded);
	return decoded;
}

static bool is_named(const struct uri_pair *pair, const char *name)
{
	char decoded[256];

	return pair->name_len < sizeof(decoded) &&
	       uri_decode(pair->name, pair->name_len, true, decoded) >= 0 &&
	       strcmp(decoded, name) == 0;
}

void http_query_each(const struct http_request *request, const char *name,
                     bool (*fn)(void *arg, const char *value), void *arg)
{
	struct uri_pair pair;

	for (const char *at = request->query; (at = uri_next_pair(at, &pair));)
		if (is_named(&pair, name) && !fn(arg, decode(request, pair.value, pair.value_len)))
			return;
}

static bool take_first(void *arg, const char *value)
{
	*(const char **)arg = value;
	return false;
}

const char *http_query(const struct http_request *request, const char *name)
{
	const char *value = NULL;

	http_query_each(request, name, take_first, &value);
	return value;
}

bool http_is_unix(const struct http_request *request, uid_t *ret_peer_uid)
{
	if (!request->connection || !request->connection->is_unix)
		return false;
	*ret_peer_uid = request->connection->peer_uid;
	return true;
}

uint32_t http_peer_ipv4(const struct http_request *request)
{
	return request->connection ? request->connection->peer_ipv4 : 0;
}

const char *http_request_id(const struct http_request *request)
{
	return request->id;
}

void *http_get_user_data(const struct http_request *request)
{
	return request->user_data;
}

void http_set_user_data(struct http_request *request, void *data, void (*free_fn)(void *))
{
	if (request->user_data && request->free_user_data)
		request->free_user_data(request->user_data);
	request->user_data = data;
	request->free_user_data = free_fn;
}

/* A host and port as a proxy would say it; what else it could be ends up in links. */
static bool is_authority(const char *text)
{
	return *text && strlen(text) < 300 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                    ".-_:[]") == strlen(text);
}

static char *join_url(struct http_request *request, const char *scheme, const char *host)
{
	size_t size = strlen(scheme) + strlen(host) + 4;
	char *url = http_request_text(request, size);

	(void)snprintf(url, size, "%s://%s", scheme, host);
	return url;
}

static const char *url_of_proxy(struct http_request *request)
{
	const struct http_connection *connection = request->connection;
	const char *scheme = http_header(request, "X-Forwarded-Proto");
	const char *host = http_header(request, "X-Forwarded-Host");

	if (!connection || (!connection->is_loopback && !connection->is_unix) || !scheme)
		return NULL;
	if (!host)
		host = http_header(request, "Host");
	if (!host || !is_authority(host) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		return NULL;
	return join_url(request, scheme, host);
}

const char *http_base_url(struct http_request *request, const char *configured)
{
	if (request->base_url)
		return request->base_url;
	if (configured && *configured) {
		size_t len = strlen(configured);
		char *url = http_request_text(request, len + 1);

		memcpy(url, configured, len + 1);
		while (len > 0 && url[len - 1] == '/')
			url[--len] = '\0';
		request->base_url = url;
		return url;
	}
	request->base_url = url_of_proxy(request);
	if (!request->base_url) {
		const char *host = http_header(request, "Host");

		request->base_url = join_url(request, request->server->is_tls ? "https" : "http",
		                             host ? host : "localhost");
	}
	return request->base_url;
}
