/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding and query strings (RFC 3986, and '+' for a space in queries). */
#ifndef HEARTH_NET_URI_H
#define HEARTH_NET_URI_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Decode `len` bytes into `out` (at least len + 1 bytes) and end it with NUL. Returns the length,
 * or -1 for a broken escape, a control character, or bytes that are not UTF-8. */
long uri_decode(const char *text, size_t len, bool plus_is_space, char *out);
/* Append with everything but unreserved characters escaped. -1 beyond the buffer's maximum. */
int uri_encode(struct buffer *ret, const char *text);

/* Walk over "a=b&c=d": sets name and value (encoded, borrowed) and returns where to go on; NULL at
 * the end. */
struct uri_pair {
	const char *name, *value;
	size_t name_len, value_len;
};
const char *uri_next_pair(const char *query, struct uri_pair *ret);

#endif
