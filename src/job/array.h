/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays (label hearth.array=A-B): one submission makes a job that never runs itself, the array, and one
 * job per number, its elements. An element has the array's specification and labels without the
 * array's own, the labels hearth.array-of=ID and hearth.array-index=N, and the variables HEARTH_ARRAY_ID,
 * HEARTH_ARRAY_INDEX, HEARTH_ARRAY_FIRST, HEARTH_ARRAY_LAST in its environment. The array is
 * RUNNING from its first element's start, and ends when all have: COMPLETED if all did,
 * else ERROR "3 of 100 elements failed: …" (CANCELED if it was cancelled, which cancels what is left).
 * Its log has a line for each element that started or ended. It is not billed. Duplicating it makes the whole array
 * again; with the label hearth.array-retry=ID, only the elements that have not COMPLETED there.
 */
#ifndef HEARTH_JOB_ARRAY_H
#define HEARTH_JOB_ARRAY_H

#include "base/error.h"
#include "job/service.h"
#include "job/wishes.h"

/* After the array's own row was written, in the same turn: make its elements. */
int array_submit(struct job_service *service, const struct job_record *array,
		 const struct job_wishes *wishes, struct error *err);
/* A job is RUNNING or has ended, in this turn; nothing unless it is an element. */
void array_element_changed(struct job_service *service, const struct job_record *job);
/* The array was cancelled, in this turn: cancel its elements. */
void array_canceled(struct job_service *service, const struct job_record *array);
bool array_is_array(struct database *db, const char *job_id);
/* "Elements: 12 waiting, 4 running, 80 completed, 4 failed" */
void array_explain(struct job_service *service, const char *job_id, char *ret, size_t size);

#endif
