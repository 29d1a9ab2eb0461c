/* SPDX-License-Identifier: Apache-2.0 */
/* Entering, waiting in and leaving the service's memory. */
#include "job/active.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct active_job *active_new(struct job_service *service, const char *id, const char *namespace_id,
                              const struct flavor *flavor)
{
	struct active_job *job = xcalloc(1, sizeof(*job));

	memcpy(job->entry.id, id, ID_SIZE);
	memcpy(job->namespace_id, namespace_id, ID_SIZE);
	job->place.flavor = flavor;
	id_table_add(&service->active, &job->entry);
	return job;
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
	active_namespace(service, job->namespace_id)->queued += is_counted ? 1 : -1;
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
	scheduler_enqueue(service->scheduler, &job->place, number > 1);
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
		scheduler_release(service->scheduler, &job->place);
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
