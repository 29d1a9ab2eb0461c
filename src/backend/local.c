/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts on this machine: wait for the image, write the folder, ask the spawner for a monitor,
 * listen to it. The end is told as soon as the exit record is durable, because that is what starts
 * the next job; the attempt stays known, and its image held, until the monitor is gone.
 */
#include "backend/local_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "backend/job_env.h"
#include "image/reference.h"
#include "job/spec.h"

#include <stdlib.h>
#include <string.h>

#define ASK_AGAIN_MS 1

struct exit_record local_record(enum attempt_outcome outcome, const char *message)
{
	struct exit_record record = {.outcome = outcome, .exit_code = -1};
	record.ended_ms = clock_now_ms();
	(void)snprintf(record.message, sizeof(record.message), "%s", message);
	return record;
}

void local_attempt_free(struct local_attempt *attempt)
{
	*attempt->place = attempt->next;
	if (attempt->next)
		attempt->next->place = attempt->place;
	if (attempt->held_digest[0])
		image_service_release(attempt->local->images, attempt->held_digest);
	if (attempt->wait)
		image_wait_cancel(attempt->wait);
	child_channel_free(attempt->channel);
	loop_timer_free(attempt->timer);
	json_decref(attempt->body);
	json_decref(attempt->secrets);
	json_decref(attempt->mounts);
	json_decref(attempt->metrics_devices);
	free(attempt->devices);
	free(attempt->flavor.name);
	free(attempt);
}

void local_attempt_hold(struct local_attempt *attempt, const char *digest)
{
	if (!digest_is_valid(digest))
		return;
	if (attempt->held_digest[0])
		image_service_release(attempt->local->images, attempt->held_digest);
	(void)snprintf(attempt->held_digest, sizeof(attempt->held_digest), "%s", digest);
	image_service_hold(attempt->local->images, digest);
}

void local_attempt_ended(struct local_attempt *attempt, const struct exit_record *record)
{
	const struct backend_events *events = &attempt->local->events;
	if (attempt->is_ended)
		return;
	attempt->is_ended = true;
	events->ended(events->arg, attempt->job_id, attempt->number, record);
}

void local_attempt_later(struct local_attempt *attempt, loop_fn *fn, int64_t ms)
{
	loop_timer_free(attempt->timer);
	attempt->timer = loop_timer_new(attempt->local->loop, fn, attempt);
	loop_timer_start(attempt->timer, ms, 0);
}

static void end_now(void *arg)
{
	struct local_attempt *attempt = arg;
	struct exit_record record = attempt->record;
	local_attempt_ended(attempt, &record);
	local_attempt_free(attempt);
}

void local_attempt_end_later(struct local_attempt *attempt, const struct exit_record *record)
{
	attempt->record = *record;
	local_attempt_later(attempt, end_now, 0);
}

static void fail_now(struct local_attempt *attempt, const char *text)
{
	struct exit_record record = local_record(OUTCOME_FAILED, text);
	local_attempt_ended(attempt, &record);
}

static void on_progress(void *arg, const char *message)
{
	struct local_attempt *attempt = arg;
	const struct backend_events *events = &attempt->local->events;
	if (events->progress)
		events->progress(events->arg, attempt->job_id, attempt->number, message);
}

static void send_to_monitor(struct local_attempt *attempt, json_t *take_message)
{
	struct error err = ERROR_INIT;
	/* When it is gone, `closed` says so soon. */
	if (child_channel_send(attempt->channel, take_message, &err) < 0)
		log_debug("attempt %s: %s", attempt->name, err.text);
	json_decref(take_message);
}

static void tell_timeout(struct local_attempt *attempt)
{
	if (!attempt->channel || attempt->is_cleaning ||
	    attempt->told_timeout_s == attempt->timeout_s)
		return;
	attempt->told_timeout_s = attempt->timeout_s;
	send_to_monitor(attempt, json_pack("{s:s, s:I}", "type", "extend", "timeout_s",
	                                   (json_int_t)attempt->timeout_s));
}

static void on_running(struct local_attempt *attempt, const json_t *message)
{
	const struct backend_events *events = &attempt->local->events;
	if (attempt->is_ended)
		return;
	attempt->is_running = true;
	attempt->started_ms = json_get_int(message, "started_ms", clock_now_ms());
	attempt->started_us = clock_monotonic_us() - json_get_int(message, "running_us", 0);
	tell_timeout(attempt);
	events->running(events->arg, attempt->job_id, attempt->number, attempt->started_ms,
	                json_get_int(message, "running_us", 0));
}

static void on_warned(struct local_attempt *attempt, const json_t *message)
{
	const struct backend_events *events = &attempt->local->events;
	if (!attempt->is_ended && events->warned)
		events->warned(events->arg, attempt->job_id, attempt->number,
		               (int)json_get_int(message, "signal", 0),
		               json_get_int(message, "left_s", 0));
}

