/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer. Its memory doubles, so adding byte by byte stays cheap. */
#include "base/buffer.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_clear(struct buffer *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}

void buffer_reset(struct buffer *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

int buffer_reserve(struct buffer *b, size_t extra)
{
	if (extra > b->max - b->len)
		return -1;
	size_t need = b->len + extra + 1;
	if (need <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
	b->data[b->len] = '\0';
	return 0;
}

int buffer_add(struct buffer *b, const void *data, size_t len)
{
	if (buffer_reserve(b, len) < 0)
		return -1;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buffer_add_text(struct buffer *b, const char *text)
{
	return buffer_add(b, text, strlen(text));
}

int buffer_add_byte(struct buffer *b, char c)
{
	return buffer_add(b, &c, 1);
}

int buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = buffer_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

int buffer_vprintf(struct buffer *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	int rc = -1;
	if (len >= 0 && buffer_reserve(b, (size_t)len) == 0) {
		(void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
		rc = 0;
	}
	va_end(again);
	return rc;
}

void buffer_drop(struct buffer *b, size_t count)
{
	if (count >= b->len) {
		buffer_reset(b);
		return;
	}
	memmove(b->data, b->data + count, b->len - count);
	b->len -= count;
	b->data[b->len] = '\0';
}

const char *buffer_text(const struct buffer *b)
{
	return b->data ? b->data : "";
}

char *buffer_take(struct buffer *b)
{
	char *text = b->data ? b->data : xstrdup("");
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
	return text;
}
