/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The total limit of logs (setting jobs.total_log_bytes): every few minutes the attempt folders are
 * measured, a few per turn, and when they pass the limit the oldest folders of finished jobs are
 * removed until 90 % are left. A job's record outlives its folder.
 */
#ifndef HEARTH_JOB_RETENTION_H
#define HEARTH_JOB_RETENTION_H

#include "job/service.h"

struct retention;

struct retention *retention_new(struct job_service *service); /* NULL when there is no limit */
void retention_free(struct retention *retention);
/* One whole pass at once; for tests. */
void retention_run(struct retention *retention);

#endif
