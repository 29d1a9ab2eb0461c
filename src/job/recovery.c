/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every turn is one transaction, so the rows are always those of a state between two turns. There
 * are three kinds of jobs that are not over:
 *
 *   an attempt without an end        its process may live: the backend takes it over, or says that
 * it is lost. Also when the job was canceled: then it is ended again. no attempt it waits, in the
 * order of arrival only ended attempts              its next attempt waits, before those that never
 * ran
 */
#include "job/recovery.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/array.h"
#include "job/attempt.h"
#include "job/run_history.h"
#include "job/dependency.h"
#include "job/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many as scheduler_explain() simulates. */
#define EXPECTED_MAX 1000

struct recovery {
	struct job_service *service;
	struct attempt_record *live;
	size_t n_live, cap_live;
	struct id_list homeless; /* queued, for a flavor that is gone */
	struct id_list first;    /* of those that wait */
	int64_t n_waiting;
};

/* Live, and its flavor is gone: it uses what it uses, but we do not know how much. */
static const struct flavor unknown_flavor = {.name = (char *)"unknown", .pretty_name = (char *)""};

static void recovery_note_live(void *arg, const struct attempt_record *attempt)
{
	struct recovery *recovery = arg;

	if (recovery->n_live == recovery->cap_live) {
		recovery->cap_live = recovery->cap_live ? recovery->cap_live * 2 : 64;
		recovery->live =
		        xrealloc(recovery->live, recovery->cap_live * sizeof(*recovery->live));
	}
	recovery->live[recovery->n_live] = *attempt;
	recovery->live[recovery->n_live++].devices = xstrdup(attempt->devices);
}

static void recovery_adopt(struct job_service *service, const struct attempt_record *attempt)
{
	struct job_record record autojob = {0};
	const struct flavor *flavor;
	struct scheduler_entry place;
	struct active_job *job;

	if (!jobs_find(service->db, attempt->job_id, &record))
		return;
	flavor = configuration_flavor(service->configuration, record.flavor);
	place = active_place(service, &record, flavor ? flavor : &unknown_flavor);
	job = active_new(service, &place);
	job->number = attempt->number;
	job->attempt_created_ms = attempt->created_ms;
	job->attempt_started_ms = attempt->started_ms;
	job->started_monotonic_us = attempt->started_us;
	job->is_live = true;
	job->is_canceled = stage_is_terminal(record.stage);
	scheduler_hold(service->scheduler, &job->place, attempt->slot, attempt->devices,
	               attempt->created_ms, service_now_ms(service));
	if (job->attempt_started_ms)
		active_know_start(service, job, &record);
	attempt_adopt(service, job);
}

/* Devices may come back: only the rest is a reason to give a job up. */
static bool recovery_has_room(const struct configuration *configuration,
                              const struct flavor *flavor)
{
	return flavor &&
	       (configuration->cpu_millis == 0 ||
	        flavor->cpu_millis <= configuration->cpu_millis) &&
	       (configuration->memory_bytes == 0 ||
	        flavor->memory_bytes <= configuration->memory_bytes);
}

/* Of the short row, so that a hundred thousand of them are read in a moment. */
static struct scheduler_entry recovery_place(const struct job_service *service,
                                             const struct job_waiting *waiting,
                                             const struct flavor *flavor)
{
	struct scheduler_entry place = {
	        .flavor = flavor,
	        .priority = waiting->priority,
	        .rank = waiting->rank,
	        .arrived_ms = waiting->created_ms,
	        .limit_ms = active_short_limit_ms(service, waiting->timeout_s),
	        .not_before_ms = waiting->not_before_ms,
	        .hold = (enum scheduler_hold)waiting->hold,
	};

	memcpy(place.job_id, waiting->id, ID_SIZE);
	memcpy(place.namespace_id, waiting->namespace_id, ID_SIZE);
	memcpy(place.user_id, waiting->created_by_id, ID_SIZE);
	memcpy(place.group_id, waiting->group_id, ID_SIZE);
	return place;
}

static void recovery_enqueue(void *arg, const struct job_waiting *waiting)
{
	struct recovery *recovery = arg;
	struct job_service *service = recovery->service;
	const struct flavor *flavor = configuration_flavor(service->configuration, waiting->flavor);

	/* An array needs no room; its elements come to their ends one by one. */
	if (!flavor && array_is_array(service->db, waiting->id))
		flavor = &unknown_flavor;
	if (flavor == &unknown_flavor || recovery_has_room(service->configuration, flavor)) {
		struct scheduler_entry place = recovery_place(service, waiting, flavor);

		active_enqueue(service, active_new(service, &place), waiting->last_number + 1);
		if (recovery->n_waiting++ < EXPECTED_MAX)
			id_list_add(&recovery->first, waiting->id);
		return;
	}
	id_list_add(&recovery->homeless, waiting->id);
}

/* Not of all: it needs the long row. Those behind are told about their start by the time limits. */
static void recovery_expect(struct job_service *service, const char *id)
{
	struct active_job *active = active_find(service, id);
	struct job_record job autojob = {0};

	if (!active || !jobs_find(service->db, id, &job))
		return;
	active->place.expected_ms = run_history_expect(service->history, &job);
	scheduler_change(service->scheduler, &active->place);
}

/* The settings were changed while it waited: it would block the queue for ever. */
static void recovery_give_up(struct job_service *service, const char *id)
{
	struct job_record job autojob = {0};
	char message[256];
	struct job_change change = {
	        .stage = STAGE_ERROR,
	        .message = message,
	        .at_ms = clock_now_ms(),
	};

	if (!jobs_find(service->db, id, &job))
		return;
	snprintf(message, sizeof(message),
	         "The flavor %.64s was removed from this server, or is larger than it now",
	         job.flavor);
	change.failure_count = job.failure_count;
	(void)service_transition(service, &job, &change);
}

void recovery_run(struct job_service *service)
{
	struct recovery recovery = {.service = service};
	int64_t begin_ms = clock_monotonic_ms();

	attempts_note_boot(service->db);
	attempts_each_live(service->db, recovery_note_live, &recovery);
	jobs_each_waiting(service->db, recovery_enqueue, &recovery);
	dependency_recover(service);
	array_recover(service);
	for (size_t i = 0; i < recovery.n_live; i++)
		recovery_adopt(service, &recovery.live[i]);
	for (size_t i = 0; i < recovery.homeless.count; i++)
		recovery_give_up(service, recovery.homeless.ids[i]);
	for (size_t i = 0; i < recovery.first.count; i++)
		recovery_expect(service, recovery.first.ids[i]);
	if (recovery.n_live || recovery.n_waiting)
		log_info("recovered %zu live attempts and %lld waiting jobs in %lld ms",
		         recovery.n_live, (long long)recovery.n_waiting,
		         (long long)(clock_monotonic_ms() - begin_ms));
	for (size_t i = 0; i < recovery.n_live; i++)
		free(recovery.live[i].devices);
	free(recovery.live);
	id_list_clear(&recovery.homeless);
	id_list_clear(&recovery.first);
}
