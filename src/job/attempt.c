/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts: rows first, then processes. An attempt has its row on disk before the backend hears of
 * it, so that after a crash at any point somebody looks for its process; and its end is one
 * transaction with what follows from it, so that nobody ever sees one without the other.
 */
#include "job/attempt.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "job/billing.h"
#include "job/device_service.h"
#include "job/queue.h"
#include "job/run_history.h"
#include "job/state.h"
#include "job/volume_token.h"
#include "job/volumes.h"
#include "job/webhook_service.h"
#include "job/wishes.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX (8 * 1024 * 1024)

static void attempt_write_event(struct job_service *service, const char *id, json_t *take_data)
{
	autojson json_t *data = take_data;
	autofree char *text = json_to_text(data);

	(void)events_insert(service->db, id, "attempt", text, clock_now_ms());
}

void attempt_create(struct job_service *service, struct active_job *job)
{
	struct attempt_record attempt = {
	        .number = job->number,
	        .slot = job->place.slot,
	        .created_ms = clock_now_ms(),
	        .devices = job->place.devices,
	        .price_hour_micro_usd = job->place.flavor->price_micro_usd_hour,
	};

	memcpy(attempt.job_id, job->entry.id, ID_SIZE);
	attempts_insert(service->db, &attempt);
	attempt_write_event(service, job->entry.id,
	                    json_pack("{s:i, s:s}", "number", job->number, "phase", "created"));
	active_leave_queue(service, job);
	job->attempt_created_ms = attempt.created_ms;
	job->started_monotonic_us = 0;
	job->is_live = true;
	job->is_chosen = true;
	noted_add(&service->chosen, job);
	service_after_commit(service);
}

/* The end of an attempt that no backend knows. */
static void attempt_end_here(struct job_service *service, struct active_job *job,
                             enum attempt_outcome outcome, const char *message)
{
	struct exit_record record = {
	        .outcome = outcome, .exit_code = -1, .ended_ms = clock_now_ms()};
	struct backend_events events = attempt_events(service);

	snprintf(record.message, sizeof(record.message), "%s", message);
	events.ended(events.arg, job->entry.id, job->number, &record);
}

static int attempt_get_secrets(struct job_service *service, const char *id, json_t **ret,
                               struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);

	jobs_get_secrets(service->db, id, &sealed);
	return unseal_object(service->key, sealed.data, sealed.len, ret, err);
}

/* They were checked when they were set. The settings may have changed since: what is wrong now is
 * left out, and the job goes on. */
static void attempt_read_wishes(struct job_service *service, const struct job_record *record,
                                struct job_wishes *ret)
{
	struct error err = ERROR_INIT;

	if (job_wishes_parse(service->configuration, record->labels, ret, &err) < 0)
		log_warning("job %s: %s", record->id, err.text);
}

/* Those of its devices that metrics know. NULL: none. */
static json_t *attempt_list_metrics(const struct job_service *service, const char *names)
{
	size_t n = 0;
	const struct device *all =
	        service->devices ? device_service_get(service->devices, &n) : NULL;
	json_t *uuids = NULL;

	for (const char *at = names ? names : ""; *at;) {
		size_t len = strcspn(at, ",");

		for (size_t i = 0; i < n; i++) {
			if (strlen(all[i].name) != len || memcmp(all[i].name, at, len) != 0 ||
			    all[i].uuid[0] == '\0')
				continue;
			uuids = uuids ? uuids : json_array();
			(void)json_array_append_new(uuids, json_string(all[i].uuid));
		}
		at += len + (at[len] == ',');
	}
	return uuids;
}

static int attempt_hand_over(struct job_service *service, struct active_job *job,
                             void (*fn)(struct backend *, const struct attempt_start *),
                             struct error *err)
{
	struct job_record record autojob = {0};
	autojson json_t *secrets = NULL, *mounts = NULL;
	autojson json_t *metrics_devices = attempt_list_metrics(service, job->place.devices);
	struct job_wishes wishes;
	struct attempt_start start = {
	        .job = &record,
	        .number = job->number,
	        .slot = job->place.slot,
	        .flavor = job->place.flavor,
	};

