/* SPDX-License-Identifier: Apache-2.0 */
/* Builds requests, reads JSON answers, and turns refusals into one sentence with the request's id.
 */
#include "cli/hub.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/terminal.h"
#include "cli/token_file.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <strings.h>

struct hub {
	char *endpoint; /* NULL: the local socket */
	char *token;
	const char *token_origin;
	char *user;
	struct transport *transport;
};

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static char *find_endpoint(void)
{
	const char *given = environment("HF_ENDPOINT");
	char *endpoint = xstrdup(given ? given : HUB_DEFAULT_ENDPOINT);
	size_t len = strlen(endpoint);
	while (len && endpoint[len - 1] == '/')
		endpoint[--len] = '\0';
	return endpoint;
}

int hub_open(const char *token, struct hub **ret, struct error *err)
{
	struct hub *hub = xcalloc(1, sizeof *hub);
	hub->endpoint = find_endpoint();
	hub->token = token_file_find(token, &hub->token_origin);
	if (hub->token && strpbrk(hub->token, "\r\n")) {
		hub_free(hub);
		return fail(err, E_INVALID, "The token must be one line");
	}
	if (transport_open(hub->endpoint, &hub->transport, err) < 0) {
		hub_free(hub);
		return error_prefix(err, "HF_ENDPOINT");
	}
	*ret = hub;
	return 0;
}

struct hub *hub_open_socket(const char *path)
{
	struct hub *hub = xcalloc(1, sizeof *hub);
	if (!path)
		path = environment("HEARTH_SOCKET");
	hub->transport = transport_open_unix(path ? path : HUB_DEFAULT_SOCKET);
	return hub;
}

int hub_open_images(const char *token, struct hub **ret, struct error *err)
{
	const char *socket = environment("HEARTH_SOCKET"), *origin;
	autofree char *found = token_file_find(token, &origin);

	if (found || environment("HF_ENDPOINT") ||
	    access(socket ? socket : HUB_DEFAULT_SOCKET, W_OK) < 0)
		return hub_open(token, ret, err);
	*ret = hub_open_socket(socket);
	return 0;
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	transport_free(hub->transport);
	free(hub->endpoint);
	free(hub->token);
	free(hub->user);
	free(hub);
}

const char *hub_endpoint(const struct hub *hub)
{
	return hub->endpoint;
}

const char *hub_token(const struct hub *hub)
{
	return hub->token;
}

static void add_encoded(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (isalnum(c) || strchr("-._~", c))
			(void)buffer_add_byte(out, (char)c);
		else
			(void)buffer_printf(out, "%%%02X", c);
	}
}

char *hub_path(const char *fmt, ...)
{
	struct buffer out = BUFFER_INIT(1u << 20);
	va_list ap;
	va_start(ap, fmt);
	for (const char *p = fmt; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			add_encoded(&out, va_arg(ap, const char *));
			p++;
		} else {
			(void)buffer_add_byte(&out, *p);
		}
	}
	va_end(ap);
	return buffer_take(&out);
}

void hub_path_query(char **path, const char *name, const char *value)
{
	autobuffer struct buffer encoded = BUFFER_INIT(1u << 20);
	add_encoded(&encoded, value);
	char *longer = xasprintf("%s%c%s=%s", *path, strchr(*path, '?') ? '&' : '?', name,
	                         buffer_text(&encoded));
	free(*path);
	*path = longer;
}

static int read_all(struct transport_stream *stream, struct buffer *ret, struct error *err)
{
	static char piece[65536];
	for (;;) {
		ssize_t n = transport_read(stream, piece, sizeof piece, TRANSPORT_ANSWER_MS, err);
		if (n == 0)
			return 0;
		if (n == TRANSPORT_TIMEOUT)
			return fail(err, E_UNAVAILABLE,
			            "The server stopped in the middle of its "
			            "answer");
		if (n == TRANSPORT_INTERRUPTED)
			return fail(err, E_CONFLICT, "Interrupted");
		if (n < 0)
			return -1;
		if (buffer_add(ret, piece, (size_t)n) < 0)
			return fail(err, E_UNAVAILABLE,
			            "The server's answer is larger than %zu MiB", ret->max >> 20);
	}
}

