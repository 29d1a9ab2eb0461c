/* SPDX-License-Identifier: Apache-2.0 */
/* The jobs service: wiring, the turn, cancel, labels and what is shown. See active.h for the turn.
 */
#include "job/service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "container/network_plan.h"
#include "job/attempt.h"
#include "job/array.h"
#include "job/billing.h"
#include "job/dependency.h"
#include "job/device_service.h"
#include "job/queue.h"
#include "job/recovery.h"
#include "job/retention.h"
#include "job/run_history.h"
#include "job/state.h"
#include "job/webhook_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Starts of one pass: each is some rows, and the loop has other things to do. */
#define STARTS_PER_PASS 32
/* Use of the past counts for fair shares as long as it is more than this many halves. */
#define PAST_HALF_LIVES 8
#define PAST_ATTEMPTS 20000

static bool service_name(void *arg, enum scheduler_scope scope, const char *id, char *ret,
                         size_t size)
{
	const struct job_service *service = arg;
	struct resource_group group;
	struct account account;

	if (scope == SCOPE_GROUP) {
		if (!groups_find(service->db, id, &group))
			return false;
		snprintf(ret, size, "resource group %s", group.name);
		return true;
	}
	if (!accounts_find_by_id(service->db, id, &account))
		return false;
	snprintf(ret, size, "%s", account.name);
	return true;
}

static void service_add_use(void *arg, const struct ended_attempt *attempt)
{
	struct job_service *service = arg;
	const struct flavor *flavor = configuration_flavor(service->configuration, attempt->flavor);
	int64_t age_ms = clock_now_ms() - attempt->ended_ms;
	int64_t running_ms = attempt->ended_ms - attempt->started_ms;

	if (flavor && running_ms > 0 &&
	    age_ms < service->configuration->half_life_s * 1000 * PAST_HALF_LIVES)
		scheduler_add_use(service->scheduler, attempt->namespace_id,
		                  scheduler_share(service->scheduler, flavor) * (double)running_ms,
		                  attempt->ended_ms);
}

struct job_service *job_service_new(const struct job_service_options *options)
{
	struct job_service *service = xcalloc(1, sizeof(*service));

	service->loop = options->loop;
	service->db = options->db;
	service->configuration = options->configuration;
	service->key = options->key;
	service->clock_origin_ms = clock_now_ms() - clock_monotonic_ms();
	service->attempts_fd = options->attempts_fd;
	service->spawner_fd = options->spawner_fd;
	service->scheduler = scheduler_new(options->configuration);
	scheduler_set_names(service->scheduler, service_name, service);
	service->history = run_history_new();
	service->dependencies = dependency_queue_new(service);
	service->arrays = array_table_new(service);
	return service;
}

struct backend_events job_service_backend_events(struct job_service *service)
{
	return attempt_events(service);
}

void job_service_start(struct job_service *service, struct backend *take_backend)
{
	service->backend = take_backend;
	run_history_load(service->history, service->db);
	attempts_each_ended(service->db, PAST_ATTEMPTS, service_add_use, service);
	queue_load_limits(service);
	recovery_run(service);
	service->retention = retention_new(service);
	service_schedule(service);
}

static void service_free_active(struct id_entry *entry)
{
	struct active_job *job = (struct active_job *)entry;

	free(job->progress);
	free(job);
}

static void service_free_count(struct id_entry *entry)
{
	free(entry);
}

bool job_find_by_address(const struct job_service *service, uint32_t address, char ret_id[ID_SIZE])
{
	struct error ignored = ERROR_INIT;
	struct network_plan plan;

	if (strcmp(service->configuration->network_mode, "bridge") != 0 ||
	    network_plan_read(service->configuration, &plan, &ignored) < 0 ||
	    !network_range_holds(&plan.subnet, address))
		return false;
	for (size_t i = 0; i < service->active.n_buckets; i++) {
		for (const struct id_entry *e = service->active.buckets[i]; e; e = e->next) {
			const struct active_job *job = (const struct active_job *)(const void *)e;

			if (!job->is_live ||
			    network_plan_address(&plan, job->place.slot) != address)
				continue;
			memcpy(ret_id, e->id, ID_SIZE);
			return true;
		}
	}
	return false;
}

void job_service_free(struct job_service *service)
{
	if (!service)
		return;
	retention_free(service->retention);
	loop_timer_free(service->disk_timer);
	if (service->backend)
		service->backend->ops->free(service->backend);
	watch_clear(service);
	id_table_clear(&service->active, service_free_active);
	id_table_clear(&service->namespaces, service_free_count);
	dependency_queue_free(service->dependencies);
	array_table_free(service->arrays);
	scheduler_free(service->scheduler);
	run_history_free(service->history);
	loop_timer_free(service->wake_timer);
	id_list_clear(&service->canceled);
	id_list_clear(&service->extended);
	id_list_clear(&service->touched);
	free(service);
}

