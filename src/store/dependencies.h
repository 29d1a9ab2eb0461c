/* SPDX-License-Identifier: Apache-2.0 */
/* Which job waits for which, and which job is an element of which array: the rows. */
#ifndef HEARTH_STORE_DEPENDENCIES_H
#define HEARTH_STORE_DEPENDENCIES_H

#include "base/id.h"
#include "store/database.h"
#include "store/jobs.h"

#include <stdbool.h>
#include <stdint.h>

void dependencies_insert(struct database *db, const char *job_id, const char *after_id);
void dependencies_delete(struct database *db, const char *job_id, const char *after_id);
void dependencies_delete_all(struct database *db, const char *job_id);
int64_t dependencies_count(struct database *db, const char *job_id);
/* Who waits for `after_id`; what `job_id` waits for. */
void dependencies_each_waiting(struct database *db, const char *after_id,
			       void (*fn)(void *, const char *job_id), void *arg);
void dependencies_each_after(struct database *db, const char *job_id,
			     void (*fn)(void *, const char *after_id, enum job_stage stage), void *arg);

void elements_insert(struct database *db, const char *array_id, int element, const char *job_id);
/* The array of an element; false: it is none. */
bool elements_find_array(struct database *db, const char *job_id, char ret_array[ID_SIZE], int *ret_element);
bool elements_exist(struct database *db, const char *array_id);
void elements_count(struct database *db, const char *array_id, int64_t ret[STAGE_COUNT]);
void elements_each(struct database *db, const char *array_id,
		   void (*fn)(void *, int element, const char *job_id, enum job_stage stage), void *arg);

#endif