	if (!jobs_find(service->db, job->entry.id, &record))
		BUG("job %s has an attempt, but no row", job->entry.id);
	job_volumes_set_mounted(service, record.id, record.spec, true);
	if (attempt_get_secrets(service, job->entry.id, &secrets, err) < 0)
		return error_prefix(err, "cannot read the secrets of the job");
	/* One that lives already has them. */
	if (!job->attempt_started_ms &&
	    job_volumes_mounts(service->db, service->configuration, record.spec, &mounts, err) < 0)
		return -1;
	volume_token_give(service->db, service->configuration, secrets, mounts);
	attempt_read_wishes(service, &record, &wishes);
	start.devices = job->place.devices;
	start.metrics_devices = metrics_devices;
	start.grace_s = wishes.grace_s;
	start.warning_s = wishes.warning_s;
	start.warning_signal = wishes.warning_signal;
	start.secrets = secrets;
	start.mounts = mounts;
	fn(service->backend, &start);
	return 0;
}

void attempt_start(struct job_service *service, struct active_job *job)
{
	struct error err = ERROR_INIT;

	job->is_chosen = false;
	if (job->is_canceled) {
		attempt_end_here(service, job, OUTCOME_CANCELED, "");
	} else if (attempt_hand_over(service, job, service->backend->ops->start, &err) < 0) {
		log_error("job %s: %s", job->entry.id, err.text);
		attempt_end_here(service, job, OUTCOME_FAILED, err.text);
	}
}

/* The secrets do not matter to a process that has them already; it has to be taken over anyway. */
void attempt_adopt(struct job_service *service, struct active_job *job)
{
	struct error err = ERROR_INIT;

	if (attempt_hand_over(service, job, service->backend->ops->adopt, &err) < 0) {
		struct job_record record autojob = {0};
		autojson json_t *none = json_object();
		struct attempt_start start = {.job = &record,
		                              .number = job->number,
		                              .slot = job->place.slot,
		                              .flavor = job->place.flavor,
		                              .secrets = none};

		log_error("job %s: %s", job->entry.id, err.text);
		if (jobs_find(service->db, job->entry.id, &record))
			service->backend->ops->adopt(service->backend, &start);
		/* If it never ran, it must not begin to without them. */
		if (!job->attempt_started_ms)
			service->backend->ops->stop(service->backend, job->entry.id, job->number);
	}
	if (job->is_canceled)
		service->backend->ops->stop(service->backend, job->entry.id, job->number);
}

/* NULL when the backend speaks of something that is over: a late word, not an error. */
static struct active_job *attempt_find(struct job_service *service, const char *id, int number)
{
	struct active_job *job = active_find(service, id);

	if (job && job->is_live && job->number == number)
		return job;
	log_debug("job %s: the backend speaks of attempt %d, which is not live", id, number);
	return NULL;
}

static void attempt_on_progress(void *arg, const char *id, int number, const char *message)
{
	struct job_service *service = arg;
	struct active_job *job = attempt_find(service, id, number);

	if (!job || job->attempt_started_ms)
		return;
	active_set_progress(job, message);
	service_touch(service, id);
}

static void attempt_on_image(void *arg, const char *id, int number, const char *manifest_digest)
{
	struct job_service *service = arg;

	if (!attempt_find(service, id, number))
		return;
	jobs_set_image_digest(service->db, id, manifest_digest);
	service_touch(service, id);
}

/* Several attempts of one job: RUNNING since the first one ran. */
static void attempt_set_running(struct job_service *service, struct active_job *job,
                                struct job_record *record, int64_t started_ms, int64_t running_us)
{
	struct job_change change = {
	        .stage = STAGE_RUNNING,
	        .failure_count = record->failure_count,
	        .at_ms = started_ms,
	};

	job->attempt_started_ms = started_ms;
	job->started_monotonic_us = clock_monotonic_us() - running_us;
	active_set_progress(job, NULL);
	active_know_start(service, job, record);
	attempts_set_started(service->db, job->entry.id, job->number, started_ms,
	                     job->started_monotonic_us);
	attempt_write_event(service, job->entry.id,
	                    json_pack("{s:i, s:s}", "number", job->number, "phase", "running"));
	if (job->is_canceled)
		return;
	billing_attempt_running(service->billing, record, job->number, job->place.flavor,
	                        started_ms, running_us);
	(void)service_transition(service, record, &change);
	webhook_service_attempt_started(service->webhooks, record, started_ms);
}

