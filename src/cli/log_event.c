/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small reader of JSON objects that keeps two of their strings and steps over everything else. It
 * is made for speed with long plain runs: up to the next backslash or quote bytes are copied as
 * they are.
 */
#include "cli/log_event.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DEPTH_MAX 64

struct reader {
	const char *p, *end;
};

static void skip_space(struct reader *r)
{
	while (r->p < r->end && strchr(" \t\r\n", *r->p) && *r->p)
		r->p++;
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->p >= r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

static bool read_hex4(struct reader *r, uint32_t *ret)
{
	if (r->end - r->p < 4)
		return false;
	uint32_t value = 0;
	for (int i = 0; i < 4; i++) {
		char c = *r->p++;
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (uint32_t)((c | 32) - 'a' + 10);
		else
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return true;
}

static int add_utf8(struct buffer *b, uint32_t c)
{
	char text[4];
	size_t n;
	if (c < 0x80) {
		text[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		text[0] = (char)(0xc0 | c >> 6);
		text[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		text[0] = (char)(0xe0 | c >> 12);
		text[1] = (char)(0x80 | (c >> 6 & 0x3f));
		text[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		text[0] = (char)(0xf0 | c >> 18);
		text[1] = (char)(0x80 | (c >> 12 & 0x3f));
		text[2] = (char)(0x80 | (c >> 6 & 0x3f));
		text[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	return buffer_add(b, text, n);
}

/* Behind "\u". A high surrogate takes the low one that follows it; a lonely one is replaced. */
static bool read_unicode(struct reader *r, struct buffer *out)
{
	uint32_t c, low;
	if (!read_hex4(r, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
		struct reader ahead = {r->p + 2, r->end};
		if (!read_hex4(&ahead, &low))
			return false;
		if (low >= 0xdc00 && low < 0xe000) {
			r->p = ahead.p;
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	if (c >= 0xd800 && c < 0xe000)
		c = 0xfffd;
	return !out || add_utf8(out, c) == 0;
}

static bool read_escape(struct reader *r, struct buffer *out)
{
	static const char names[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	if (r->p >= r->end)
		return false;
	char c = *r->p++;
	if (c == 'u')
		return read_unicode(r, out);
	const char *found = c ? strchr(names, c) : NULL;
	if (!found)
		return false;
	return !out || buffer_add_byte(out, meanings[found - names]) == 0;
}

static const char *plain_end(const char *p, const char *end)
{
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The opening quote is taken already. `out` NULL: step over. */
static bool read_string(struct reader *r, struct buffer *out)
{
	while (r->p < r->end) {
		const char *stop = plain_end(r->p, r->end);
		if (out && stop > r->p && buffer_add(out, r->p, (size_t)(stop - r->p)) < 0)
			return false;
		r->p = stop;
		if (r->p >= r->end)
			return false;
		if (*r->p++ == '"')
			return true;
		if (!read_escape(r, out))
			return false;
	}
	return false;
}

/* Steps over any value. Structure inside is followed only as far as needed to find its end. */
static bool skip_value(struct reader *r)
{
	int depth = 0;
	do {
		skip_space(r);
		if (r->p >= r->end)
			return false;
		char c = *r->p++;
		if (c == '"') {
			if (!read_string(r, NULL))
				return false;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return false;
		} else if (c == '}' || c == ']') {
			if (--depth < 0)
				return false;
		} else if (c != ',' && c != ':') {
			while (r->p < r->end && !strchr(",:]} \t\r\n", *r->p))
				r->p++;
		} else if (depth == 0) {
			return false;
		}
	} while (depth > 0);
	return true;
}

static bool read_time(struct reader *r, char time[LOG_EVENT_TIME_SIZE])
{
	autobuffer struct buffer text = BUFFER_INIT(4096);
	if (!read_string(r, &text))
		return false;
	if (text.len && text.len < LOG_EVENT_TIME_SIZE)
		memcpy(time, text.data, text.len + 1);
	return true;
}

static bool read_object(struct reader *r, struct buffer *line, char time[LOG_EVENT_TIME_SIZE])
{
	bool has_data = false;
	if (!take(r, '{'))
		return false;
	if (take(r, '}'))
		return false;
	do {
		autobuffer struct buffer key = BUFFER_INIT(4096);
		if (!take(r, '"') || !read_string(r, &key) || !take(r, ':'))
			return false;
		bool ok;
		if (strcmp(buffer_text(&key), "data") == 0 && !has_data)
			ok = has_data = take(r, '"') && read_string(r, line);
		else if (strcmp(buffer_text(&key), "timestamp") == 0 && take(r, '"'))
			ok = read_time(r, time);
		else
			ok = skip_value(r);
		if (!ok)
			return false;
	} while (take(r, ','));
	return take(r, '}') && has_data;
}

int log_event_decode(const char *json, size_t len, struct buffer *ret_line,
                     char ret_time[LOG_EVENT_TIME_SIZE], struct error *err)
{
	struct reader r = {json, json + len};
	ret_time[0] = '\0';
	if (!read_object(&r, ret_line, ret_time))
		return fail(err, E_UNAVAILABLE,
		            "The server sent a log event that is not of the form "
		            "{\"data\": \"…\", \"timestamp\": \"…\"}");
	return 0;
}
