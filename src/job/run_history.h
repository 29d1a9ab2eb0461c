/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long jobs like this one ran, to tell how long others will wait. Jobs are alike when namespace,
 * flavor and name (label `name` or the schedule, else image and first words of the command) are. In
 * memory, bounded; after a restart filled from the newest rows.
 */
#ifndef HEARTH_JOB_RUN_HISTORY_H
#define HEARTH_JOB_RUN_HISTORY_H

#include "store/jobs.h"

#include <stdint.h>

struct run_history;

struct run_history *run_history_new(void);
void run_history_free(struct run_history *history);
void run_history_load(struct run_history *history, struct database *db);
void run_history_add(struct run_history *history, const struct job_record *job, int64_t running_ms);
/* A length that most of them did not pass (about the 80th percentile); 0: never seen. */
int64_t run_history_expect(const struct run_history *history, const struct job_record *job);

#endif
