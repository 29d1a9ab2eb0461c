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
	bool is_array; /* it never runs itself; its elements have rows of their own */
};
#define QUEUE_ROWS_MAX 1000
void queue_each(struct job_service *service, size_t max,
		void (*fn)(void *arg, const struct queue_row *row), void *arg);
/* The place of one job; false: it does not wait. */
bool queue_find(struct job_service *service, const char *job_id, struct scheduler_view *ret);

/* Of jobs that wait (E_CONFLICT for others). An owner cannot release what an admin holds: E_FORBIDDEN. The label
 * hearth.hold, if there is one, follows what its owner does. */
int queue_hold(struct job_service *service, const char *job_id, bool by_admin, struct error *err);
int queue_release(struct job_service *service, const char *job_id, bool by_admin, struct error *err);
/* Users' rights are checked by queue_check_priority() before. E_CONFLICT when the job is over. */
int queue_set_priority(struct job_service *service, const char *job_id, int priority,
		       struct error *err);
/* Before or behind all others whatever their priority, or where it belongs. */
/* Priority and place in the queue as those of another job: an element follows its array. */
void queue_copy_order(struct job_service *service, const struct job_record *from, const char *to_id);
enum queue_end { QUEUE_FIRST, QUEUE_LAST, QUEUE_NORMAL };
int queue_move(struct job_service *service, const char *job_id, enum queue_end end, struct error *err);
/* The pause before its next attempt; part of its end. */
void queue_set_pause(struct job_service *service, const struct job_record *job, int64_t delay_s);
/* Why it is held, as job_status_message() says it; false: nobody holds it. */
bool queue_explain_hold(struct job_service *service, const char *job_id, char *ret, size_t size);

/* Of a job that has failed and waits again, whose pause is over: what failed, and what it waits for now; false: it is none
 * of these. */
bool queue_explain_retry(struct job_service *service, const struct job_record *job, char *ret, size_t size);

/* May this submission enter (limits of waiting jobs, of running ones and devices if none could ever run, priority,
 * resource group)? E_BUSY, E_FORBIDDEN, E_INVALID. Part of job_submit(). *ret_group is the id of the group, ""
 * if none is asked for. */
struct job_wishes;
struct account;
struct queue_request {
	const struct account *owner, *creator;
	const struct flavor *flavor;
	struct job_wishes *wishes; /* where all must be low, its priority is lowered */
	const char *resource_group_id; /* NULL: none */
	int64_t jobs; /* that would wait: elements of an array */
};
int queue_admit(struct job_service *service, const struct queue_request *request,
		char ret_group[ID_SIZE], struct error *err);
/* What no such job could ever do, whatever is in the queue: for schedules and webhooks, when they are made. `spec` and
 * `labels` as in a job's record. */
int queue_check_job(struct job_service *service, const struct account *owner, const struct account *creator,
		    const char *flavor, const json_t *spec, const json_t *labels, struct error *err);
/* E_FORBIDDEN above what settings and limits allow; where that is below 0, what is not above 0 is lowered
 * instead. `group_id` may be "". */
int queue_check_priority(struct job_service *service, const char *namespace_id, const char *user_id,
			 const char *group_id, int *priority, struct error *err);
/* Limits have changed, or the server starts: give all of them to the scheduler. */
void queue_load_limits(struct job_service *service);
/* Change those of one: on disk with the turn, in force at once. */
void queue_set_limits(struct job_service *service, enum limit_kind kind, const char *id,
		      const struct limits *limits);

#endif
