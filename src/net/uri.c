/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding as the router, the query accessors and outgoing links need it. */
#include "net/uri.h"

#include <stdint.h>
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

/* Length of the UTF-8 sequence at `s`, 0 if it is none (overlong and surrogates included). */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;
	uint32_t code;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (left < len)
		return 0;
	code = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

bool uri_is_utf8(const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence((const unsigned char *)text + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
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
	return uri_is_utf8(out, n) ? (long)n : -1;
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
