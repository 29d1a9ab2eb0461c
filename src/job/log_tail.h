/* SPDX-License-Identifier: Apache-2.0 */
/* Where the last N lines of a log begin, found from its end, a piece per call. */
#ifndef HEARTH_JOB_LOG_TAIL_H
#define HEARTH_JOB_LOG_TAIL_H

#include "job/log_source.h"

struct log_tail {
	int64_t wanted; /* lines still to be found */
	int64_t at;	/* everything from here on belongs to the tail; -1: not begun */
	bool is_in_line; /* what lies before `at` may be the beginning of the line behind it */
};

/* True when done: `at` is the beginning of the tail, or the beginning of the log with lines still
 * wanted. The marker at the log's beginning is not a line. */
bool log_tail_step(struct log_tail *tail, struct log_source *source);

#endif
