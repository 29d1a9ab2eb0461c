/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule and its ticks as the API shows them (hub-jobs-api 3.2), written as text. */
#ifndef HEARTH_API_SCHEDULE_JSON_H
#define HEARTH_API_SCHEDULE_JSON_H

#include "base/buffer.h"
#include "job/schedule_service.h"

#include <stdbool.h>

#define SCHEDULE_NEXT_RUNS 5

struct schedule_json_context {
	const struct schedule_service *service;
	const char *base_url; /* no final '/' */
	bool with_next_runs;  /* the extension "nextRuns": the next SCHEDULE_NEXT_RUNS times */
};

/* -1: beyond the buffer's maximum. */
int schedule_json_write(struct buffer *ret, const struct schedule_record *schedule,
			const struct schedule_json_context *context);
int schedule_json_write_tick(struct buffer *ret, const struct tick *tick);

#endif