static enum error_code code_of(int status)
{
	static const enum error_code codes[] = {
	        E_INVALID,  E_UNAUTHORIZED, E_PAYMENT, E_FORBIDDEN,   E_NOT_FOUND,
	        E_CONFLICT, E_TOO_LARGE,    E_BUSY,    E_UNSUPPORTED, E_UNAVAILABLE};
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (error_http_status(codes[i]) == status)
			return codes[i];
	return status < 500 ? E_INVALID : E_INTERNAL;
}

/* What the server says about its refusal: its body's "error", else its header, else the status. */
static char *refusal_text(const struct transport_head *head, const struct buffer *body)
{
	autojson json_t *value = json_loadb(buffer_text(body), body->len, 0, NULL);
	const json_t *text = json_object_get(value, "error");
	if (json_is_array(text))
		text = json_array_get(text, 0);
	if (!json_is_string(text))
		text = json_object_get(value, "message");
	if (json_is_string(text) && *json_string_value(text))
		return xstrdup(json_string_value(text));
	if (head->error_message && *head->error_message)
		return xstrdup(head->error_message);
	return xasprintf("The server refused with status %d", head->status);
}

static int refuse(struct hub *hub, struct transport_stream *stream, struct error *err)
{
	const struct transport_head *head = transport_stream_head(stream);
	autobuffer struct buffer body = BUFFER_INIT(1u << 20);
	struct error ignored = ERROR_INIT;
	(void)read_all(stream, &body, &ignored);
	autofree char *text = refusal_text(head, &body);
	autofree char *id =
	        head->request_id ? xasprintf(" (request %s)", head->request_id) : xstrdup("");
	if (head->status >= 300 && head->status < 400 && head->location)
		return fail(err, E_INVALID, "%s has moved: HF_ENDPOINT should fit %s",
		            hub->endpoint ? hub->endpoint : "The server", head->location);
	if (head->status == 401 && hub->endpoint && !hub->token)
		return fail(err, E_UNAUTHORIZED,
		            "Not logged in: run `hearth login` or set HF_TOKEN. %s says: %s%s",
		            hub->endpoint, text, id);
	if (head->status == 401 && hub->endpoint)
		return fail(err, E_UNAUTHORIZED, "%s does not accept the token from %s: %s%s",
		            hub->endpoint, hub->token_origin, text, id);
	return fail(err, code_of(head->status), "%s%s", text, id);
}

/* A body of bytes (`type` says of what) or of a file; `data` NULL and `fd` -1: none. */
struct content {
	const char *type; /* NULL: none */
	const void *data;
	size_t len;
	int fd;
	const char *key; /* Idempotency-Key; NULL: none */
};

static int send_content(struct hub *hub, const char *method, const char *path,
                        const struct content *content, struct transport_stream **ret,
                        struct error *err)
{
	autofree char *authorization =
	        hub->token ? xasprintf("Authorization: Bearer %s", hub->token) : NULL;
	autofree char *idempotency =
	        content->key ? xasprintf("Idempotency-Key: %s", content->key) : NULL;
	autofree char *type = content->type ? xasprintf("Content-Type: %s", content->type) : NULL;
	const char *headers[8];
	size_t n = 0;
	headers[n++] = "User-Agent: hearth/" HEARTH_VERSION;
	headers[n++] = "Accept: */*";
	if (authorization)
		headers[n++] = authorization;
	if (idempotency)
		headers[n++] = idempotency;
	if (type)
		headers[n++] = type;
	headers[n] = NULL;
	struct transport_question question = TRANSPORT_QUESTION(method, path);
	question.headers = headers;
	question.body = content->data;
	question.body_len = content->len;
	question.body_fd = content->fd;
	struct transport_stream *stream;
	if (transport_ask(hub->transport, &question, &stream, err) < 0)
		return -1;
	int status = transport_stream_head(stream)->status;
	if (status < 200 || status > 299) {
		int rc = refuse(hub, stream, err);
		transport_close(stream);
		return rc;
	}
	*ret = stream;
	return 0;
}

static int send_question(struct hub *hub, const char *method, const char *path, const json_t *body,
                         int body_fd, const char *key, struct transport_stream **ret,
                         struct error *err)
{
	autofree char *text = body ? json_to_text(body) : NULL;
	struct content content = {
	        .type = text ? "application/json" : NULL,
	        .data = text,
	        .len = text ? strlen(text) : 0,
	        .fd = body_fd,
	        .key = key,
	};
	return send_content(hub, method, path, &content, ret, err);
}

