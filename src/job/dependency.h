/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that run after others (label hearth.after). A job waits until all of them have COMPLETED;
 * when one of them ends in any other way it is CANCELED with a sentence that says which and (in its
 * own namespace) why, and so are those that wait for it. Ids of jobs that the caller may not read
 * are "not found"; they may be of other namespaces. Waiting for an array is waiting for its end;
 * its elements wait with it.
 *
 * The rows say what is still to be settled: one is written with the job that waits and removed in
 * the transaction that releases or cancels it. What hangs on one end is done in slices, a few
 * milliseconds per turn, the first in the turn of that end; after a crash recovery finds the rows
 * that are left.
 */
#ifndef HEARTH_JOB_DEPENDENCY_H
#define HEARTH_JOB_DEPENDENCY_H

#include "base/error.h"
#include "job/service.h"
#include "job/wishes.h"

#include <stdbool.h>

struct account;
struct dependency_queue;

struct dependency_queue *dependency_queue_new(struct job_service *service);
void dependency_queue_free(struct dependency_queue *queue);

/* At submission (`job_id` NULL) and when the label changes: do all exist, may the caller read them,
 * is there no cycle, has none failed already? E_INVALID, E_NOT_FOUND; E_CONFLICT: one has failed
 * already. */
int dependency_check(struct job_service *service, const char *job_id, const struct account *caller,
                     const struct job_wishes *wishes, struct error *err);
/* Write the rows of those that have not completed; false: there are none, it need not wait. */
bool dependency_insert(struct job_service *service, const char *job_id,
                       const struct job_wishes *wishes);
/* The label of a job that has not started was changed, and dependency_check() was asked. */
void dependency_replace(struct job_service *service, const char *job_id,
                        const struct job_wishes *wishes);
/* A job has ended, in this turn: release or cancel who waits for it. */
void dependency_job_ended(struct job_service *service, const struct job_record *job);
/* After a restart, with the queue filled: who waits, and what ended while nobody looked. */
void dependency_recover(struct job_service *service);
/* "Waiting for job ID (RUNNING) and 2 others" */
void dependency_explain(struct job_service *service, const char *job_id, char *ret, size_t size);

#endif
