/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of an array, which has no attempts: rows of kind "array" among its events, one per line,
 * written in the turn of what they tell. Reading again gives the same lines, for ever; lines that
 * are not on disk yet are not there yet, and none is written once the array's stage is terminal.
 */
#ifndef HEARTH_JOB_LOG_ARRAY_H
#define HEARTH_JOB_LOG_ARRAY_H

#include "job/log_stream_private.h"

/* One line; its followers are told after the commit. */
void log_array_write(struct job_service *service, const char *array_id, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* Where one reader is. `tail` -1: at the beginning. */
struct log_array;
struct log_array *log_array_new(struct job_service *service, const char *array_id, int64_t tail);
void log_array_free(struct log_array *log);
/* As much of the next line as fits. */
enum log_step log_array_step(struct log_array *log, struct log_space *space);

#endif
