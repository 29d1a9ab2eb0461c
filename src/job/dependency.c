/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that run after others: what follows from an end, and what keeps a job. See the header. */
#include "job/dependency.h"

#include "base/clock.h"
#include "base/memory.h"
#include "job/active.h"
#include "store/dependencies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_US 4000
#define BATCH 32
#define CANCEL_REASON "DEPENDENCY_FAILED"
#define ENDED_CANCELED "ended with CANCELED: "

struct dependency_queue {
	struct job_service *service;
	struct id_list ended; /* jobs that others may wait for, from `next` on */
	size_t next;
	struct loop_timer *timer; /* the slices after the first one */
	bool is_awaited;
};

static void dependency_work(void *arg);

struct dependency_queue *dependency_queue_new(struct job_service *service)
{
	struct dependency_queue *queue = xcalloc(1, sizeof(*queue));

	queue->service = service;
	queue->timer = loop_timer_new(service->loop, dependency_work, queue);
	return queue;
}

void dependency_queue_free(struct dependency_queue *queue)
{
	if (!queue)
		return;
	loop_timer_free(queue->timer);
	id_list_clear(&queue->ended);
	free(queue);
}

bool dependency_insert(struct job_service *service, const char *job_id,
                       const struct job_wishes *wishes)
{
	bool waits = false;

	for (int i = 0; i < wishes->n_after; i++) {
		struct dependency after;

		if (!dependencies_look(service->db, wishes->after[i], &after) ||
		    after.stage == STAGE_COMPLETED)
			continue;
		dependencies_insert(service->db, job_id, after.id);
		waits = true;
	}
	return waits;
}

void dependency_replace(struct job_service *service, const char *job_id,
                        const struct job_wishes *wishes)
{
	struct active_job *active = active_find(service, job_id);

	dependencies_delete_all(service->db, job_id);
	if (!active)
		return;
	active->waits_after = dependency_insert(service, job_id, wishes);
	active_update_hold(service, active);
}

static void dependency_add_id(void *arg, const char *id)
{
	id_list_add(arg, id);
}

/* Along a chain only the first cause is of interest, not everything between. */
static const char *dependency_cause(const struct job_record *job)
{
	const char *cause = job->message, *deeper;

	while (cause && (deeper = strstr(cause, ENDED_CANCELED)))
		cause = deeper + strlen(ENDED_CANCELED);
	return cause;
}

static void dependency_release(struct job_service *service, const char *job_id)
{
	struct active_job *active = active_find(service, job_id);

	if (!active || dependencies_count(service->db, job_id) > 0)
		return;
	active->waits_after = false;
	active_update_hold(service, active);
	service_touch(service, job_id);
}

/* What people read of another namespace is that it ended, and not more. */
static void dependency_cancel(struct job_service *service, const char *job_id,
                              const struct job_record *after)
{
	const struct active_job *active = active_find(service, job_id);
	bool is_known = active && strcmp(active->place.namespace_id, after->namespace_id) == 0;
	const char *cause = is_known ? dependency_cause(after) : NULL;
	char message[ERROR_TEXT_SIZE];

	snprintf(message, sizeof(message), "Job %s, which it waits for, ended with %s%s%s",
	         after->id, stage_name(after->stage), cause ? ": " : "", cause ? cause : "");
	dependencies_delete_all(service->db, job_id);
	job_cancel(service, job_id, CANCEL_REASON, message);
}

/* Some of those that wait for it; false: nobody does any more. */
static bool dependency_settle_some(struct job_service *service, const char *after_id,
                                   int64_t end_us)
{
	struct job_record after autojob = {0};
	struct id_list waiting = {0};

	dependencies_each_waiting(service->db, after_id, BATCH, dependency_add_id, &waiting);
	if (waiting.count == 0 || !jobs_find(service->db, after_id, &after))
		return false;
	for (size_t i = 0; i < waiting.count && (i == 0 || clock_monotonic_us() < end_us); i++) {
		if (after.stage == STAGE_COMPLETED) {
			dependencies_delete(service->db, waiting.ids[i], after_id);
			dependency_release(service, waiting.ids[i]);
		} else {
			dependency_cancel(service, waiting.ids[i], &after);
		}
	}
	id_list_clear(&waiting);
	return true;
}

/* A chain of thousands is worked off here one after the other: whoever is cancelled is added. */
static void dependency_work(void *arg)
{
	struct dependency_queue *queue = arg;
	int64_t end_us = clock_monotonic_us() + SLICE_US;
	char id[ID_SIZE];

	queue->is_awaited = false;
	while (queue->next < queue->ended.count) {
		if (clock_monotonic_us() >= end_us) {
			queue->is_awaited = true;
			loop_timer_start(queue->timer, 1, 0);
			return;
		}
		memcpy(id, queue->ended.ids[queue->next], ID_SIZE);
		if (!dependency_settle_some(queue->service, id, end_us))
			queue->next++;
	}
	id_list_clear(&queue->ended);
	queue->ended = (struct id_list){0};
	queue->next = 0;
}

static void dependency_await(struct dependency_queue *queue)
{
	if (queue->is_awaited)
		return;
	queue->is_awaited = true;
	loop_defer(queue->service->loop, dependency_work, queue);
}

void dependency_job_ended(struct job_service *service, const struct job_record *job)
{
	const struct active_job *active = active_find(service, job->id);

	if (active && active->waits_after)
		dependencies_delete_all(service->db, job->id);
	if (!dependencies_exist(service->db, job->id))
		return;
	id_list_add(&service->dependencies->ended, job->id);
	dependency_await(service->dependencies);
}

static void dependency_recover_job(void *arg, const char *job_id)
{
	struct job_service *service = arg;
	struct active_job *active = active_find(service, job_id);

	if (!active)
		return;
	active->waits_after = true;
	active_update_hold(service, active);
}

void dependency_recover(struct job_service *service)
{
	struct dependency_queue *queue = service->dependencies;

	dependencies_each_job(service->db, dependency_recover_job, service);
	dependencies_each_ended(service->db, dependency_add_id, &queue->ended);
	if (queue->ended.count > 0)
		dependency_await(queue);
}

struct explanation {
	struct dependency first;
	int count;
};

static void dependency_explain_one(void *arg, const struct dependency *after)
{
	struct explanation *explanation = arg;

	if (explanation->count++ == 0)
		explanation->first = *after;
}

void dependency_explain(struct job_service *service, const char *job_id, char *ret, size_t size)
{
	struct explanation all = {0};
	char others[32] = "";

	dependencies_each_after(service->db, job_id, dependency_explain_one, &all);
	if (all.count == 0) {
		snprintf(ret, size, "Waiting for other jobs");
		return;
	}
	if (all.count > 1)
		snprintf(others, sizeof(others), " and %d other%s", all.count - 1,
		         all.count > 2 ? "s" : "");
	snprintf(ret, size, "Waiting for job %s (%s)%s", all.first.id, stage_name(all.first.stage),
	         others);
}
