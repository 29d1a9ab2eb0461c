/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stored log of one attempt (container/log_format.h), shared by all streams that read it: one
 * descriptor and one inotify watch per log, however many followers. Plain and compressed logs look
 * the same: positions are those of the plain log.
 *
 * There is one loop and one reader at a time: what log_source_read() returns lies in a window that
 * all sources share, so ten thousand followers at the same line read it from the disk once.
 */
#ifndef HEARTH_JOB_LOG_SOURCE_H
#define HEARTH_JOB_LOG_SOURCE_H

#include "container/log_format.h"
#include "net/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_RECORD_MAX (LOG_PREFIX_LENGTH + LOG_PIECE_MAX + 1)

struct log_source;

/* A follower is told when there may be more. Embedded in its owner. */
struct log_follower {
	struct log_follower *next, **place;
	void (*wake)(void *arg);
	void *arg;
};

struct log_gap {
	int64_t from, to, records; /* from == to: there is none */
};

/* attempts/<name>; NULL if there is no such folder. Each get wants its put. */
struct log_source *log_source_get(struct loop *loop, int attempts_fd, const char *name);
void log_source_put(struct log_source *source);
void log_source_follow(struct log_source *source, struct log_follower *follower);
void log_source_unfollow(struct log_follower *follower);

/* Bytes at `offset`: at least `want` of them (at most LOG_WINDOW_SIZE) unless the log ends before;
 * 0 at its end, and within the gap. Borrowed until the next read of any source. */
#define LOG_WINDOW_SIZE (256 * 1024)
size_t log_source_read(struct log_source *source, int64_t offset, size_t want, const char **ret);
int64_t log_source_size(struct log_source *source);
struct log_gap log_source_gap(const struct log_source *source);

/* True once nothing will be written any more. */
bool log_source_is_complete(const struct log_source *source);
/* Look whether the exit record is there; `is_over`: it is known otherwise that the attempt is over.
 * What log_source_read() returns after a true answer is all there is. */
bool log_source_look(struct log_source *source, bool is_over);

#endif
