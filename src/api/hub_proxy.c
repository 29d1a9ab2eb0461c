/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests passed on to the Hub: small answers come through us, large files do not: the Hub's
 * redirect to its storage is passed on, and a file that it sends itself is left to the client when
 * it is too large. The head is made anew from what we know; addresses of the Hub in it become ours.
 */
#include "api/hub.h"

#include "api/answer.h"
#include "api/hub_headers.h"
#include "api/hub_token.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/volume_token.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX ((size_t)32 * 1024 * 1024)
#define CALLS_MAX 32
#define TIMEOUT_MAX_MS (60 * 1000)

static const char *const sent_headers[] = {"Accept", "Content-Type", "If-None-Match",
                                           "Range",  "If-Match",     "X-HF-Bill-To"};
/* What clients look at; never what belongs to the connection, never cookies. */
static const char *const answered_headers[] = {"Accept-Ranges",
                                               "Cache-Control",
                                               "Content-Disposition",
                                               "Content-Range",
                                               "ETag",
                                               "Last-Modified",
                                               "Link",
                                               "Location",
                                               "RateLimit",
                                               "RateLimit-Policy",
                                               "Retry-After",
                                               "X-Error-Code",
                                               "X-Error-Message",
                                               "X-HF-Warning",
                                               "X-Linked-ETag",
                                               "X-Linked-Size",
                                               "X-Repo-Commit",
                                               "X-Total-Count",
                                               "X-Xet-Access-Token",
                                               "X-Xet-Cas-Url",
                                               "X-Xet-Hash",
                                               "X-Xet-Refresh-Route",
                                               "X-Xet-Token-Expiration"};

struct proxied {
	struct api *api;
	struct http_request *request; /* NULL: the client left */
	struct hub_path path;
	char *endpoint, *url;
};

static void proxied_free(struct proxied *proxied)
{
	proxied->api->n_proxied--;
	hub_path_clear(&proxied->path);
	free(proxied->endpoint);
	free(proxied->url);
	free(proxied);
}

static void proxied_cancelled(void *arg)
{
	((struct proxied *)arg)->request = NULL;
}

/* Every address of the Hub becomes the same one here, so that the client goes on with us and its
 * token. */
static char *proxied_rewrite(const struct proxied *proxied, const char *value, const char *base)
{
	autobuffer struct buffer text = BUFFER_INIT(64 * 1024);
	size_t len = strlen(proxied->endpoint);

	while (*value) {
		if (strncasecmp(value, proxied->endpoint, len) == 0 &&
		    (value[len] == '/' || value[len] == '?')) {
			(void)buffer_add_text(&text, base);
			value += len;
		} else {
			(void)buffer_add_byte(&text, *value++);
		}
	}
	return buffer_take(&text);
}

static void proxied_add_headers(struct proxied *proxied, const char *headers)
{
	struct api *api = proxied->api;
	const char *base = http_base_url(proxied->request, api->configuration->public_url);

	for (size_t i = 0; i < sizeof(answered_headers) / sizeof(answered_headers[0]); i++) {
		const char *name = answered_headers[i];
		autofree char *value = hub_header(headers, name);
		/* Clients follow a redirect of metadata only when it is relative. */
		bool is_location = strcmp(name, "Location") == 0;

		if (value) {
			autofree char *ours =
			        proxied_rewrite(proxied, value, is_location ? "" : base);

			http_add_header(proxied->request, name, ours);
		}
	}
}

/* The size of what a GET would bring. */
static void proxied_answer_head(struct proxied *proxied, int status, const char *type,
                                const char *headers)
{
	autofree char *length = hub_header(headers, "Content-Length");
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !length)
		http_respond(proxied->request, status, type, "", 0);
	else
		http_respond_file(proxied->request, status, type, fd, 0, strtoll(length, NULL, 10));
	if (!length && fd >= 0)
		(void)close(fd);
}

static void proxied_fail(struct proxied *proxied, const struct error *err)
{
	struct http_request *request = proxied->request;

	if (proxied->path.kind == HUB_RESOLVE && strstr(err->text, "larger than")) {
		http_add_header(request, "Location", proxied->url);
		http_respond(request, 302, "text/plain", "", 0);
		return;
	}
	log_warning("the Hub %s: %s", proxied->endpoint, err->text);
	hub_refuse(request, E_UNAVAILABLE, NULL, "The Hub %s does not answer: %s",
	           proxied->endpoint, err->text);
}

