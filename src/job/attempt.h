/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts: from the scheduler's choice to the backend's last word. */
#ifndef HEARTH_JOB_ATTEMPT_H
#define HEARTH_JOB_ATTEMPT_H

#include "job/active.h"

/* The scheduler chose it: write the attempt's row; the backend is asked after the commit. */
void attempt_create(struct job_service *service, struct active_job *job);
/* After the commit: have the backend start it. */
void attempt_start(struct job_service *service, struct active_job *job);
/* Have the backend take over an attempt that is live in the database. */
void attempt_adopt(struct job_service *service, struct active_job *job);
/* How long it has run by the monotonic clock; -1: it does not run, or its monitor has not told yet. */
int64_t attempt_running_us(const struct active_job *job);
/* What the backend calls. */
struct backend_events attempt_events(struct job_service *service);

#endif
