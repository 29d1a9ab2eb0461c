/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 over a socket: enough of it to talk to hearthd quickly (one kept connection, known
 * length, chunks, or until the end), strict in what it accepts.
 */
#include "cli/transport_kind.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/plain_socket.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RAW_SIZE 65536 /* also the largest head of an answer */

struct plain {
	struct transport base;
	struct transport_url url; /* host NULL: unix */
	char *socket_path;
	int idle_fd; /* -1: none */
};

struct plain_stream {
	struct transport_stream base;
	int fd;
	size_t start, end; /* unread bytes in raw */
	uint64_t left;     /* of the body, or of the chunk */
	bool is_chunked, has_length, is_done, keeps_alive, wants_crlf, in_trailer;
	char raw[RAW_SIZE];
};

static int broken(struct error *err)
{
	return fail(err, E_UNAVAILABLE, "the connection broke before the answer was complete");
}

static ssize_t fill(struct plain_stream *s, int timeout_ms, struct error *err)
{
	if (s->start) {
		memmove(s->raw, s->raw + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	if (s->end == RAW_SIZE)
		return fail(err, E_UNAVAILABLE,
		            "the server's answer has a head or line of more "
		            "than 64 KiB");
	ssize_t n =
	        plain_socket_receive(s->fd, s->raw + s->end, RAW_SIZE - s->end, timeout_ms, err);
	if (n > 0)
		s->end += (size_t)n;
	return n;
}

/* One line without its end: its length, or a negative value as transport_read(). */
static ssize_t read_line(struct plain_stream *s, int timeout_ms, const char **ret_line,
                         struct error *err)
{
	for (;;) {
		char *newline = memchr(s->raw + s->start, '\n', s->end - s->start);
		if (newline) {
			*ret_line = s->raw + s->start;
			size_t len = (size_t)(newline - *ret_line);
			s->start += len + 1;
			if (len && (*ret_line)[len - 1] == '\r')
				len--;
			return (ssize_t)len;
		}
		ssize_t n = fill(s, timeout_ms, err);
		if (n == 0)
			return broken(err);
		if (n < 0)
			return n;
	}
}

static int head_line(struct plain_stream *s, const char *line, size_t len, struct error *err)
{
	const char *value;
	size_t n;
	if (transport_header_is(line, len, "Content-Length", &value, &n)) {
		char digits[24] = "";
		if (n == 0 || n > 19 || strspn(value, "0123456789") < n)
			return fail(err, E_UNAVAILABLE, "the server's answer has a bad length");
		memcpy(digits, value, n);
		s->left = strtoull(digits, NULL, 10);
		s->has_length = true;
	} else if (transport_header_is(line, len, "Transfer-Encoding", &value, &n)) {
		s->is_chunked = n == 7 && strncasecmp(value, "chunked", 7) == 0;
		if (!s->is_chunked)
			return fail(err, E_UNAVAILABLE,
			            "the server's answer is coded unknown ways");
	} else if (transport_header_is(line, len, "Connection", &value, &n)) {
		s->keeps_alive = !(n == 5 && strncasecmp(value, "close", 5) == 0);
	} else {
		transport_head_line(&s->base.head, line, len);
	}
	return 0;
}

static int status_line(struct plain_stream *s, const char *line, size_t len, struct error *err)
{
	if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[9]) ||
	    !isdigit((unsigned char)line[10]) || !isdigit((unsigned char)line[11]))
		return fail(err, E_UNAVAILABLE, "what answers there does not speak HTTP");
	s->base.head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	s->keeps_alive = line[7] == '1';
	return 0;
}

static int lost_head(ssize_t n, struct error *err)
{
	if (n == TRANSPORT_TIMEOUT)
		return fail(err, E_UNAVAILABLE, "the server did not answer within %d seconds",
		            TRANSPORT_ANSWER_MS / 1000);
	if (n == TRANSPORT_INTERRUPTED)
		return fail(err, E_CONFLICT, "interrupted");
	return -1;
}

