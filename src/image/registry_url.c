/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. The comparisons of origins that keep credentials at home are here. */
#include "image/registry_url.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "image/registry_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void registry_url_cleanup(CURLU **url)
{
	curl_url_cleanup(*url);
}
#define autourl __attribute__((cleanup(registry_url_cleanup)))

static void registry_url_free_part(char **part)
{
	curl_free(*part);
}
#define autopart __attribute__((cleanup(registry_url_free_part)))

static CURLU *registry_url_parse(const char *text)
{
	CURLU *url = curl_url();

	if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK)
		return url;
	curl_url_cleanup(url);
	return NULL;
}

void registry_url_host(const char *url, char host[REGISTRY_URL_HOST_SIZE])
{
	autourl CURLU *parsed = registry_url_parse(url);
	autopart char *name = NULL;
	autopart char *port = NULL;

	host[0] = '\0';
	if (!parsed || curl_url_get(parsed, CURLUPART_HOST, &name, 0) != CURLUE_OK)
		return;
	(void)curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
	snprintf(host, REGISTRY_URL_HOST_SIZE, "%s%s%s", name, port ? ":" : "", port ? port : "");
	for (char *p = host; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	}
}

bool registry_url_is_https(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0;
}

char *registry_url_resolve(const char *base, const char *location)
{
	autourl CURLU *url = registry_url_parse(base);
	autopart char *text = NULL;

	if (!url || curl_url_set(url, CURLUPART_URL, location, 0) != CURLUE_OK)
		return NULL;
	(void)curl_url_set(url, CURLUPART_USER, NULL, 0);
	(void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
	(void)curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
		return NULL;
	if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
		return NULL;
	return xstrdup(text);
}

/* The first of these variables that is set and not empty; "" if none. */
static const char *registry_url_variable(const char *const *names)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && value[0])
			return value;
	}
	return "";
}

/* One word of no_proxy: "*", a host, or the end of a host ("example.org", ".example.org"). */
static bool registry_url_matches_exemption(const char *host, const char *word, size_t len)
{
	size_t host_len = strlen(host);

	if (len > 0 && word[0] == '.')
		word++, len--;
	if (len == 1 && word[0] == '*')
		return true;
	if (len == 0 || len > host_len || strncasecmp(host + host_len - len, word, len) != 0)
		return false;
	return len == host_len || host[host_len - len - 1] == '.';
}

static bool registry_url_is_exempt(const char *url)
{
	const char *word = registry_url_variable((const char *[]){"no_proxy", "NO_PROXY", NULL});
	char host[REGISTRY_URL_HOST_SIZE];

	registry_url_host(url, host);
	if (host[0] != '[')
		host[strcspn(host, ":")] = '\0';
	while (*word) {
		size_t len;

		word += strspn(word, ", ");
		len = strcspn(word, ", ");
		if (registry_url_matches_exemption(host, word, len))
			return true;
		word += len;
	}
	return false;
}

const char *registry_url_proxy(const char *url)
{
	static const char *const secure[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
	                                     NULL};
	static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};

	if (registry_url_is_exempt(url))
		return "";
	return registry_url_variable(registry_url_is_https(url) ? secure : plain);
}

static bool registry_url_is_address(const char *host)
{
	return host[0] == '[' || strspn(host, "0123456789.") == strlen(host);
}

/* "gitlab.com" for "registry.gitlab.com" and for itself: never a bare top-level domain. */
static const char *registry_url_parent(const char *host)
{
	const char *dot = strchr(host, '.');

	return dot && strchr(dot + 1, '.') ? dot + 1 : host;
}

bool registry_url_is_family(const char *url, const char *realm)
{
	char a[REGISTRY_URL_HOST_SIZE], b[REGISTRY_URL_HOST_SIZE];

	registry_url_host(url, a);
	registry_url_host(realm, b);
	if (a[0] != '[' && b[0] != '[') {
		a[strcspn(a, ":")] = '\0';
		b[strcspn(b, ":")] = '\0';
	}
	if (!a[0] || strcmp(a, b) == 0)
		return a[0];
	if (registry_url_is_address(a) || registry_url_is_address(b))
		return false;
	const char *parent_a = registry_url_parent(a), *parent_b = registry_url_parent(b);

	if (!strchr(parent_a, '.') || !strchr(parent_b, '.'))
		return false;
	return strcmp(parent_a, parent_b) == 0 || strcmp(parent_a, b) == 0 ||
	       strcmp(a, parent_b) == 0;
}

char *registry_url_escape(const char *text)
{
	autopart char *escaped = curl_easy_escape(NULL, text, 0);

	return xstrdup(escaped ? escaped : "");
}

bool registry_http_same_origin(const char *url, const char *other)
{
	char a[REGISTRY_URL_HOST_SIZE], b[REGISTRY_URL_HOST_SIZE];

	registry_url_host(url, a);
	registry_url_host(other, b);
	return a[0] && strcmp(a, b) == 0 &&
	       registry_url_is_https(url) == registry_url_is_https(other);
}

/* A mirror is written as a URL or as host[:port][/prefix]. */
static bool registry_http_names_host(const char *setting, const char *host)
{
	autofree char *url = NULL;
	char named[REGISTRY_URL_HOST_SIZE];

	if (!setting)
		return false;
	url = strstr(setting, "://") ? xstrdup(setting) : xasprintf("https://%s", setting);
	registry_url_host(url, named);
	return named[0] && strcmp(named, host) == 0;
}

bool registry_http_is_configured(const struct configuration *configuration, const char *url)
{
	char host[REGISTRY_URL_HOST_SIZE];

	registry_url_host(url, host);
	if (!host[0])
		return false;
	for (size_t i = 0; i < configuration->n_registries; i++) {
		const struct registry *registry = &configuration->registries[i];

		if (registry_http_names_host(registry->host, host) ||
		    registry_http_names_host(registry->mirror, host))
			return true;
	}
	return false;
}
