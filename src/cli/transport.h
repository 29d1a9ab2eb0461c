/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to one server, blocking. Two kinds do the work: sockets of ours for http:// and Unix
 * sockets, and libcurl for everything that needs TLS or a proxy. libcurl is loaded only when it is
 * needed: loading it takes longer than all of `hearth ps`.
 */
#ifndef HEARTH_CLI_TRANSPORT_H
#define HEARTH_CLI_TRANSPORT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TRANSPORT_CONNECT_MS 10000
#define TRANSPORT_ANSWER_MS 120000 /* until the head of the answer is there */

struct transport_question {
	const char *method;
	const char *path;           /* "/api/…?…", already encoded */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const void *body;
	size_t body_len;
	int body_fd; /* -1: none; else the body is read from there to its end */
};

#define TRANSPORT_QUESTION(method_, path_)                                                         \
	((struct transport_question){.method = (method_), .path = (path_), .body_fd = -1})

struct transport_head {
	int status;
	char *error_message; /* X-Error-Message */
	char *request_id;    /* X-Request-Id */
	char *link;          /* Link */
	char *location;      /* Location */
};

struct transport;
struct transport_stream;

enum { TRANSPORT_FAILED = -1, TRANSPORT_TIMEOUT = -2, TRANSPORT_INTERRUPTED = -3 };

/* `url` is "http[s]://host[:port][/prefix]". */
int transport_open(const char *url, struct transport **ret, struct error *err);
struct transport *transport_open_unix(const char *socket_path);
void transport_free(struct transport *t);

/* Send and wait for the head of the answer, whatever its status. Failure means no answer
 * (E_UNAVAILABLE; E_CONFLICT when Ctrl-C interrupted). */
int transport_ask(struct transport *t, const struct transport_question *question,
                  struct transport_stream **ret, struct error *err);
const struct transport_head *transport_stream_head(const struct transport_stream *stream);
/* Bytes of the body: > 0; 0 at its clean end; or one of the negative values above. `timeout_ms` -1
 * waits for ever. `err` is only set with TRANSPORT_FAILED. */
ssize_t transport_read(struct transport_stream *stream, void *data, size_t max, int timeout_ms,
                       struct error *err);
int transport_fd(const struct transport_stream *stream); /* to poll for reading; -1 unknown */
void transport_close(struct transport_stream *stream);   /* NULL is fine */

#endif
