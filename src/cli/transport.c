/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the kind of transport for an address, and what both kinds share. */
#include "cli/transport_kind.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *authority_host(const char *authority, const char **ret_port)
{
	*ret_port = NULL;
	if (*authority == '[') {
		const char *end = strchr(authority, ']');
		if (!end || (end[1] && end[1] != ':'))
			return NULL;
		if (end[1] == ':')
			*ret_port = end + 2;
		return xstrndup(authority + 1, (size_t)(end - authority) - 1);
	}
	const char *colon = strchr(authority, ':');
	if (colon)
		*ret_port = colon + 1;
	return xstrndup(authority, colon ? (size_t)(colon - authority) : strlen(authority));
}

int transport_url_parse(const char *url, struct transport_url *ret, struct error *err)
{
	struct transport_url parsed = {0};
	const char *rest = NULL;
	if (strncasecmp(url, "http://", 7) == 0) {
		rest = url + 7;
	} else if (strncasecmp(url, "https://", 8) == 0) {
		rest = url + 8;
		parsed.is_tls = true;
	}
	size_t len = rest ? strcspn(rest, "/?#") : 0;
	if (len == 0 || memchr(rest, '@', len) || strpbrk(url, " \t\r\n"))
		return fail(err, E_INVALID,
		            "'%s' is not the address of a server: use http://HOST:PORT or "
		            "https://HOST",
		            url);
	parsed.authority = xstrndup(rest, len);
	const char *port;
	parsed.host = authority_host(parsed.authority, &port);
	if (!parsed.host || !*parsed.host || (port && strspn(port, "0123456789") != strlen(port))) {
		transport_url_clear(&parsed);
		return fail(err, E_INVALID, "'%s' has no valid host and port", url);
	}
	parsed.port = xstrdup(port && *port ? port : parsed.is_tls ? "443" : "80");
	size_t prefix = strcspn(rest + len, "?#");
	while (prefix && rest[len + prefix - 1] == '/')
		prefix--;
	parsed.prefix = xstrndup(rest + len, prefix);
	*ret = parsed;
	return 0;
}

void transport_url_clear(struct transport_url *url)
{
	free(url->host);
	free(url->port);
	free(url->authority);
	free(url->prefix);
	*url = (struct transport_url){0};
}

static bool is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
	       strcmp(host, "::1") == 0;
}

static bool needs_proxy(const struct transport_url *url)
{
	static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
	if (is_loopback(url->host))
		return false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return true;
	}
	return false;
}

int transport_open(const char *url, struct transport **ret, struct error *err)
{
	struct transport_url parsed;
	if (transport_url_parse(url, &parsed, err) < 0)
		return -1;
	int rc = 0;
	if (parsed.is_tls || needs_proxy(&parsed))
		rc = transport_curl_new(url, ret, err);
	else
		*ret = transport_plain_new(&parsed);
	transport_url_clear(&parsed);
	return rc;
}

struct transport *transport_open_unix(const char *socket_path)
{
	return transport_plain_new_unix(socket_path);
}

void transport_free(struct transport *t)
{
	if (t)
		t->kind->free(t);
}

int transport_ask(struct transport *t, const struct transport_question *question,
                  struct transport_stream **ret, struct error *err)
{
	return t->kind->ask(t, question, ret, err);
}

const struct transport_head *transport_stream_head(const struct transport_stream *stream)
{
	return &stream->head;
}

ssize_t transport_read(struct transport_stream *stream, void *data, size_t max, int timeout_ms,
                       struct error *err)
{
	return stream->transport->kind->read(stream, data, max, timeout_ms, err);
}

int transport_fd(const struct transport_stream *stream)
{
	return stream->transport->kind->fd(stream);
}

void transport_close(struct transport_stream *stream)
{
	if (!stream)
		return;
	free(stream->head.error_message);
	free(stream->head.request_id);
	free(stream->head.link);
	free(stream->head.location);
	stream->head = (struct transport_head){0};
	stream->transport->kind->close(stream);
}

bool transport_header_is(const char *line, size_t len, const char *name, const char **ret_value,
                         size_t *ret_len)
{
	size_t n = strlen(name);
	if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
		return false;
	const char *value = line + n + 1, *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && strchr(" \t\r\n", end[-1]))
		end--;
	*ret_value = value;
	*ret_len = (size_t)(end - value);
	return true;
}

void transport_head_line(struct transport_head *head, const char *line, size_t len)
{
	struct {
		const char *name;
		char **place;
	} const wanted[] = {
	        {"X-Error-Message", &head->error_message},
	        {"X-Request-Id", &head->request_id},
	        {"Link", &head->link},
	        {"Location", &head->location},
	};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		const char *value;
		size_t n;
		if (!*wanted[i].place && transport_header_is(line, len, wanted[i].name, &value, &n))
			*wanted[i].place = xstrndup(value, n);
	}
}