static void service_woken(void *arg)
{
	service_schedule(arg);
}

/* A machine may sleep: a pause of hours is looked at again every minute. */
static void service_wake_at(struct job_service *service, int64_t wake_ms, int64_t now_ms)
{
	int64_t ms = wake_ms > now_ms ? wake_ms - now_ms : 0;

	if (wake_ms == 0)
		return;
	if (!service->wake_timer)
		service->wake_timer = loop_timer_new(service->loop, service_woken, service);
	loop_timer_start(service->wake_timer, ms < 60000 ? ms + 1 : 60000, 0);
}

/* Money may have run out while it waited. */
static void service_start_chosen(struct job_service *service, struct active_job *job)
{
	const char *refusal =
	        billing_refuse_start(service->billing, job->place.namespace_id, job->place.flavor);

	if (refusal)
		job_cancel(service, job->entry.id, "NO_CREDITS", refusal);
	else
		attempt_create(service, job);
}

int64_t service_now_ms(const struct job_service *service)
{
	return service->clock_origin_ms + clock_monotonic_ms();
}

static void service_pass(void *arg)
{
	struct job_service *service = arg;
	struct scheduler_entry *place;
	int64_t now_ms = service_now_ms(service);
	int left = STARTS_PER_PASS;

	service->is_pass_deferred = false;
	if (!service_has_room(service))
		return;
	while (left-- > 0 && (place = scheduler_next(service->scheduler, now_ms)))
		service_start_chosen(
		        service,
		        (struct active_job *)((char *)place - offsetof(struct active_job, place)));
	if (left < 0)
		service_schedule(service);
	service_wake_at(service, scheduler_wake_ms(service->scheduler), now_ms);
}

void service_schedule(struct job_service *service)
{
	if (service->is_pass_deferred)
		return;
	service->is_pass_deferred = true;
	loop_defer(service->loop, service_pass, service);
}

static void service_stop_canceled(struct job_service *service, const struct id_list *canceled)
{
	for (size_t i = 0; i < canceled->count; i++) {
		const struct active_job *job = active_find(service, canceled->ids[i]);

		if (job && job->is_live)
			service->backend->ops->stop(service->backend, job->entry.id, job->number);
	}
}

/* The row counts: several changes in one turn are told once each, all with the last one. */
static void service_tell_extended(struct job_service *service, const struct id_list *extended)
{
	for (size_t i = 0; i < extended->count; i++) {
		const struct active_job *job = active_find(service, extended->ids[i]);
		struct job_record record autojob = {0};

		if (job && job->is_live && jobs_find(service->db, extended->ids[i], &record))
			service->backend->ops->extend(service->backend, record.id, job->number,
			                              record.timeout_s);
	}
}

/* Jobs that are over leave before their watchers are told, so that those find the job settled. */
static void service_committed(void *arg)
{
	struct job_service *service = arg;
	struct id_list canceled = service->canceled, touched = service->touched;
	struct id_list extended = service->extended;
	struct active_job *job;

	service->is_commit_awaited = false;
	service->canceled = service->touched = service->extended = (struct id_list){0};
	while ((job = noted_take(&service->over))) {
		id_table_remove(&service->active, &job->entry);
		service_free_active(&job->entry);
	}
	service_stop_canceled(service, &canceled);
	service_tell_extended(service, &extended);
	while ((job = noted_take(&service->chosen)))
		attempt_start(service, job);
	for (size_t i = 0; i < touched.count; i++)
		watch_tell(service, touched.ids[i]);
	id_list_clear(&canceled);
	id_list_clear(&extended);
	id_list_clear(&touched);
}

void service_after_commit(struct job_service *service)
{
	if (service->is_commit_awaited)
		return;
	service->is_commit_awaited = true;
	database_after_commit(service->db, service_committed, service);
}

void service_touch(struct job_service *service, const char *id)
{
	struct id_list *touched = &service->touched;

	service_after_commit(service);
	if (!touched->count || strcmp(touched->ids[touched->count - 1], id) != 0)
		id_list_add(touched, id);
}

void job_service_set_billing(struct job_service *service, struct billing *billing)
{
	service->billing = billing;
}

void job_service_set_devices(struct job_service *service, struct device_service *devices)
{
	size_t n;
	const struct device *all = device_service_get(devices, &n);

	service->devices = devices;
	scheduler_set_devices(service->scheduler, all, n);
	service_schedule(service);
}

