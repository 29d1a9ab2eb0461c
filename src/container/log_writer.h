/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log pump of a monitor: bytes of the job's pipe become records of `log` (log_format.h).
 * Nothing is lost and nothing doubled; the job waits on its pipe when the disk is slower than it
 * is.
 *
 *   log_writer_open     makes `log`
 *   log_writer_pipe     the pipe for the job: write end = its stdout and stderr, close it after the
 *                       start so that only the job holds it
 *   log_writer_attach   from now on the poller drives it
 *   log_writer_system   a line of ours, at any time (the marker before the start)
 *   log_writer_finish   after the job's tree is dead: drains the pipe, writes what is pending,
 * makes all of it durable. Then exit.json, then log_compress().
 *
 * No space left: the record stays in memory and is tried again (100 ms … 2 s) while the job blocks
 * on its full pipe; nothing is lost. After give_up_ms without progress output is read and dropped,
 * so that the job goes on; once there is room again a system line tells how much is missing.
 */
#ifndef HEARTH_CONTAINER_LOG_WRITER_H
#define HEARTH_CONTAINER_LOG_WRITER_H

#include "base/error.h"
#include "container/poller.h"

#include <stdint.h>

#define LOG_GIVE_UP_MS (10 * 60 * 1000)

struct log_writer;

/* `dir_fd` is borrowed for the writer's life. `limit_bytes` 0: no limit; values under 256 KiB count
 * as 256 KiB. `give_up_ms` 0: LOG_GIVE_UP_MS. */
int log_writer_open(int dir_fd, int64_t limit_bytes, int64_t give_up_ms, struct log_writer **ret,
                    struct error *err);
void log_writer_free(struct log_writer *w);

/* Both ends close-on-exec; the read end non-blocking, of the largest size allowed. */
int log_writer_pipe(int *ret_read_fd, int *ret_write_fd, struct error *err);

/* `take_fd`: the read end. Watches it, and keeps its own timers. */
void log_writer_attach(struct log_writer *w, struct poller *poller, int take_fd);

/* One system record; control characters become blanks, cut at 4 KiB. */
void log_writer_system(struct log_writer *w, const char *text);

/* Feed bytes without a pipe (tests, bench). */
void log_writer_feed(struct log_writer *w, const char *data, size_t len);
/* Write the pending partial line if it did not grow for a second at `now_ms` (clock_monotonic_ms);
 * returns when to ask again, -1: nothing pending. The poller does this after log_writer_attach().
 */
int64_t log_writer_tick(struct log_writer *w, int64_t now_ms);

/* Blocks: until the pipe is empty and everything is on disk. E_UNAVAILABLE when the disk stayed
 * full for 10 s: what could be written is there, ending with a whole record. */
int log_writer_finish(struct log_writer *w, struct error *err);
int64_t log_writer_bytes(const struct log_writer *w); /* size of `log`, the gap included */

/* log → log.zst + log.zst.index when it is over 64 KiB, then removes `log`; the gap of a limited
 * log stays a run of zeros. Any failure leaves `log` as it was. */
int log_compress(int dir_fd, struct error *err);

#endif
