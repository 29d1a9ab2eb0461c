/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds of transport implement; for transport*.c only. */
#ifndef HEARTH_CLI_TRANSPORT_KIND_H
#define HEARTH_CLI_TRANSPORT_KIND_H

#include "cli/transport.h"

struct transport_kind {
	int (*ask)(struct transport *t, const struct transport_question *question,
	           struct transport_stream **ret, struct error *err);
	ssize_t (*read)(struct transport_stream *stream, void *data, size_t max, int timeout_ms,
	                struct error *err);
	int (*fd)(const struct transport_stream *stream);
	void (*close)(struct transport_stream *stream); /* the head is cleared by the caller */
	void (*free)(struct transport *t);
};

/* The first members of each kind's own structs. */
struct transport {
	const struct transport_kind *kind;
};

struct transport_stream {
	struct transport *transport;
	struct transport_head head;
};

struct transport_url {
	bool is_tls;
	char *host; /* without brackets */
	char *port;
	char *authority; /* for the Host header */
	char *prefix;    /* path in front of every path; "" if none */
};

int transport_url_parse(const char *url, struct transport_url *ret, struct error *err);
void transport_url_clear(struct transport_url *url);

/* One header line "Name: value" of the answer, without line end. */
void transport_head_line(struct transport_head *head, const char *line, size_t len);
/* The value if the line is the header `name`; blanks around it are gone. Borrowed from `line`. */
bool transport_header_is(const char *line, size_t len, const char *name, const char **ret_value,
                         size_t *ret_len);

struct transport *transport_plain_new(const struct transport_url *url);
struct transport *transport_plain_new_unix(const char *socket_path);
int transport_curl_new(const char *url, struct transport **ret, struct error *err);

#endif