/* By its Xet hash clients would copy a file into a bucket, or fetch it: with the Hub's own storage,
 * not with ours. Without the hash they fetch it as any other file. A quote within a string has a
 * backslash before it, so this is always a name. */
static char *proxied_hide_hashes(const char *body, size_t len)
{
	static const char name[] = "\"xetHash\":";
	char *text = xcalloc(1, len + 1), *at = text;

	memcpy(text, body, len);
	while ((at = memmem(at, len - (size_t)(at - text), name, sizeof(name) - 1)))
		memcpy(at, "\"hubHash\":", sizeof(name) - 1);
	return text;
}

static void proxied_answer(struct proxied *proxied, int status, const char *type, const char *body,
                           size_t len)
{
	bool is_listing = proxied->path.kind == HUB_TREE || proxied->path.kind == HUB_PATHS_INFO;
	autofree char *text = is_listing ? proxied_hide_hashes(body, len) : NULL;

	http_respond(proxied->request, status, type ? type : "application/octet-stream",
	             text ? text : body, len);
}

static void proxied_answered(void *arg, int status, const char *body, size_t len,
                             const struct error *err)
{
	struct proxied *proxied = arg;
	struct http_request *request = proxied->request;
	const char *headers = http_client_answer_headers(proxied->api->client);
	autofree char *type = hub_header(headers, "Content-Type");

	if (request)
		http_on_cancel(request, NULL, NULL);
	if (request && status == 0) {
		proxied_fail(proxied, err);
	} else if (request) {
		proxied_add_headers(proxied, headers);
		if (strcmp(http_method(request), "HEAD") == 0)
			proxied_answer_head(proxied, status, type, headers);
		else
			proxied_answer(proxied, status, type, body, len);
	}
	proxied_free(proxied);
}

/* Only a token of that Hub may go there; for reading there may be one of the operator. */
static char *proxied_token(struct api *api, struct http_request *request, bool is_reading)
{
	const char *token = hub_caller_token(api, request);

	if (token)
		return xstrdup(token);
	return is_reading ? volume_token_of(api->db, api->configuration, NULL) : xstrdup("");
}

static void proxied_send(struct proxied *proxied, const char *method)
{
	struct api *api = proxied->api;
	int64_t timeout_ms = api->configuration->hub_timeout_s * 1000;
	char *token = proxied_token(api, proxied->request,
	                            strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
	                                    proxied->path.kind == HUB_PATHS_INFO);
	char *authorization = xasprintf("Authorization: Bearer %s", token);
	char *lines[sizeof(sent_headers) / sizeof(sent_headers[0])] = {0};
	const char *headers[sizeof(lines) / sizeof(lines[0]) + 3] = {"Accept-Encoding: identity"};
	struct http_client_request out = {.method = method,
	                                  .url = proxied->url,
	                                  .headers = headers,
	                                  .max_response = ANSWER_MAX};
	size_t n = 1;

	out.timeout_ms = timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS;
	if (*token)
		headers[n++] = authorization;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *value = http_header(proxied->request, sent_headers[i]);

		if (value)
			headers[n++] = lines[i] = xasprintf("%s: %s", sent_headers[i], value);
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		out.body = http_body(proxied->request, &out.body_len);
	if (out.body && out.body_len == 0)
		out.body = "";
	http_client_send(api->client, &out, proxied_answered, proxied);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		free(lines[i]);
	seal_wipe(authorization, strlen(authorization));
	free(authorization);
	seal_wipe(token, strlen(token));
	free(token);
}

void hub_proxy(struct api *api, struct http_request *request, struct hub_path *path)
{
	const char *query = http_raw_query(request);
	struct proxied *proxied;

	if (api->n_proxied >= CALLS_MAX) {
		hub_refuse(request, E_UNAVAILABLE, NULL,
		           "Too many requests to the Hub are under way; try again");
		hub_path_clear(path);
		return;
	}
	api->n_proxied++;
	proxied = xcalloc(1, sizeof(*proxied));
	proxied->api = api;
	proxied->request = request;
	proxied->path = *path;
	proxied->endpoint = hub_endpoint(api);
	proxied->url = xasprintf("%s%s%s%s", proxied->endpoint, http_path(request),
	                         *query ? "?" : "", query);
	http_on_cancel(request, proxied_cancelled, proxied);
	proxied_send(proxied, http_method(request));
}
