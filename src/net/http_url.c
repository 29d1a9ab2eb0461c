/* SPDX-License-Identifier: Apache-2.0 */
/* URLs by libcurl's own parser, so that what is checked is what will be called. */
#include "net/http_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parts {
	CURLU *url;
	char *scheme, *host, *user, *password;
};

static bool parts_read(const char *text, struct parts *ret)
{
	*ret = (struct parts){.url = curl_url()};
	if (!ret->url)
		BUG("out of memory");
	if (curl_url_set(ret->url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return false;
	(void)curl_url_get(ret->url, CURLUPART_USER, &ret->user, 0);
	(void)curl_url_get(ret->url, CURLUPART_PASSWORD, &ret->password, 0);
	return curl_url_get(ret->url, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
	       curl_url_get(ret->url, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK;
}

static void parts_clear(struct parts *parts)
{
	curl_free(parts->scheme);
	curl_free(parts->host);
	curl_free(parts->user);
	curl_free(parts->password);
	curl_url_cleanup(parts->url);
}

/* A name is judged when it is resolved; here only what is an address in any spelling. */
static bool host_is_fine(const char *host, bool (*allows)(const struct sockaddr *))
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	char plain[INET6_ADDRSTRLEN] = "";
	size_t len = strcspn(host + (*host == '['), "]%");

	if (!allows)
		return true;
	if (strcasecmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (*host == '[' && len < sizeof(plain)) {
		memcpy(plain, host + 1, len);
		return inet_pton(AF_INET6, plain, &in6.sin6_addr) != 1 ||
		       allows((struct sockaddr *)&in6);
	}
	return inet_aton(host, &in.sin_addr) == 0 || allows((struct sockaddr *)&in);
}

static int parts_check(const struct parts *parts, bool (*allows)(const struct sockaddr *),
                       struct error *err)
{
	if (strcmp(parts->scheme, "http") != 0 && strcmp(parts->scheme, "https") != 0)
		return fail(err, E_INVALID, "url must begin with http:// or https://");
	if (parts->user || parts->password)
		return fail(err, E_INVALID,
		            "url must not contain a user or password: everybody who may see the "
		            "webhook would see them; use its secret");
	if (!host_is_fine(parts->host, allows))
		return fail(
		        err, E_INVALID,
		        "url leads to %.100s, an address of this machine or of a private network; "
		        "the operator can allow that (setting webhooks.private_addresses)",
		        parts->host);
	return 0;
}

int http_url_check(const char *url, bool (*allows)(const struct sockaddr *address),
                   struct error *err)
{
	struct parts parts;
	int rc;

	if (strlen(url) > HTTP_URL_MAX)
		return fail(err, E_INVALID, "url must have at most %d characters", HTTP_URL_MAX);
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~')
			return fail(
			        err, E_INVALID,
			        "url must be written without spaces and in ASCII: other characters "
			        "as %%XX");
	if (!strstr(url, "://"))
		return fail(err, E_INVALID, "url must begin with http:// or https://");
	rc = parts_read(url, &parts) ? parts_check(&parts, allows, err)
	                             : fail(err, E_INVALID,
	                                    "url is not a URL that can be called: http:// or "
	                                    "https:// and a host are needed");
	parts_clear(&parts);
	return rc;
}

bool http_url_may_share(const char *from, const char *to)
{
	struct parts a, b;
	bool has_a = parts_read(from, &a), has_b = parts_read(to, &b);
	bool may = has_a && has_b && strcasecmp(a.host, b.host) == 0 &&
	           (strcmp(a.scheme, "https") != 0 || strcmp(b.scheme, "https") == 0);

	parts_clear(&a);
	parts_clear(&b);
	return may;
}
