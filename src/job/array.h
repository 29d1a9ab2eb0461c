/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays (label hearth.array=A-B): one submission makes a job that never runs itself, the array,
 * and one job per number, its elements. An element has the array's specification and labels without
 * the array's own, the labels hearth.array-of=ID and hearth.array-index=N, and the variables
 * HEARTH_ARRAY_ID, HEARTH_ARRAY_INDEX, HEARTH_ARRAY_FIRST, HEARTH_ARRAY_LAST in its environment.
 * The array is RUNNING from its first element's start, and ends when all have: COMPLETED if all
 * did, else ERROR "3 of 100 elements failed: …" (CANCELED if it was cancelled, which cancels what
 * is left). Its log (job/log_array.h) has a line for each element that started or ended. It is not
 * billed. Duplicating it makes the whole array again; with the label hearth.array-retry=ID, only
 * the elements that have not COMPLETED there.
 *
 * What is on disk with the array's row is the plan: which numbers. Elements are made from it,
 * opened (hearth.array-max) and cancelled in slices of a few milliseconds per turn, and after a
 * crash where it stopped. What keeps the array (hearth.after, hold) keeps its elements.
 */
#ifndef HEARTH_JOB_ARRAY_H
#define HEARTH_JOB_ARRAY_H

#include "base/error.h"
#include "job/service.h"
#include "job/wishes.h"
#include "store/arrays.h"

struct account;
struct active_job;
struct array_table;

struct array_table *array_table_new(struct job_service *service);
void array_table_free(struct array_table *table);

/* At submission: the plan of what the wishes ask for; false in *ret_is_array: it is none.
 * E_INVALID, E_NOT_FOUND, E_CONFLICT (the array to be repeated is not over, or has completed). */
int array_plan_make(struct job_service *service, const struct account *caller,
                    const struct job_wishes *wishes, bool *ret_is_array, struct array_plan *ret,
                    struct error *err);
/* E_TOO_LARGE when the rows of all its elements would be. */
int array_check_size(const struct job_record *job, size_t sealed_len, const struct array_plan *plan,
                     struct error *err);
/* After the array entered the queue, in the same turn: from now on its elements are made. */
void array_submit(struct job_service *service, const char *id, const struct array_plan *plan);
/* A job's stage has changed, in this turn; nothing unless it is an array or an element. */
void array_job_changed(struct job_service *service, const struct job_record *job);
/* What keeps the job from running has changed; nothing unless it is an array. */
void array_hold_changed(struct job_service *service, const struct active_job *job);
/* Priority and rank, or the time limit, of the job have changed in its row: so have they for its
 * elements. Nothing unless it is an array. */
#define ARRAY_TELL_ORDER 1u
#define ARRAY_TELL_TIMEOUT 2u
void array_setting_changed(struct job_service *service, const char *job_id, unsigned what);
/* At most so many at once from now on; 0: no limit. */
void array_set_max(struct job_service *service, const char *job_id, int max_open);
/* After a restart, with the queue filled. */
void array_recover(struct job_service *service);
bool array_is_array(struct database *db, const char *job_id);
/* What there is of an array, also of one that is over; false: it is none. */
struct array_view {
	struct array_plan plan;
	int total;
	int64_t counts[STAGE_COUNT]; /* those that were not made yet are SCHEDULING */
};
bool array_view(struct job_service *service, const char *job_id, struct array_view *ret);
/* Arrays stay in the queue, kept, until they end; so many of them are RUNNING. */
int64_t array_count_running(const struct job_service *service);
/* Of an array: "Elements: 12 waiting, 4 running, 80 completed, 4 failed"; of an element that is
 * kept back: what for. */
void array_explain(struct job_service *service, const char *job_id, char *ret, size_t size);

#endif
