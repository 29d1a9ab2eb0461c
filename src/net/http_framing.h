/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the head of a request one that every party in front of us reads in the same way? The checks of
 * RFC 9112 sections 3, 5 and 6 that libmicrohttpd leaves out; what fails here is answered with 400
 * and the connection is closed.
 */
#ifndef HEARTH_NET_HTTP_FRAMING_H
#define HEARTH_NET_HTTP_FRAMING_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_field {
	const char *name, *value;
	size_t name_len, value_len;
};

struct http_head {
	const char *method; /* start of the head's bytes */
	const char *path, *query; /* as sent, apart from each other */
	const char *target;	  /* where they lay in the head; by now overwritten in part */
	size_t target_len;
	const char *version; /* "HTTP/1.1" */
	const struct http_field *fields;
	size_t n_fields;
	size_t size; /* of the whole head, empty line included */
};

struct http_framing {
	bool is_chunked;
	bool has_length;
	uint64_t length; /* 0 unless has_length */
};

/* Request line and fields. E_INVALID with a sentence that names what is wrong. */
int http_framing_check(const struct http_head *head, struct http_framing *ret, struct error *err);
/* libmicrohttpd 0.9 parses the head where it lies and replaces the separators by NUL. The pieces
 * must still touch each other exactly: otherwise the head had NUL bytes, folded lines, bare line
 * feeds or other things that were silently passed over. */
int http_framing_check_layout(const struct http_head *head, struct error *err);

#endif
