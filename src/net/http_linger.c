/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing gently. When a socket is closed with unread bytes in it the kernel sends a reset, and the
 * peer may lose the answer that explains the refusal. So a second descriptor of the socket outlives
 * libmicrohttpd's: what still comes is read and thrown away, for a bounded time and amount.
 */
#include "net/http_internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

void http_linger_prepare(struct http_connection *connection)
{
	if (connection->linger_fd < 0 && connection->server->n_lingering < HTTP_LINGER_MAX)
		connection->linger_fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 3);
}

static void linger_free(struct http_linger *linger)
{
	struct http_linger **at = &linger->server->lingering;

	while (*at != linger)
		at = &(*at)->next;
	*at = linger->next;
	linger->server->n_lingering--;
	loop_watch_free(linger->watch);
	(void)close(linger->fd);
	free(linger);
}

static void on_bytes(void *arg, int events)
{
	struct http_linger *linger = arg;
	char waste[16384];

	for (int i = 0; i < 16; i++) {
		ssize_t n = recv(linger->fd, waste, sizeof(waste), MSG_DONTWAIT);

		if (n < 0 && events != 0)
			return;
		linger->left_bytes -= n;
		if (n <= 0 || linger->left_bytes <= 0) {
			linger_free(linger);
			return;
		}
	}
}

void http_linger_start(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	if (connection->linger_fd < 0)
		return;
	if (server->is_closing) {
		(void)close(connection->linger_fd);
		return;
	}
	struct http_linger *linger = xcalloc(1, sizeof(*linger));

	linger->server = server;
	linger->fd = connection->linger_fd;
	linger->until_ms = clock_monotonic_ms() + HTTP_LINGER_SECONDS * 1000L;
	linger->left_bytes = HTTP_LINGER_BYTES;
	linger->watch = loop_watch_new(server->loop, linger->fd, UV_READABLE, on_bytes, linger);
	linger->next = server->lingering;
	server->lingering = linger;
	server->n_lingering++;
	connection->linger_fd = -1;
}

void http_linger_sweep(struct http_server *server, int64_t now_ms)
{
	for (struct http_linger *l = server->lingering, *next; l; l = next) {
		next = l->next;
		if (now_ms >= l->until_ms)
			linger_free(l);
	}
}

void http_linger_answer(struct http_connection *connection, const struct error *err,
                        const char *request_id, int status)
{
	autobuffer struct buffer body = BUFFER_INIT(4096), answer = BUFFER_INIT(8192);

	if (connection->server->is_tls)
		return;
	(void)buffer_add_text(&body, "{\"error\":\"");
	(void)json_escape(&body, err->text, strlen(err->text));
	(void)buffer_add_text(&body, "\"}");
	(void)buffer_printf(&answer,
	                    "HTTP/1.1 %d %s\r\nConnection: close\r\n"
	                    "Content-Type: application/json; charset=utf-8\r\n"
	                    "X-Error-Message: %s\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
	                    status, MHD_get_reason_phrase_for((unsigned)status), err->text,
	                    *request_id ? "X-Request-Id: " : "", request_id,
	                    *request_id ? "\r\n" : "", body.len, buffer_text(&body));
	(void)send(connection->fd, buffer_text(&answer), answer.len, MSG_NOSIGNAL | MSG_DONTWAIT);
}