static int read_head(struct plain_stream *s, struct error *err)
{
	const char *line;
	do {
		ssize_t n = read_line(s, TRANSPORT_ANSWER_MS, &line, err);
		if (n < 0)
			return lost_head(n, err);
		if (status_line(s, line, (size_t)n, err) < 0)
			return -1;
		while ((n = read_line(s, TRANSPORT_ANSWER_MS, &line, err)) > 0)
			if (head_line(s, line, (size_t)n, err) < 0)
				return -1;
		if (n < 0)
			return lost_head(n, err);
	} while (s->base.head.status < 200);
	if (s->is_chunked)
		s->left = 0;
	else if (s->base.head.status == 204 || s->base.head.status == 304 ||
	         (s->has_length && s->left == 0))
		s->is_done = true;
	else if (!s->has_length)
		s->keeps_alive = false;
	return 0;
}

static void build_head(const struct plain *t, const struct transport_question *q,
                       struct buffer *head)
{
	(void)buffer_printf(head, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", q->method,
	                    t->url.prefix ? t->url.prefix : "", q->path,
	                    t->url.authority ? t->url.authority : "localhost");
	for (const char *const *h = q->headers; h && *h; h++)
		(void)buffer_printf(head, "%s\r\n", *h);
	if (q->body_fd >= 0)
		(void)buffer_add_text(head, "Transfer-Encoding: chunked\r\n");
	else if (q->body || strcmp(q->method, "GET") != 0)
		(void)buffer_printf(head, "Content-Length: %zu\r\n", q->body_len);
	(void)buffer_add_text(head, "\r\n");
}

static int send_file(struct plain_stream *s, int body_fd, struct error *err)
{
	static const size_t piece = 256 << 10;
	autofree char *data = xmalloc(piece + 32);
	bool early = false;
	for (;;) {
		ssize_t n = read(body_fd, data + 16, piece);
		if (n < 0)
			return fail_errno(err, E_INVALID, errno, "Cannot read the file");
		/* The chunk's size line stands right-aligned in front of its data. */
		char size[17];
		int digits = snprintf(size, sizeof size, "%zx\r\n", (size_t)n);
		memcpy(data + 16 - digits, size, (size_t)digits);
		memcpy(data + 16 + n, "\r\n", 2);
		if (plain_socket_send(s->fd, data + 16 - digits, (size_t)digits + (size_t)n + 2,
		                      &early, err) < 0)
			return -1;
		if (early)
			s->keeps_alive = false;
		if (early || n == 0)
			return 0;
	}
}

static int exchange(struct plain *t, const struct transport_question *q, struct plain_stream *s,
                    struct error *err)
{
	autobuffer struct buffer head = BUFFER_INIT(16u << 20);
	build_head(t, q, &head);
	if (q->body && buffer_add(&head, q->body, q->body_len) < 0)
		return fail(err, E_TOO_LARGE, "The request is larger than 16 MiB");
	bool early = false;
	if (plain_socket_send(s->fd, head.data, head.len, &early, err) < 0)
		return -1;
	if (q->body_fd >= 0 && send_file(s, q->body_fd, err) < 0)
		return -1;
	return read_head(s, err);
}

static void plain_close(struct transport_stream *stream)
{
	struct plain_stream *s = (struct plain_stream *)stream;
	struct plain *t = (struct plain *)stream->transport;
	if (s->fd >= 0 && s->is_done && s->keeps_alive && t->idle_fd < 0 && s->start == s->end)
		t->idle_fd = take_fd(&s->fd);
	if (s->fd >= 0)
		(void)close(s->fd);
	free(s);
}

/* A server of HTTPS hangs up on plain HTTP without a word. */
static int no_answer(const struct plain *t, bool has_head, struct error *err)
{
	if (t->socket_path || err->code != E_UNAVAILABLE)
		return -1;
	if (!has_head)
		return fail(err, E_UNAVAILABLE,
		            "No answer from http://%s%s: it hung up; if it speaks HTTPS, write "
		            "https:// in HF_ENDPOINT",
		            t->url.authority, t->url.prefix);
	return error_prefix(err, "No answer from http://%s%s", t->url.authority, t->url.prefix);
}

static int connect_to(const struct plain *t, int *ret_fd, struct error *err)
{
	if (t->socket_path)
		return plain_socket_connect_unix(t->socket_path, ret_fd, err);
	if (plain_socket_connect(t->url.host, t->url.port, ret_fd, err) < 0)
		return error_prefix(err, "Cannot reach http://%s%s", t->url.authority,
		                    t->url.prefix);
	return 0;
}