void job_service_set_webhooks(struct job_service *service, struct webhook_service *webhooks)
{
	service->webhooks = webhooks;
}

bool service_transition(struct job_service *service, struct job_record *job,
                        const struct job_change *change)
{
	static const char *const kinds[STAGE_COUNT] = {
	        [STAGE_RUNNING] = "started",
	        [STAGE_COMPLETED] = "completed",
	        [STAGE_ERROR] = "failed",
	        [STAGE_CANCELED] = "canceled",
	};
	enum job_stage before = job->stage;

	if (!job_transition(service->db, job, change))
		return false;
	if (stage_is_terminal(job->stage))
		service->ended_total[job->stage]++;
	if (job->stage != before && kinds[job->stage])
		webhook_service_notice(service->webhooks, kinds[job->stage], job->namespace_id, job,
		                       NULL);
	if (job->stage != before)
		array_job_changed(service, job);
	if (stage_is_terminal(job->stage))
		dependency_job_ended(service, job);
	service_touch(service, job->id);
	return true;
}

void job_cancel(struct job_service *service, const char *id, const char *reason,
                const char *message)
{
	struct active_job *active = active_find(service, id);
	struct job_record job autojob = {0};
	int64_t running_us;
	struct job_change change = {
	        .stage = STAGE_CANCELED,
	        .message = message,
	        .cancel_reason = reason,
	        .at_ms = clock_now_ms(),
	};

	if (!jobs_find(service->db, id, &job))
		return;
	change.failure_count = job.failure_count;
	running_us = active && active->is_live ? attempt_running_us(active) : -1;
	/* On the time line of the attempt, which steps of the wall clock do not move. */
	if (running_us >= 0)
		change.at_ms = active->attempt_started_ms + running_us / 1000;
	if (!service_transition(service, &job, &change) || !active)
		return;
	if (active->is_live) {
		active->is_canceled = true;
		if (active->attempt_started_ms)
			billing_attempt_ended(service->billing, &job, active->number, running_us);
		if (!active->is_chosen)
			id_list_add(&service->canceled, id);
	} else {
		active_end(service, active);
		service_schedule(service);
	}
}

const char *job_status_message(struct job_service *service, const struct job_record *job,
                               char buffer[JOB_STATUS_MESSAGE_SIZE])
{
	struct active_job *active = active_find(service, job->id);

	if (!stage_is_terminal(job->stage) &&
	    (queue_explain_hold(service, job->id, buffer, JOB_STATUS_MESSAGE_SIZE) ||
	     queue_explain_retry(service, job, buffer, JOB_STATUS_MESSAGE_SIZE)))
		return buffer;
	if (!active || stage_is_terminal(job->stage) || job->message)
		return job->message;
	if (active->place.is_queued && service->is_disk_full)
		return "Waiting: the disk of this server is full";
	if (active->place.is_queued && active->place.hold == HOLD_AFTER) {
		dependency_explain(service, job->id, buffer, JOB_STATUS_MESSAGE_SIZE);
		return buffer;
	}
	if (active->place.is_queued && active->place.hold == HOLD_ARRAY) {
		array_explain(service, job->id, buffer, JOB_STATUS_MESSAGE_SIZE);
		return buffer;
	}
	if (active->place.is_queued)
		return scheduler_explain(service->scheduler, &active->place,
		                         service_now_ms(service), buffer, JOB_STATUS_MESSAGE_SIZE)
		               ? buffer
		               : NULL;
	if (!active->progress)
		return NULL;
	snprintf(buffer, JOB_STATUS_MESSAGE_SIZE, "%s", active->progress);
	return buffer;
}

void job_service_counts(const struct job_service *service, struct job_service_counts *ret)
{
	struct scheduler_usage usage = scheduler_usage(service->scheduler);

	*ret = (struct job_service_counts){
	        .queued = usage.queued - array_count_running(service),
	        .running = jobs_count(service->db,
	                              &(struct jobs_query){.stage_mask = 1u << STAGE_RUNNING}),
	        .live_attempts = usage.holding,
	        .heard_attempts = service->heard,
	        .submitted_total = service->submitted_total,
	        .cpu_millis_used = usage.cpu_millis,
	        .memory_bytes_used = usage.memory_bytes,
	};
	memcpy(ret->ended_total, service->ended_total, sizeof(ret->ended_total));
}

bool job_is_settled(const struct job_service *service, const char *id)
{
	return !active_find(service, id);
}

int job_attempts_fd(const struct job_service *service)
{
	return service->attempts_fd;
}
