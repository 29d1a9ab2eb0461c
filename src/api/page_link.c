/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients follow the link verbatim, so the filters are taken over exactly as they were sent. Only
 * what could end the <…> of the header, or the header itself, is encoded.
 */
#include "api/page_link.h"

#include <stdbool.h>
#include <string.h>

static int page_link_add_safe(struct buffer *ret, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool is_unsafe = c <= ' ' || c > '~' || strchr("<>\"\\^`{|}#", c);

		if (is_unsafe ? buffer_printf(ret, "%%%02X", c) < 0
		              : buffer_add_byte(ret, text[i]) < 0)
			return -1;
	}
	return 0;
}

static int page_link_add_filters(struct buffer *ret, const char *query)
{
	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > 0 && strncmp(query, "cursor=", 7) != 0 &&
		    !(len == 6 && strncmp(query, "cursor", 6) == 0)) {
			if (page_link_add_safe(ret, query, len) < 0 ||
			    buffer_add_byte(ret, '&') < 0)
				return -1;
		}
		query += len;
		query += *query == '&';
	}
	return 0;
}

int page_link_write(struct buffer *ret, const char *base_url, const char *path,
                    const char *raw_query, const char *cursor)
{
	if (buffer_add_byte(ret, '<') < 0 ||
	    page_link_add_safe(ret, base_url, strlen(base_url)) < 0 ||
	    page_link_add_safe(ret, path, strlen(path)) < 0 || buffer_add_byte(ret, '?') < 0 ||
	    page_link_add_filters(ret, raw_query) < 0)
		return -1;
	return buffer_printf(ret, "cursor=%s>; rel=\"next\"", cursor);
}
