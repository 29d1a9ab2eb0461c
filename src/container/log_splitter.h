/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in, records out (log_format.h), no input or output of its own. The same bytes give the same
 * records however they are cut into pieces; only log_splitter_flush() depends on time.
 *
 *	space = log_splitter_space(s, &room); … put n bytes there …; log_splitter_added(s, n);
 *	while (log_splitter_run(s, prefix…) …) write s->out, s->out_len; s->out_len = 0;
 */
#ifndef HEARTH_CONTAINER_LOG_SPLITTER_H
#define HEARTH_CONTAINER_LOG_SPLITTER_H

#include "container/log_format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_READ_SIZE (128 * 1024)
#define LOG_IN_SIZE (LOG_PIECE_MAX + LOG_READ_SIZE + 4096)
#define LOG_OUT_SIZE (256 * 1024)

struct log_splitter {
	char *in;                /* NULL while nothing flows and nothing is pending */
	size_t start, scan, end; /* in[start, end) is pending; no newline in [start, scan) */
	char *out;
	size_t out_len;
	int64_t records;   /* made so far */
	bool is_continued; /* the last record was a 'c' */
	bool is_flushed;   /* the last record was written before its newline came */
	int64_t prefix_ms; /* what `prefix` says */
	char prefix[LOG_PREFIX_LENGTH];
	/* Called for a record that will end at or behind `mark_at` bytes of output. */
	int64_t out_base; /* offset of out[0] in the file */
	int64_t mark_at;
	void (*mark)(void *arg, int64_t start, int64_t end, int64_t records);
	void *mark_arg;
};

void log_splitter_init(struct log_splitter *s);
void log_splitter_clear(struct log_splitter *s);

/* Where the next bytes of the job go, at least LOG_READ_SIZE of them when the last run was
 * complete. */
char *log_splitter_space(struct log_splitter *s, size_t *ret_room);
void log_splitter_added(struct log_splitter *s, size_t count);

void log_splitter_time(struct log_splitter *s, int64_t now_ms);
/* Make records until the input holds no whole line (returns true) or `out` is full (false: empty it
 * and call again). */
bool log_splitter_run(struct log_splitter *s);
/* Make a record of the pending partial line. Unless `is_end`, an unfinished character stays
 * pending. `out` must have been emptied. */
void log_splitter_flush(struct log_splitter *s, bool is_end);
bool log_splitter_system(struct log_splitter *s, const char *text); /* false: `out` is full */

size_t log_splitter_pending(const struct log_splitter *s);
/* Would a flush write anything? */
bool log_splitter_can_flush(const struct log_splitter *s);
/* Give memory back while little or nothing flows. */
void log_splitter_shrink(struct log_splitter *s);

#endif
