/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a stream of bytes into events. A line that lies whole in the piece is not copied. */
#include "cli/sse.h"

#include <string.h>

static int take_line(const char *line, size_t len, sse_event_fn *fn, void *arg, struct error *err)
{
	static const char prefix[] = "data: {";
	if (len && line[len - 1] == '\r')
		len--;
	if (len < sizeof prefix - 1 || memcmp(line, prefix, sizeof prefix - 1) != 0)
		return 0;
	return fn(arg, line + 6, len - 6, err);
}

int sse_feed(struct sse *sse, const char *data, size_t len, sse_event_fn *fn, void *arg,
             struct error *err)
{
	while (len) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;
		if (!newline || sse->line.len) {
			if (buffer_add(&sse->line, data, n) < 0)
				return fail(err, E_UNAVAILABLE,
				            "The server sent an event of more than %u MiB",
				            SSE_LINE_MAX >> 20);
		}
		if (!newline)
			return 0;
		int rc;
		if (sse->line.len) {
			rc = take_line(sse->line.data, sse->line.len, fn, arg, err);
			/* A huge line must not keep its memory for the life of the stream. */
			if (sse->line.cap > (1u << 20))
				buffer_clear(&sse->line);
			else
				buffer_reset(&sse->line);
		} else {
			rc = take_line(data, n, fn, arg, err);
		}
		if (rc < 0)
			return -1;
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

void sse_clear(struct sse *sse)
{
	buffer_clear(&sse->line);
}
