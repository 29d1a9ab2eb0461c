/* SPDX-License-Identifier: Apache-2.0 */
/* Time limits that change: before the job runs or while it does (`hearth extend`, label hearth.timeout). */
#ifndef HEARTH_JOB_EXTEND_H
#define HEARTH_JOB_EXTEND_H

#include "job/service.h"

/* A new limit from the start of each attempt, in seconds. It may be shorter, but not in the past: then and
 * when the job is over E_CONFLICT; E_INVALID above what flavor and settings allow. Durable with the turn;
 * the monitor is told after the commit, and again after a restart. */
int job_set_timeout(struct job_service *service, const char *job_id, int64_t timeout_s, struct error *err);

struct job_time_limit {
	bool is_running;  /* ends_ms and left_s are known */
	bool was_changed; /* since the job was submitted */
	int64_t ends_ms;  /* by the wall clock as it is now */
	int64_t left_s;
};
/* False for a job that is over. */
bool job_find_time_limit(struct job_service *service, const struct job_record *job,
			 struct job_time_limit *ret);

#endif
