/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a maximum. Every buffer is created with its maximum, and passing it is
 * an ordinary failure: the call returns -1 and the buffer is unchanged. `data` is always followed by
 * a NUL that is not counted; it is NULL before the first byte (use buffer_text() for a string).
 */
#ifndef HEARTH_BASE_BUFFER_H
#define HEARTH_BASE_BUFFER_H

#include <stddef.h>
#include <stdarg.h>

struct buffer {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
};

#define BUFFER_INIT(max_bytes) ((struct buffer){ .max = (max_bytes) })
#define autobuffer __attribute__((cleanup(buffer_clear)))

void buffer_clear(struct buffer *b); /* frees; the buffer is empty and usable again */
void buffer_reset(struct buffer *b); /* len = 0, memory kept */
int buffer_reserve(struct buffer *b, size_t extra);
int buffer_add(struct buffer *b, const void *data, size_t len);
int buffer_add_text(struct buffer *b, const char *text);
int buffer_add_byte(struct buffer *b, char c);
int buffer_printf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buffer_vprintf(struct buffer *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
void buffer_drop(struct buffer *b, size_t count); /* remove `count` bytes from the front */
const char *buffer_text(const struct buffer *b);  /* "" when empty; borrowed */
char *buffer_take(struct buffer *b);		  /* yours to free; "" when empty */

#endif