static void attempt_on_running(void *arg, const char *id, int number, int64_t started_ms,
                               int64_t running_us)
{
	struct job_service *service = arg;
	struct active_job *job = attempt_find(service, id, number);
	struct job_record record autojob = {0};

	if (!job)
		return;
	active_set_heard(service, job, true);
	if (job->started_monotonic_us || !jobs_find(service->db, id, &record))
		return;
	if (!job->attempt_started_ms) {
		attempt_set_running(service, job, &record,
		                    started_ms > 0 ? started_ms : clock_now_ms(), running_us);
	} else if (running_us > 0) {
		job->started_monotonic_us = clock_monotonic_us() - running_us;
		billing_attempt_running(service->billing, &record, number, job->place.flavor,
		                        job->attempt_started_ms, running_us);
	}
}

static void attempt_on_warned(void *arg, const char *id, int number, int signal, int64_t left_s)
{
	struct job_service *service = arg;

	if (attempt_find(service, id, number))
		attempt_write_event(service, id,
		                    json_pack("{s:i, s:s, s:i, s:I}", "number", number, "phase",
		                              "warned", "signal", signal, "secondsLeft",
		                              (json_int_t)left_s));
}

int64_t attempt_running_us(const struct active_job *job)
{
	if (!job->attempt_started_ms || !job->started_monotonic_us)
		return -1;
	return clock_monotonic_us() - job->started_monotonic_us;
}

/* Durations are those of the monotonic clock where there is one; the wall clock may have stepped. A
 * lost attempt has run until it was last known to live, and never longer than since its start, or
 * than it may. */
static int64_t attempt_ended_ms(const struct active_job *job, const struct exit_record *record,
                                int64_t limit_ms)
{
	int64_t start_ms =
	        job->attempt_started_ms ? job->attempt_started_ms : job->attempt_created_ms;
	int64_t end_ms = record->ended_ms > 0 ? record->ended_ms : clock_now_ms();
	int64_t most_us = attempt_running_us(job);
	int64_t most_ms = most_us >= 0 ? most_us / 1000 : limit_ms;

	if (job->attempt_started_ms && record->running_us > 0)
		end_ms = job->attempt_started_ms + record->running_us / 1000;
	else if (job->attempt_started_ms && end_ms > start_ms + most_ms)
		end_ms = start_ms + most_ms;
	return end_ms > start_ms ? end_ms : start_ms;
}

static void attempt_write_end(struct job_service *service, const struct active_job *job,
                              const struct exit_record *record, int64_t ended_ms)
{
	struct attempt_record row = {
	        .number = job->number,
	        .started_ms = job->attempt_started_ms,
	        .ended_ms = ended_ms,
	        .exit_code = record->outcome == OUTCOME_EXITED ? record->exit_code : -1,
	        .signal = record->outcome == OUTCOME_EXITED ? 0 : record->signal,
	};
	json_t *data = json_pack("{s:i, s:s, s:s}", "number", job->number, "phase", "ended",
	                         "outcome", outcome_name(record->outcome));

	memcpy(row.job_id, job->entry.id, ID_SIZE);
	snprintf(row.outcome, sizeof(row.outcome), "%s", outcome_name(record->outcome));
	attempts_set_ended(service->db, &row);
	if (row.exit_code >= 0)
		json_object_set_new(data, "exitCode", json_integer(row.exit_code));
	if (row.signal > 0)
		json_object_set_new(data, "signal", json_integer(row.signal));
	attempt_write_event(service, job->entry.id, data);
}

