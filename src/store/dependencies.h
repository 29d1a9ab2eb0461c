/* SPDX-License-Identifier: Apache-2.0 */
/* Which job waits for which: the rows. */
#ifndef HEARTH_STORE_DEPENDENCIES_H
#define HEARTH_STORE_DEPENDENCIES_H

#include "base/id.h"
#include "store/database.h"
#include "store/jobs.h"

#include <stdbool.h>
#include <stdint.h>

/* What must be known of a job to wait for it, without reading all of it. */
struct dependency {
	char id[ID_SIZE];
	char namespace_id[ID_SIZE];
	enum job_stage stage;
};

bool dependencies_look(struct database *db, const char *id, struct dependency *ret);
void dependencies_insert(struct database *db, const char *job_id, const char *after_id);
void dependencies_delete(struct database *db, const char *job_id, const char *after_id);
void dependencies_delete_all(struct database *db, const char *job_id);
/* How many jobs it waits for, how many wait for it. */
int64_t dependencies_count(struct database *db, const char *job_id);
bool dependencies_exist(struct database *db, const char *after_id);
/* At most `limit` of those that wait for `after_id`; all that `job_id` waits for. */
void dependencies_each_waiting(struct database *db, const char *after_id, int limit,
                               void (*fn)(void *, const char *job_id), void *arg);
void dependencies_each_after(struct database *db, const char *job_id,
                             void (*fn)(void *, const struct dependency *after), void *arg);
/* Everybody who waits; everybody who is waited for and has ended. */
void dependencies_each_job(struct database *db, void (*fn)(void *, const char *job_id), void *arg);
void dependencies_each_ended(struct database *db, void (*fn)(void *, const char *after_id),
                             void *arg);

#endif