static int plain_ask(struct transport *base, const struct transport_question *q,
                     struct transport_stream **ret, struct error *err)
{
	struct plain *t = (struct plain *)base;
	bool is_kept = t->idle_fd >= 0 && q->body_fd < 0;
	for (;;) {
		struct plain_stream *s = xcalloc(1, sizeof *s);
		s->base.transport = base;
		s->fd = is_kept ? take_fd(&t->idle_fd) : -1;
		if (s->fd < 0 && connect_to(t, &s->fd, err) < 0) {
			transport_close(&s->base);
			return -1;
		}
		if (exchange(t, q, s, err) == 0) {
			*ret = &s->base;
			return 0;
		}
		bool has_head = s->base.head.status != 0;
		bool got_nothing = !has_head && s->end == 0;
		transport_close(&s->base);
		/* The server may close a kept connection at any time: that is no failure. */
		if (!is_kept || !got_nothing || err->code == E_CONFLICT)
			return no_answer(t, has_head, err);
		is_kept = false;
	}
}

/* 1: a chunk has begun; 0: that was the last. Every step may time out and is taken up again. */
static ssize_t next_chunk(struct plain_stream *s, int timeout_ms, struct error *err)
{
	const char *line;
	ssize_t n;
	if (s->wants_crlf) {
		n = read_line(s, timeout_ms, &line, err);
		if (n != 0)
			return n < 0 ? n : broken(err);
		s->wants_crlf = false;
	}
	if (!s->in_trailer) {
		n = read_line(s, timeout_ms, &line, err);
		if (n < 0)
			return n;
		if (n == 0 || strspn(line, "0123456789abcdefABCDEF") > 15 ||
		    !isxdigit((unsigned char)*line))
			return broken(err);
		s->left = strtoull(line, NULL, 16);
		s->in_trailer = s->left == 0;
		s->wants_crlf = s->left > 0;
		if (s->left)
			return 1;
	}
	while ((n = read_line(s, timeout_ms, &line, err)) > 0)
		;
	if (n == 0)
		s->is_done = true;
	return n;
}

static ssize_t plain_read(struct transport_stream *stream, void *data, size_t max, int timeout_ms,
                          struct error *err)
{
	struct plain_stream *s = (struct plain_stream *)stream;
	if (s->is_done)
		return 0;
	if (s->is_chunked && s->left == 0) {
		ssize_t n = next_chunk(s, timeout_ms, err);
		if (n <= 0)
			return n;
	}
	if (s->start == s->end) {
		ssize_t n = fill(s, timeout_ms, err);
		if (n < 0)
			return n;
		if (n == 0) {
			if (s->is_chunked || s->has_length)
				return broken(err);
			s->is_done = true;
			return 0;
		}
	}
	size_t n = s->end - s->start;
	if (n > max)
		n = max;
	if ((s->is_chunked || s->has_length) && n > s->left)
		n = (size_t)s->left;
	memcpy(data, s->raw + s->start, n);
	s->start += n;
	if (s->is_chunked || s->has_length)
		s->left -= n;
	if (s->has_length && !s->is_chunked && s->left == 0)
		s->is_done = true;
	return (ssize_t)n;
}

static int plain_fd(const struct transport_stream *stream)
{
	return ((const struct plain_stream *)stream)->fd;
}

static void plain_free(struct transport *base)
{
	struct plain *t = (struct plain *)base;
	if (t->idle_fd >= 0)
		(void)close(t->idle_fd);
	transport_url_clear(&t->url);
	free(t->socket_path);
	free(t);
}

static const struct transport_kind plain_kind = {
        .ask = plain_ask,
        .read = plain_read,
        .fd = plain_fd,
        .close = plain_close,
        .free = plain_free,
};

struct transport *transport_plain_new(const struct transport_url *url)
{
	struct plain *t = xcalloc(1, sizeof *t);
	t->base.kind = &plain_kind;
	t->idle_fd = -1;
	t->url = (struct transport_url){.host = xstrdup(url->host),
	                                .port = xstrdup(url->port),
	                                .authority = xstrdup(url->authority),
	                                .prefix = xstrdup(url->prefix)};
	return &t->base;
}

struct transport *transport_plain_new_unix(const char *socket_path)
{
	struct plain *t = xcalloc(1, sizeof *t);
	t->base.kind = &plain_kind;
	t->idle_fd = -1;
	t->socket_path = xstrdup(socket_path);
	return &t->base;
}