/* Its flavor was removed while it ran: what another attempt needs and costs is not known. */
static void attempt_give_up(const struct job_record *record, struct attempt_verdict *verdict)
{
	char *end = strstr(verdict->message, "; attempt ");
	size_t len = end ? (size_t)(end - verdict->message) : strlen(verdict->message);

	verdict->stage = STAGE_ERROR;
	verdict->is_retried = false;
	snprintf(verdict->message + len, sizeof(verdict->message) - len,
	         "%s: the flavor %.64s was removed from this server",
	         len ? "; no attempt follows" : "The job could not be started", record->flavor);
}

/* What follows for the job: its end, or its next attempt. */
static void attempt_conclude(struct job_service *service, struct active_job *job,
                             struct job_record *record, const struct exit_record *exit,
                             int64_t ended_ms)
{
	struct attempt_verdict verdict;
	struct job_wishes wishes;
	struct job_change change;

	attempt_read_wishes(service, record, &wishes);
	attempt_judge(record, &wishes.retry, job->number, exit, &verdict);
	if (verdict.is_retried && !configuration_flavor(service->configuration, record->flavor))
		attempt_give_up(record, &verdict);
	change = (struct job_change){
	        .stage = verdict.stage,
	        .message = verdict.message,
	        .failure_count = record->failure_count + verdict.is_failure,
	        .at_ms = ended_ms,
	};
	if (!service_transition(service, record, &change))
		log_error("job %s: cannot go from %s to %s", record->id, stage_name(record->stage),
		          stage_name(change.stage));
	if (verdict.is_retried) {
		scheduler_release(service->scheduler, &job->place, service_now_ms(service));
		queue_set_pause(service, record, verdict.delay_s);
		active_enqueue(service, job, job->number + 1);
	} else {
		active_end(service, job);
	}
}

/* Also when `running` was never told: hearthd was away, or the backend left it out. 0: it never
 * ran. */
static int64_t attempt_find_start(const struct exit_record *exit)
{
	int64_t end_ms = exit->ended_ms > 0 ? exit->ended_ms : clock_now_ms();

	if (exit->started_ms > 0)
		return exit->started_ms;
	switch (exit->outcome) {
	case OUTCOME_EXITED:
	case OUTCOME_SIGNALED:
	case OUTCOME_OOM:
	case OUTCOME_TIMEOUT:
	case OUTCOME_STORAGE:
		return end_ms - exit->running_us / 1000;
	default:
		return 0;
	}
}

static int64_t attempt_find_running_us(const struct exit_record *exit)
{
	if (exit->running_us > 0)
		return exit->running_us;
	return exit->ended_ms > exit->started_ms ? (exit->ended_ms - exit->started_ms) * 1000 : 0;
}

static void attempt_on_ended(void *arg, const char *id, int number, const struct exit_record *told)
{
	struct job_service *service = arg;
	struct active_job *job = attempt_find(service, id, number);
	struct job_record record autojob = {0};
	struct exit_record exit = *told;
	int64_t ended_ms;

	if (!job)
		return;
	if (!jobs_find(service->db, id, &record))
		BUG("job %s has an attempt, but no row", id);
	exit.started_ms = attempt_find_start(&exit);
	if (exit.started_ms > 0 && !job->attempt_started_ms)
		attempt_set_running(service, job, &record, exit.started_ms,
		                    attempt_find_running_us(&exit));
	exit.started_ms = job->attempt_started_ms;
	ended_ms = attempt_ended_ms(job, &exit, active_limit_ms(service, &record));
	attempt_write_end(service, job, &exit, ended_ms);
	if (job->attempt_started_ms) {
		billing_attempt_ended(service->billing, &record, number,
		                      (ended_ms - job->attempt_started_ms) * 1000);
		run_history_add(service->history, &record, ended_ms - job->attempt_started_ms);
	}
	job_volumes_set_mounted(service, id, record.spec, false);
	if (stage_is_terminal(record.stage))
		active_end(service, job);
	else
		attempt_conclude(service, job, &record, &exit, ended_ms);
	service_touch(service, id);
	service_schedule(service);
}

struct backend_events attempt_events(struct job_service *service)
{
	return (struct backend_events){
	        .progress = attempt_on_progress,
	        .image = attempt_on_image,
	        .running = attempt_on_running,
	        .warned = attempt_on_warned,
	        .ended = attempt_on_ended,
	        .arg = service,
	};
}
