/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, one request at a time. The address of every connection is judged after name resolution
 * and before connecting (CURLOPT_OPENSOCKETFUNCTION), so a name that changes its mind between check
 * and use gains nothing. Behind a proxy of the environment we see only the proxy's address; there
 * the proxy's own rules have to do.
 */
#include "image/registry_http.h"

#include "base/address_guard.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "image/registry_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define REGISTRY_HTTP_REDIRECTS_MAX 5
#define REGISTRY_HTTP_CONNECT_S 15L
#define REGISTRY_HTTP_STALL_S 60L
#define REGISTRY_HTTP_ERROR_BODY_MAX (64 * 1024)

struct registry_http {
	const struct configuration *configuration;
	CURL *curl;
	bool is_guarded; /* this hop's host is a user's word */
	bool was_refused;
	char curl_error[CURL_ERROR_SIZE];
};

static curl_socket_t registry_http_open_socket(void *arg, curlsocktype purpose,
                                               struct curl_sockaddr *address)
{
	struct registry_http *http = arg;

	if (http->is_guarded && address_guard_refuses(&address->addr)) {
		http->was_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void registry_http_set_defaults(struct registry_http *http, const char *ca_file)
{
	CURL *curl = http->curl;

	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, REGISTRY_HTTP_CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, REGISTRY_HTTP_STALL_S);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 512L * 1024);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->curl_error);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, registry_http_open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http);
	if (ca_file) /* the system's folder of certificates stays in force beside it */
		curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
}

struct registry_http *registry_http_new(const struct configuration *configuration,
                                        const char *ca_file)
{
	struct registry_http *http = xcalloc(1, sizeof(*http));

	http->configuration = configuration;
	http->curl = curl_easy_init();
	if (!http->curl)
		BUG("curl_easy_init failed");
	registry_http_set_defaults(http, ca_file);
	return http;
}

