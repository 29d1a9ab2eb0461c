/* SPDX-License-Identifier: Apache-2.0 */
/* What people may do with the queue: see it, hold and release jobs, change their order, set limits. */
#ifndef HEARTH_JOB_QUEUE_H
#define HEARTH_JOB_QUEUE_H

#include "job/scheduler.h"
#include "job/service.h"
#include "store/limits.h"

#include <stdbool.h>

/* Everyone sees the whole order: ids, owners, flavors, priorities; nothing of what a job is. */
struct queue_row {
	const struct scheduler_view *view;
	const char *namespace_name, *user_name; /* "" when the account is gone */
};
void queue_each(struct job_service *service, size_t max,
		void (*fn)(void *arg, const struct queue_row *row), void *arg);

/* Of jobs that wait, E_CONFLICT for others. An owner cannot release what an admin holds. */
int queue_hold(struct job_service *service, const char *job_id, bool by_admin, struct error *err);
int queue_release(struct job_service *service, const char *job_id, bool by_admin, struct error *err);
int queue_set_priority(struct job_service *service, const char *job_id, int priority, bool by_admin,
		       struct error *err);
enum queue_end { QUEUE_FIRST, QUEUE_LAST };
int queue_move(struct job_service *service, const char *job_id, enum queue_end end, struct error *err);

/* May this submission enter (limits of waiting jobs, priority, resource group)? E_BUSY, E_FORBIDDEN,
 * E_INVALID. Part of job_submit(). */
struct job_wishes;
struct account;
int queue_admit(struct job_service *service, const struct account *owner, const struct account *creator,
		const struct job_wishes *wishes, const char *resource_group_id, struct error *err);
/* Limits have changed, or the server starts: give all of them to the scheduler. */
void queue_load_limits(struct job_service *service);

#endif
