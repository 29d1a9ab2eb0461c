/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding as the router, the query accessors and outgoing links need it. */
#include "net/uri.h"

#include "base/utf8.h"

#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long uri_decode(const char *text, size_t len, bool plus_is_space, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
			int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return -1;
		out[n++] = c;
	}
	out[n] = '\0';
	return utf8_is_valid(out, n) ? (long)n : -1;
}

int uri_encode(struct buffer *ret, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const char *p = text; *p; p++) {
		char escaped[3] = {'%', hex[(unsigned char)*p >> 4], hex[*p & 15]};
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		             (*p >= '0' && *p <= '9') || strchr("-._~", *p);

		if (buffer_add(ret, plain ? p : escaped, plain ? 1 : 3) < 0)
			return -1;
	}
	return 0;
}

const char *uri_next_pair(const char *query, struct uri_pair *ret)
{
	while (*query == '&')
		query++;
	if (*query == '\0')
		return NULL;
	size_t len = strcspn(query, "&");
	const char *equals = memchr(query, '=', len);

	ret->name = query;
	ret->name_len = equals ? (size_t)(equals - query) : len;
	ret->value = equals ? equals + 1 : query + len;
	ret->value_len = len - (size_t)(ret->value - query);
	return query + len;
}
