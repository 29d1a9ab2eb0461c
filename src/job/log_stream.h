/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a job as server-sent events (hub-jobs-api 2.7): all attempts in order, each line one
 * `data: {"data":…,"timestamp":…}` event, from the beginning or the last N lines. Reading again gives
 * the same events in the same order, for ever. While the job is not settled the stream stays open:
 * new lines as they come (inotify), `: keep-alive` every 30 s of silence; then it ends.
 *
 * A stream holds no line in memory: it remembers a file offset and renders from the file into the
 * caller's space, so that a follower costs a few hundred bytes and a slow one costs no more.
 */
#ifndef HEARTH_JOB_LOG_STREAM_H
#define HEARTH_JOB_LOG_STREAM_H

#include "job/service.h"

#include <sys/types.h>

struct log_stream;

/* `tail` -1: everything; else the last N lines stored now, then new ones. `wake` is called when
 * log_stream_fill() may have more after it returned 0. */
struct log_stream *log_stream_new(struct job_service *service, const char *job_id, int64_t tail,
				  void (*wake)(void *arg), void *arg);
/* As http_stream_source.fill: > 0 bytes, 0 nothing now, -1 the end. */
ssize_t log_stream_fill(struct log_stream *stream, char *data, size_t max);
void log_stream_free(struct log_stream *stream);

#endif
