/* SPDX-License-Identifier: Apache-2.0 */
/* Entering, waiting in and leaving the service's memory. */
#include "job/active.h"

#include "base/clock.h"
#include "base/memory.h"
#include "job/array.h"
#include "job/run_history.h"
#include "job/wishes.h"

#include <stdlib.h>
#include <string.h>

/* An attempt holds its place from its creation, and its limit counts from its start: an image may
 * have to be pulled in between. What takes longer than this makes promises late. */
#define SETUP_MS 60000

struct active_job *active_new(struct job_service *service, const struct scheduler_entry *place)
{
	struct active_job *job = xcalloc(1, sizeof(*job));

	memcpy(job->entry.id, place->job_id, ID_SIZE);
	job->place = *place;
	job->held = place->hold;
	id_table_add(&service->active, &job->entry);
	return job;
}

int64_t active_short_limit_ms(const struct job_service *service, int64_t timeout_s)
{
	return (timeout_s + service->configuration->grace_s) * 1000 + SETUP_MS;
}

int64_t active_limit_ms(const struct job_service *service, const struct job_record *job)
{
	struct error ignored = ERROR_INIT;
	struct job_wishes wishes;
	int64_t grace_s = service->configuration->grace_s;

	if (job_wishes_parse(service->configuration, job->labels, &wishes, &ignored) == 0)
		grace_s = wishes.grace_s;
	return (job->timeout_s + grace_s) * 1000;
}

struct scheduler_entry active_place(const struct job_service *service, const struct job_record *job,
                                    const struct flavor *flavor)
{
	struct scheduler_entry place = {
	        .flavor = flavor,
	        .priority = job->priority,
	        .rank = job->rank,
	        .arrived_ms = job->created_ms,
	        .limit_ms = active_limit_ms(service, job) + SETUP_MS,
	        .expected_ms = run_history_expect(service->history, job),
	        .not_before_ms = job->not_before_ms,
	        .hold = (enum scheduler_hold)job->hold,
	};

	memcpy(place.job_id, job->id, ID_SIZE);
	memcpy(place.namespace_id, job->namespace_id, ID_SIZE);
	memcpy(place.user_id, job->created_by_id, ID_SIZE);
	memcpy(place.group_id, job->group_id, ID_SIZE);
	return place;
}

struct active_job *active_find(const struct job_service *service, const char *id)
{
	return id_table_find(&service->active, id);
}

static struct namespace_count *active_namespace(struct job_service *service, const char *id)
{
	struct namespace_count *count = id_table_find(&service->namespaces, id);

	if (!count) {
		count = xcalloc(1, sizeof(*count));
		memcpy(count->entry.id, id, ID_SIZE);
		id_table_add(&service->namespaces, &count->entry);
	}
	return count;
}

int64_t active_count_queued(const struct job_service *service, const char *namespace_id)
{
	const struct namespace_count *count = id_table_find(&service->namespaces, namespace_id);

	return count ? count->queued : 0;
}

static void active_set_counted(struct job_service *service, struct active_job *job, bool is_counted)
{
	if (job->is_counted == is_counted)
		return;
	active_namespace(service, job->place.namespace_id)->queued += is_counted ? 1 : -1;
	job->is_counted = is_counted;
}

void active_set_heard(struct job_service *service, struct active_job *job, bool is_heard)
{
	service->heard += is_heard - job->is_heard;
	job->is_heard = is_heard;
}

void active_enqueue(struct job_service *service, struct active_job *job, int number)
{
	job->number = number;
	job->is_live = false;
	job->attempt_created_ms = job->attempt_started_ms = 0;
	active_set_progress(job, NULL);
	active_set_heard(service, job, false);
	active_set_counted(service, job, true);
	job->place.is_retry = number > 1;
	scheduler_enqueue(service->scheduler, &job->place);
}

/* By the scheduler's clock, if that is known. */
static int64_t active_started_ms(const struct job_service *service, const struct active_job *job)
{
	if (job->started_monotonic_us <= 0)
		return job->attempt_started_ms;
	return service->clock_origin_ms + job->started_monotonic_us / 1000;
}

void active_know_start(struct job_service *service, struct active_job *job,
                       const struct job_record *record)
{
	int64_t before_ms = active_started_ms(service, job) - job->place.held_since_ms;
	int64_t expected_ms = run_history_expect(service->history, record);

	if (!job->place.is_holding)
		return;
	if (before_ms < 0)
		before_ms = 0;
	job->place.limit_ms = before_ms + active_limit_ms(service, record);
	job->place.expected_ms = expected_ms ? before_ms + expected_ms : 0;
	scheduler_change(service->scheduler, &job->place);
}

static enum scheduler_hold active_hold(const struct active_job *job)
{
	if (job->held != HOLD_NONE)
		return job->held;
	if (job->waits_after)
		return HOLD_AFTER;
	return job->waits_array ? HOLD_ARRAY : HOLD_NONE;
}

void active_update_hold(struct job_service *service, struct active_job *job)
{
	enum scheduler_hold hold = active_hold(job);

	if (hold == job->place.hold)
		return;
	job->place.hold = hold;
	if (job->place.is_queued) {
		scheduler_change(service->scheduler, &job->place);
		service_schedule(service);
	}
	array_hold_changed(service, job);
}

void active_leave_queue(struct job_service *service, struct active_job *job)
{
	active_set_counted(service, job, false);
}

void active_set_progress(struct active_job *job, const char *message)
{
	free(job->progress);
	job->progress = xstrdup(message);
}

void active_end(struct job_service *service, struct active_job *job)
{
	if (job->is_over)
		return;
	if (job->place.is_queued)
		scheduler_dequeue(service->scheduler, &job->place);
	if (job->place.is_holding)
		scheduler_release(service->scheduler, &job->place, service_now_ms(service));
	active_set_counted(service, job, false);
	active_set_heard(service, job, false);
	job->is_live = false;
	job->is_over = true;
	noted_add(&service->over, job);
	service_after_commit(service);
}

void noted_add(struct noted_list *list, struct active_job *job)
{
	if (!list->first)
		list->end = &list->first;
	job->next_noted = NULL;
	*list->end = job;
	list->end = &job->next_noted;
}

struct active_job *noted_take(struct noted_list *list)
{
	struct active_job *job = list->first;

	if (job)
		list->first = job->next_noted;
	return job;
}
