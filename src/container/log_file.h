/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file `log` as the pump sees it: whole records are appended; a full disk is an ordinary event;
 * beyond the limit the middle is punched out and `log.gap` says what is missing (log_format.h).
 * Used by log_writer.c only.
 */
#ifndef HEARTH_CONTAINER_LOG_FILE_H
#define HEARTH_CONTAINER_LOG_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_MARKS 64
#define LOG_LIMIT_MIN (256 * 1024)

/* A record boundary, and how many records lie before it. */
struct log_mark {
	int64_t offset, records;
};

struct log_file {
	int dir_fd, fd;
	int64_t size;         /* written */
	int64_t limit_bytes;  /* 0: none */
	int64_t next_mark;    /* the first boundary at or behind this offset is wanted as a mark */
	struct log_mark from; /* the gap, once the limit is passed; from.offset -1: not yet known */
	struct log_mark to;
	bool is_punching; /* false once the file system refused to */
	struct log_mark marks[LOG_MARKS];
	size_t n_marks; /* ever made; the newest is at (n_marks - 1) % LOG_MARKS */
};

int log_file_open(struct log_file *f, int dir_fd, int64_t limit_bytes, struct error *err);
void log_file_close(struct log_file *f);

/* A record that will lie at [start, end) with `records` before it. Call when end >= next_mark. */
void log_file_mark(struct log_file *f, int64_t start, int64_t end, int64_t records);

/* Append up to `len` bytes; returns how many were written, perhaps 0: errno says why. Bytes are
 * whole records taken together, but a call may end inside of one. */
size_t log_file_append(struct log_file *f, const char *data, size_t len);
/* Take back the last `bytes` and forget marks behind the new end. */
void log_file_truncate(struct log_file *f, int64_t bytes);

#endif