void registry_http_free(struct registry_http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

static void registry_exchange_reset(struct registry_exchange *exchange)
{
	free(exchange->challenge);
	free(exchange->location);
	exchange->challenge = exchange->location = NULL;
	exchange->digest[0] = '\0';
	exchange->status = 0;
	exchange->range_got = 0;
	exchange->retry_after_s = -1;
	exchange->is_transient = exchange->is_sink_error = false;
	buffer_reset(&exchange->body);
}

void registry_exchange_clear(struct registry_exchange *exchange)
{
	registry_exchange_reset(exchange);
	buffer_clear(&exchange->body);
}

struct registry_transfer {
	struct registry_http *http;
	struct registry_exchange *exchange;
	bool has_head;
};

static const char *registry_http_header(CURL *curl, const char *name, size_t index)
{
	struct curl_header *header;

	if (curl_easy_header(curl, name, index, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

static void registry_http_read_head(struct registry_transfer *transfer)
{
	struct registry_exchange *exchange = transfer->exchange;
	CURL *curl = transfer->http->curl;
	const char *value;
	long long start;

	if (transfer->has_head)
		return;
	transfer->has_head = true;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange->status);
	for (size_t i = 0; i < 8 && (value = registry_http_header(curl, "WWW-Authenticate", i));
	     i++) {
		char *joined = exchange->challenge ? xasprintf("%s, %s", exchange->challenge, value)
		                                   : xstrdup(value);
		free(exchange->challenge);
		exchange->challenge = joined;
	}
	if ((value = registry_http_header(curl, "Docker-Content-Digest", 0)))
		snprintf(exchange->digest, sizeof(exchange->digest), "%s", value);
	if ((value = registry_http_header(curl, "Location", 0)))
		exchange->location = xstrdup(value);
	if ((value = registry_http_header(curl, "Retry-After", 0)) && *value >= '0' &&
	    *value <= '9')
		exchange->retry_after_s = strtol(value, NULL, 10);
	if (exchange->status == 206 && (value = registry_http_header(curl, "Content-Range", 0)) &&
	    sscanf(value, "bytes %lld-", &start) == 1)
		exchange->range_got = start;
}

static size_t registry_http_take(char *data, size_t size, size_t count, void *arg)
{
	struct registry_transfer *transfer = arg;
	struct registry_exchange *exchange = transfer->exchange;
	size_t len = size * count;

	registry_http_read_head(transfer);
	if (exchange->status != 200 && exchange->status != 206) {
		if (exchange->body.len + len <= REGISTRY_HTTP_ERROR_BODY_MAX)
			(void)buffer_add(&exchange->body, data, len);
		return len;
	}
	if (!exchange->sink) {
		if (buffer_add(&exchange->body, data, len) < 0) {
			exchange->is_sink_error = true;
			return 0;
		}
		return len;
	}
	if (exchange->sink(exchange->arg, exchange, data, len) != 0) {
		exchange->is_sink_error = true;
		return 0;
	}
	return len;
}

static struct curl_slist *registry_http_headers(const struct registry_exchange *exchange,
                                                bool with_credentials)
{
	struct curl_slist *list = NULL;

	if (exchange->accept) {
		autofree char *line = xasprintf("Accept: %s", exchange->accept);

		list = curl_slist_append(list, line);
	}
	if (with_credentials && exchange->authorization) {
		autofree char *line = xasprintf("Authorization: %s", exchange->authorization);

		list = curl_slist_append(list, line);
	}
	return list;
}

static void registry_http_set_request(CURL *curl, const struct registry_exchange *exchange,
                                      const char *url, bool is_first_host)
{
	char range[32];

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOBODY, 0L);
	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (exchange->is_head)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	if (exchange->form && is_first_host)
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, exchange->form);
	snprintf(range, sizeof(range), "%lld-", (long long)exchange->range_start);
	curl_easy_setopt(curl, CURLOPT_RANGE, exchange->range_start > 0 ? range : NULL);
}

static int registry_http_explain(struct registry_transfer *transfer, const char *url, CURLcode code,
                                 struct error *err)
{
	struct registry_http *http = transfer->http;
	struct registry_exchange *exchange = transfer->exchange;
	char host[REGISTRY_URL_HOST_SIZE];

	registry_url_host(url, host);
	if (http->was_refused)
		return fail(err, E_FORBIDDEN,
		            "'%s' leads to an address of this machine or its cloud provider, which "
		            "images may not name; an administrator can allow it by saying "
		            "plain_http = yes or no in a section [registry %s]",
		            host, host);
	if (exchange->is_sink_error)
		return fail(err, E_TOO_LARGE, "The answer of '%s' is too large", host);
	exchange->is_transient = code == CURLE_COULDNT_CONNECT || code == CURLE_RECV_ERROR ||
	                         code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE ||
	                         code == CURLE_GOT_NOTHING || code == CURLE_OPERATION_TIMEDOUT ||
	                         code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_HTTP2 ||
	                         code == CURLE_HTTP2_STREAM || code == CURLE_SSL_CONNECT_ERROR ||
	                         code == CURLE_WEIRD_SERVER_REPLY;
	return fail(err, E_UNAVAILABLE, "The registry '%s' cannot be reached: %s", host,
	            http->curl_error[0] ? http->curl_error : curl_easy_strerror(code));
}

/* One hop. */
static int registry_http_perform(struct registry_http *http, struct registry_exchange *exchange,
                                 const char *url, bool with_credentials, struct error *err)
{
	struct registry_transfer transfer = {.http = http, .exchange = exchange};
	struct curl_slist *headers = registry_http_headers(exchange, with_credentials);
	CURL *curl = http->curl;

	registry_exchange_reset(exchange);
	const char *proxy = registry_url_proxy(url);

	http->is_guarded = !registry_http_is_configured(http->configuration, url) && !proxy[0];
	http->was_refused = false;
	http->curl_error[0] = '\0';
	registry_http_set_request(curl, exchange, url, with_credentials);
	curl_easy_setopt(curl, CURLOPT_PROXY, proxy);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, registry_http_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
	CURLcode code = curl_easy_perform(curl);

	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	if (code != CURLE_OK)
		return registry_http_explain(&transfer, url, code, err);
	registry_http_read_head(&transfer);
	return 0;
}

/* From TLS to no TLS only where an administrator said so. */
static int registry_http_check_hop(struct registry_http *http, const char *from, const char *to,
                                   struct error *err)
{
	char host[REGISTRY_URL_HOST_SIZE];

	registry_url_host(to, host);
	if (!registry_url_is_https(to) && registry_url_is_https(from) &&
	    !registry_http_is_configured(http->configuration, to))
		return fail(err, E_FORBIDDEN,
		            "The registry redirects from https to plain http ('%s'); refused",
		            host);
	return 0;
}

int registry_http_run(struct registry_http *http, struct registry_exchange *exchange,
                      struct error *err)
{
	autofree char *url = xstrdup(exchange->url);

	for (int hop = 0; hop <= REGISTRY_HTTP_REDIRECTS_MAX; hop++) {
		bool same = registry_http_same_origin(url, exchange->url);

		if (registry_http_perform(http, exchange, url, same, err) < 0)
			return -1;
		if (exchange->status < 301 || exchange->status > 308 || exchange->status == 304 ||
		    !exchange->location)
			return 0;
		char *next = registry_url_resolve(url, exchange->location);

		if (!next)
			return fail(err, E_UNAVAILABLE, "The registry redirects to a damaged URL");
		free(url);
		url = next;
		if (registry_http_check_hop(http, exchange->url, url, err) < 0)
			return -1;
	}
	return fail(err, E_UNAVAILABLE, "The registry redirects in circles");
}
