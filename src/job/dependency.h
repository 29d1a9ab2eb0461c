/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that run after others (label hearth.after). A job waits until all of them have COMPLETED; when one
 * of them ends in any other way it is CANCELED with a sentence that says which and why, and so are
 * those that wait for it. Ids of jobs that the caller may not read are "not found"; they may be of other
 * namespaces.
 */
#ifndef HEARTH_JOB_DEPENDENCY_H
#define HEARTH_JOB_DEPENDENCY_H

#include "base/error.h"
#include "job/service.h"
#include "job/wishes.h"

#include <stdbool.h>

struct account;

/* At submission (`job_id` NULL) and when the label changes: do all exist, may the caller read them, is
 * there no cycle, has none failed already? E_INVALID, E_NOT_FOUND; E_CONFLICT: one has failed already. */
int dependency_check(struct job_service *service, const char *job_id, const struct account *caller,
		     const struct job_wishes *wishes, struct error *err);
/* Write the rows of those that have not completed; false: there are none, it need not wait. */
bool dependency_insert(struct job_service *service, const char *job_id, const struct job_wishes *wishes);
/* A job has ended, in this turn: release or cancel who waits for it. */
void dependency_job_ended(struct job_service *service, const struct job_record *job);
/* Does it still wait (after a restart)? Also settles what ended while nobody looked. */
bool dependency_is_waiting(struct job_service *service, const char *job_id);
/* "Waiting for job ID (RUNNING) and 2 others" */
void dependency_explain(struct job_service *service, const char *job_id, char *ret, size_t size);

#endif
