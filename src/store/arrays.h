/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of jobs: their plans and their elements, the rows. */
#ifndef HEARTH_STORE_ARRAYS_H
#define HEARTH_STORE_ARRAYS_H

#include "base/id.h"
#include "store/database.h"
#include "store/jobs.h"

#include <stdbool.h>
#include <stdint.h>

#define ARRAY_ELEMENTS_MAX 10000

struct array_plan {
	int first, last;
	int max_open;  /* at most so many at once; 0: no limit */
	int next;      /* the first number that has not been made; last + 1: all are */
	unsigned tell; /* what elements from tell_from on do not know yet (job/array.h) */
	int tell_from;
	uint8_t left_out[(ARRAY_ELEMENTS_MAX + 7) /
	                 8]; /* bit n - first: number n is not part of it */
};
bool array_plan_has(const struct array_plan *plan, int number);
void array_plan_leave_out(struct array_plan *plan, int number);
int array_plan_count(const struct array_plan *plan);

void arrays_insert(struct database *db, const char *id, const struct array_plan *plan);
bool arrays_find(struct database *db, const char *id, struct array_plan *ret);
bool arrays_exist(struct database *db, const char *id);
void arrays_set_next(struct database *db, const char *id, int next);
void arrays_set_max(struct database *db, const char *id, int max_open);
void arrays_set_told(struct database *db, const char *id, unsigned tell, int tell_from);
void arrays_set_over(struct database *db, const char *id);
void arrays_each_not_over(struct database *db, void (*fn)(void *, const char *id), void *arg);

void elements_insert(struct database *db, const char *array_id, int number, const char *job_id);
/* The array of an element; false: it is none. */
bool elements_find_array(struct database *db, const char *job_id, char ret_array[ID_SIZE],
                         int *ret_number);
void elements_count(struct database *db, const char *array_id, int64_t ret[STAGE_COUNT]);
/* By number, from `from` on, in the stages of the mask (1 << stage), at most `limit`. */
struct array_element {
	char job_id[ID_SIZE];
	int number;
	enum job_stage stage;
};
void elements_each(struct database *db, const char *array_id, int from, unsigned stage_mask,
                   int limit, void (*fn)(void *, const struct array_element *element), void *arg);

#endif
