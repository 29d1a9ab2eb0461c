/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events as the Hub speaks them (hub-jobs-api 0.8): one event is one line that starts
 * with "data: {". Everything else is skipped. Bytes come in pieces of any size.
 */
#ifndef HEARTH_CLI_SSE_H
#define HEARTH_CLI_SSE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

#define SSE_LINE_MAX (256u << 20) /* bytes of one event */

struct sse {
	struct buffer line; /* the unfinished one */
};

#define SSE_INIT ((struct sse){.line = BUFFER_INIT(SSE_LINE_MAX)})

/* The JSON text of an event, borrowed, not NUL-terminated. -1 stops (with `err`). */
typedef int sse_event_fn(void *arg, const char *json, size_t len, struct error *err);

int sse_feed(struct sse *sse, const char *data, size_t len, sse_event_fn *fn, void *arg,
             struct error *err);
void sse_clear(struct sse *sse);

#endif