static void on_monitor_ended(struct local_attempt *attempt)
{
	autoclose int fd = -1;
	struct exit_record record;
	struct error err = ERROR_INIT;
	if (local_folder_open(attempt, &fd, &err) < 0 || exit_record_read(fd, &record, &err) < 0) {
		/* Its death, when it comes, decides. */
		log_error("attempt %s: %s", attempt->name, err.text);
		return;
	}
	local_attempt_ended(attempt, &record);
}

/* Told once the folder is clean: it may still hold spec.json, and the spawner owns it by now. */
static void on_not_started(struct local_attempt *attempt, const char *text)
{
	attempt->record = local_record(OUTCOME_FAILED, text);
	attempt->is_not_started = true;
}

static void on_monitor_message(void *arg, const json_t *message)
{
	struct local_attempt *attempt = arg;
	const char *type = json_get_text(message, "type", "");
	if (!strcmp(type, "running"))
		on_running(attempt, message);
	else if (!strcmp(type, "ended"))
		on_monitor_ended(attempt);
	else if (!strcmp(type, "warned"))
		on_warned(attempt, message);
	else if (!strcmp(type, "progress") && !attempt->is_running)
		on_progress(attempt, json_get_text(message, "text", ""));
	else if (!strcmp(type, "error"))
		on_not_started(attempt,
		               json_get_text(message, "text", "The monitor could not start"));
}

static void on_monitor_closed(void *arg)
{
	struct local_attempt *attempt = arg;
	child_channel_free(attempt->channel);
	attempt->channel = NULL;
	if (attempt->is_ended) {
		local_attempt_free(attempt);
		return;
	}
	attempt->lost_us = clock_monotonic_us();
	local_adopt_orphan(attempt);
}

void local_attempt_listen(struct local_attempt *attempt, int take_fd)
{
	struct child_channel_events events = {on_monitor_message, on_monitor_closed, attempt};
	attempt->channel = child_channel_new(attempt->local->loop, take_fd, &events);
	attempt->is_not_started = false;
	if (attempt->is_stopping)
		send_to_monitor(attempt, json_pack("{s:s}", "type", "cancel"));
}

static void ask_again(void *arg);

static int ask_for_monitor(struct local_attempt *attempt, struct error *err)
{
	struct local *local = attempt->local;
	int fd;
	if (spawner_link_try(local->spawner_fd, SPAWN_MONITOR, attempt->name, -1, &fd, err) == 0) {
		local_attempt_listen(attempt, fd);
		return 0;
	}
	if (err->code == E_BUSY) {
		local_attempt_later(attempt, ask_again, ASK_AGAIN_MS);
		return 0;
	}
	local_folder_remove(attempt);
	return -1;
}

static void ask_again(void *arg)
{
	struct local_attempt *attempt = arg;
	struct error err = ERROR_INIT;
	if (ask_for_monitor(attempt, &err) == 0)
		return;
	fail_now(attempt, err.text);
	local_attempt_free(attempt);
}

static int start_monitor(struct local_attempt *attempt, const json_t *record, struct error *err)
{
	struct job_env_input input = {
	        .configuration = attempt->local->configuration,
	        .flavor = &attempt->flavor,
	        .job_id = attempt->job_id,
	        .namespace_id = attempt->namespace_id,
	        .number = attempt->number,
	        .slot = attempt->slot,
	        .timeout_s = attempt->timeout_s,
	        .grace_s = attempt->grace_s,
	        .warning_s = attempt->warning_s,
	        .warning_signal = attempt->warning_signal,
	        .body = attempt->body,
	        .secrets = attempt->secrets,
	        .mounts = attempt->mounts,
	        .devices = attempt->devices,
	        .metrics_devices = attempt->metrics_devices,
	        .record = record,
	};
	autojson json_t *spec = NULL;
	attempt->told_timeout_s = attempt->timeout_s;
	if (job_env_make(&input, &spec, err) < 0 || local_folder_make(attempt, spec, err) < 0)
		return -1;
	/* From here on the monitor knows them, and nobody else needs to. */
	json_decref(attempt->body);
	json_decref(attempt->secrets);
	json_decref(attempt->mounts);
	attempt->body = attempt->secrets = attempt->mounts = NULL;
	return ask_for_monitor(attempt, err);
}

static void on_image(void *arg, const json_t *record, const struct error *image_err)
{
	struct local_attempt *attempt = arg;
	const struct backend_events *events = &attempt->local->events;
	struct error err = ERROR_INIT;
	attempt->wait = NULL;
	if (record) {
		const char *digest = json_get_text(record, "digest", "");
		local_attempt_hold(attempt, digest);
		if (events->image)
			events->image(events->arg, attempt->job_id, attempt->number, digest);
		if (start_monitor(attempt, record, &err) == 0)
			return;
		image_err = &err;
	}
	fail_now(attempt, image_err->text);
	local_attempt_free(attempt);
}

