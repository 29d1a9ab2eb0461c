/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of arrays: array.c (what happens to them), array_plan.c (what a submission asks for),
 * array_make.c (one element), array_work.c (slices), array_change.c (its settings), array_end.c
 * (ends and explanations). An array is in memory until it and all of its elements are over; the
 * numbers here are counted from rows after a restart.
 */
#ifndef HEARTH_JOB_ARRAY_PRIVATE_H
#define HEARTH_JOB_ARRAY_PRIVATE_H

#include "job/active.h"
#include "job/array.h"

#define ARRAY_NONE INT32_MAX /* in place of a number */

struct array {
	struct id_entry entry; /* first: found by id */
	struct array_plan plan;
	int total;                   /* elements that there will be */
	int64_t counts[STAGE_COUNT]; /* of those that were made, by stage */
	int64_t open;                /* made, not over and not kept back */
	int open_from;               /* none below is kept back; ARRAY_NONE: none at all */
	int close_from;              /* while it is kept: those from here on may be open */
	int cancel_from;             /* once it has ended: those from here on may be left */
	bool is_kept;                /* it waits itself: none of its elements may begin */
	bool is_running;             /* its own stage is RUNNING */
	bool is_ended;               /* its own stage is terminal: what is left is cancelled */
	bool is_working;             /* in the list of those with something to do */
	struct array *next_working;
};

struct array_table {
	struct job_service *service;
	struct id_table arrays;
	struct array *first, **end; /* with something to do */
	struct loop_timer *timer;
	bool is_awaited;
};

struct array *array_find(const struct job_service *service, const char *id);
/* Into memory, with nothing counted yet. */
struct array *array_add(struct job_service *service, const char *id, const struct array_plan *plan);
void array_remove(struct job_service *service, struct array *array);
/* In this turn, or the next one: make, open, close or cancel elements. */
void array_await(struct job_service *service, struct array *array);

/* May one more element begin? */
bool array_may_open(const struct array *array);
/* Elements that were made and are over. */
int64_t array_count_over(const struct array *array);
/* All elements are over: the array's own end. */
void array_conclude(struct job_service *service, struct array *array);
/* Elements hear of what has changed in the array's row. */
void array_tell_some(struct job_service *service, struct array *array, int64_t end_us);
/* Make the job of element `number`; `record` is the array's. -1: its flavor is gone. */
int array_make_element(struct job_service *service, struct array *array,
                       const struct job_record *record, int number);

#endif