int hub_stream(struct hub *hub, const char *method, const char *path, const json_t *body,
               int body_fd, struct transport_stream **ret, struct error *err)
{
	return send_question(hub, method, path, body, body_fd, NULL, ret, err);
}

static int read_json(struct transport_stream *stream, json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(HUB_ANSWER_MAX);
	if (read_all(stream, &text, err) < 0)
		return -1;
	if (!ret)
		return 0;
	*ret = json_loadb(buffer_text(&text), text.len, JSON_ALLOW_NUL, NULL);
	if (!*ret)
		return fail(err, E_UNAVAILABLE,
		            "The server's answer is not JSON: is it a Hub with jobs?");
	return 0;
}

int hub_send(struct hub *hub, const char *method, const char *path, const char *type,
             const void *data, size_t len, json_t **ret, struct error *err)
{
	struct content content = {.type = type, .data = data, .len = len, .fd = -1};
	struct transport_stream *stream;
	if (send_content(hub, method, path, &content, &stream, err) < 0)
		return -1;
	int rc = read_json(stream, ret, err);
	transport_close(stream);
	return rc;
}

static int ask(struct hub *hub, const char *method, const char *path, const json_t *body,
               const char *key, json_t **ret, char **ret_link, struct error *err)
{
	struct transport_stream *stream;
	if (send_question(hub, method, path, body, -1, key, &stream, err) < 0)
		return -1;
	const char *link = transport_stream_head(stream)->link;
	autofree char *kept = ret_link && link ? xstrdup(link) : NULL;
	int rc = read_json(stream, ret, err);
	transport_close(stream);
	if (rc == 0 && ret_link)
		*ret_link = take_ptr(&kept);
	return rc;
}

int hub_ask(struct hub *hub, const char *method, const char *path, const json_t *body, json_t **ret,
            struct error *err)
{
	return ask(hub, method, path, body, NULL, ret, NULL, err);
}

int hub_post_once(struct hub *hub, const char *path, const json_t *body, const char *key,
                  json_t **ret, struct error *err)
{
	static const int waits_ms[] = {100, 400, 1000, 2000};
	for (size_t i = 0;; i++) {
		int rc = ask(hub, "POST", path, body, key, ret, NULL, err);
		if (rc == 0 || err->code != E_UNAVAILABLE ||
		    i == sizeof waits_ms / sizeof *waits_ms)
			return rc;
		if (!terminal_sleep(waits_ms[i]))
			return fail(err, E_CONFLICT, "Interrupted");
	}
}

/* `<http://host/path?query>; rel="next"`: everything behind the host, the token stays with us. */
static char *next_page(const char *link)
{
	if (!link || *link != '<' || !strstr(link, "rel=\"next\""))
		return NULL;
	const char *host = strstr(link, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;
	const char *end = path ? strchr(path, '>') : NULL;
	return end ? xstrndup(path, (size_t)(end - path)) : NULL;
}

int hub_ask_page(struct hub *hub, const char *path, json_t **ret, char **ret_next,
                 struct error *err)
{
	autofree char *link = NULL;
	if (ask(hub, "GET", path, NULL, NULL, ret, &link, err) < 0)
		return -1;
	*ret_next = next_page(link);
	if (json_is_array(*ret))
		return 0;
	json_decref(*ret);
	free(*ret_next);
	return fail(err, E_UNAVAILABLE, "The server's answer is not a list");
}

int hub_whoami(struct hub *hub, json_t **ret, struct error *err)
{
	if (!hub->token)
		return fail(err, E_UNAUTHORIZED,
		            "Not logged in. Run 'hearth login' first, or set HF_TOKEN.");
	return hub_ask(hub, "GET", "/api/whoami-v2", NULL, ret, err);
}

int hub_namespace(struct hub *hub, const char *given, const char **ret, struct error *err)
{
	if (given) {
		*ret = given;
		return 0;
	}
	if (!hub->user) {
		autojson json_t *who = NULL;
		if (hub_whoami(hub, &who, err) < 0)
			return -1;
		hub->user = xstrdup(json_get_text(who, "name", NULL));
		if (!hub->user)
			return fail(err, E_UNAVAILABLE, "%s does not say who we are: is it a Hub?",
			            hub->endpoint);
	}
	*ret = hub->user;
	return 0;
}