void local_attempt_begin(struct local_attempt *attempt)
{
	struct local *local = attempt->local;
	struct image_wait_events events = {on_progress, on_image, attempt};
	struct error err = ERROR_INIT;
	char reference[REFERENCE_MAX];
	if (attempt->is_stopping) {
		struct exit_record record = local_record(OUTCOME_CANCELED, "");
		local_attempt_end_later(attempt, &record);
		return;
	}
	if (job_spec_image(local->configuration, attempt->body, reference, sizeof(reference),
	                   &err) < 0) {
		struct exit_record record = local_record(OUTCOME_FAILED, err.text);
		local_attempt_end_later(attempt, &record);
		return;
	}
	attempt->wait =
	        image_service_want(local->images, reference,
	                           json_get_text(attempt->body, "arch", "amd64"), false, &events);
}

static struct local_attempt *attempt_new(struct local *local, const struct attempt_start *start)
{
	struct local_attempt *attempt = xcalloc(1, sizeof(*attempt));
	attempt->local = local;
	(void)snprintf(attempt->job_id, sizeof(attempt->job_id), "%s", start->job->id);
	(void)snprintf(attempt->namespace_id, sizeof(attempt->namespace_id), "%s",
	               start->job->namespace_id);
	spawn_name_format(attempt->name, start->job->id, start->number);
	attempt->number = start->number;
	attempt->slot = start->slot;
	attempt->timeout_s = start->job->timeout_s;
	attempt->grace_s = start->grace_s;
	attempt->warning_s = start->warning_s;
	attempt->warning_signal = start->warning_signal;
	attempt->flavor = *start->flavor;
	attempt->flavor.name = xstrdup(start->flavor->name);
	attempt->body = json_incref(start->job->spec);
	attempt->secrets = json_deep_copy(start->secrets);
	attempt->mounts = json_deep_copy(start->mounts);
	attempt->devices = xstrdup(start->devices);
	attempt->metrics_devices = json_deep_copy(start->metrics_devices);
	attempt->next = local->attempts;
	attempt->place = &local->attempts;
	if (attempt->next)
		attempt->next->place = &attempt->next;
	local->attempts = attempt;
	return attempt;
}

static void local_adopt_now(void *arg)
{
	local_adopt(arg);
}

static void local_start(struct backend *backend, const struct attempt_start *start)
{
	struct local_attempt *attempt = attempt_new((struct local *)backend, start);
	/* Nothing of this attempt should exist; if something does, it must not be started twice. */
	autoclose int fd = -1;
	struct error err = ERROR_INIT;
	if (local_folder_open(attempt, &fd, &err) < 0)
		local_attempt_begin(attempt);
	else
		local_attempt_later(attempt, local_adopt_now, 0);
}

static struct local_attempt *attempt_find(struct backend *backend, const char *job_id, int number)
{
	struct local_attempt *attempt = ((struct local *)backend)->attempts;
	while (attempt && (attempt->number != number || strcmp(attempt->job_id, job_id) != 0))
		attempt = attempt->next;
	return attempt;
}

static void local_stop(struct backend *backend, const char *job_id, int number)
{
	struct local_attempt *attempt = attempt_find(backend, job_id, number);
	if (!attempt || attempt->is_stopping || attempt->is_ended)
		return;
	attempt->is_stopping = true;
	if (attempt->wait) {
		struct exit_record record = local_record(OUTCOME_CANCELED, "");
		image_wait_cancel(attempt->wait);
		attempt->wait = NULL;
		local_attempt_end_later(attempt, &record);
	} else if (attempt->channel && !attempt->is_cleaning) {
		send_to_monitor(attempt, json_pack("{s:s}", "type", "cancel"));
	}
}

static void local_extend(struct backend *backend, const char *job_id, int number, int64_t timeout_s)
{
	struct local_attempt *attempt = attempt_find(backend, job_id, number);
	if (!attempt || attempt->is_ended)
		return;
	attempt->timeout_s = timeout_s;
	if (attempt->is_running)
		tell_timeout(attempt);
}

static void local_adopt_op(struct backend *backend, const struct attempt_start *start)
{
	struct local_attempt *attempt = attempt_new((struct local *)backend, start);
	if (start->job->image_digest)
		local_attempt_hold(attempt, start->job->image_digest);
	local_attempt_later(attempt, local_adopt_now, 0);
}

static void local_free(struct backend *backend)
{
	struct local *local = (struct local *)backend;
	while (local->attempts)
		local_attempt_free(local->attempts);
	free(local);
}

static const struct backend_ops local_ops = {
        .name = "local",
        .start = local_start,
        .stop = local_stop,
        .extend = local_extend,
        .adopt = local_adopt_op,
        .free = local_free,
};

struct backend *backend_local_new(struct loop *loop, const struct configuration *configuration,
                                  struct image_service *images, int attempts_fd, int spawner_fd,
                                  const struct backend_events *events)
{
	struct local *local = xcalloc(1, sizeof(*local));
	local->base.ops = &local_ops;
	local->loop = loop;
	local->configuration = configuration;
	local->images = images;
	local->attempts_fd = attempts_fd;
	local->spawner_fd = spawner_fd;
	local->events = *events;
	return &local->base;
}
