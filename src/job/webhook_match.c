/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants to know: watched names and namespaces lead to webhooks, whose owner must be allowed to
 * see what happened. For each of them a row is written, in the turn of the event.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 60 * 60 * INT64_C(1000))
#define NAMES_MAX 6

struct match {
	struct webhook_service *service;
	const json_t *payload;
	const char *caused_by_job;
	struct webhook_event event;
	char *name, *text; /* of the event, which is inserted for the first who wants it */
	unsigned domain;
	bool is_private;
	const char *repo_namespace;
	const char *kind;             /* of a notice */
	const struct job_record *job; /* of a notice; may be NULL */
};

static void match_clear(struct match *match)
{
	free(match->name);
	free(match->text);
}

static const char *match_member(const struct match *match, const char *object, const char *name)
{
	return json_get_text(json_object_get(match->payload, object), name, "");
}

/* The event's row, once. */
static void match_insert_event(struct match *match)
{
	if (match->event.seq)
		return;
	match->name = xasprintf("%s.%s", match_member(match, "event", "scope"),
	                        match_member(match, "event", "action"));
	match->text = json_to_text(match->payload);
	match->event.name = match->name;
	match->event.payload = match->text;
	match->event.caused_by_job = match->caused_by_job ? match->caused_by_job : "";
	match->event.created_ms = clock_now_ms();
	webhook_events_insert(match->service->db, &match->event);
}

static void match_deliver(struct match *match, const struct webhook *webhook,
                          enum webhook_delivery_state state, char *take_error)
{
	autodelivery struct webhook_delivery delivery = {.state = state, .error = take_error};

	match_insert_event(match);
	delivery.created_ms = match->event.created_ms;
	delivery.finished_ms = state == DELIVERY_WAITING ? 0 : delivery.created_ms;
	webhook_deliveries_insert(match->service->db, webhook->id, match->event.seq, &delivery);
	if (state == DELIVERY_WAITING)
		webhook_delivery_kick(match->service, webhook->id);
	else
		webhook_deliveries_prune(match->service->db, webhook->id, WEBHOOK_LOG_KEEP);
}

/* Counts a trigger; false: too many within a day. The first one that is too many is shown. */
static bool match_count(struct match *match, struct webhook *webhook)
{
	int64_t now_ms = clock_now_ms(), max = match->service->configuration->webhook_daily_max;
	bool is_fine;

	if (now_ms - webhook->window_ms >= DAY_MS || now_ms < webhook->window_ms) {
		webhook->window_ms = now_ms;
		webhook->window_count = 0;
	}
	is_fine = ++webhook->window_count <= max;
	if (is_fine)
		webhook->triggered_ms = now_ms;
	if (webhook->window_count <= max + 1)
		webhooks_set_triggered(match->service->db, webhook);
	if (webhook->window_count == max + 1) {
		char again[CLOCK_TEXT_SIZE];

		match_deliver(
		        match, webhook, DELIVERY_DROPPED,
		        xasprintf("this webhook was triggered %lld times within 24 hours, the most "
		                  "that is allowed (setting webhooks.daily_max); this and all "
		                  "events until %s are dropped",
		                  (long long)max,
		                  clock_format_iso(webhook->window_ms + DAY_MS, again)));
	}
	return is_fine;
}

static void match_trigger(struct match *match, struct webhook *webhook)
{
	struct webhook_service *service = match->service;

	if (webhook->job && match->caused_by_job &&
	    webhook_job_is_loop(service, webhook->id, match->caused_by_job)) {
		/* The end of its own job is no news worth a line. */
		if (!match->job)
			match_deliver(
			        match, webhook, DELIVERY_LOOP,
			        xasprintf("not started, to stop a loop: job %s, which changed %s, "
			                  "was itself started by this webhook; let the job write "
			                  "to a place that this webhook does not watch",
			                  match->caused_by_job,
			                  match_member(match, "repo", "name")));
		return;
	}
	if (match_count(match, webhook))
		match_deliver(match, webhook, DELIVERY_WAITING, NULL);
}

/* A private repository is told to those who may read in its namespace. What belongs to nobody here
 * comes from a real Hub and is told to the operator, who entered the address there. */
static bool match_may_see(const struct match *match, const struct webhook *webhook)
{
	struct database *db = match->service->db;
	struct account owner;

	if (!match->is_private)
		return true;
	if (!accounts_find(db, match->repo_namespace, &owner))
		return webhook_owner_is_operator(match->service, webhook->owner_id);
	return strcmp(owner.id, webhook->owner_id) == 0 ||
	       accounts_role(db, webhook->owner_id, owner.id) >= ROLE_READ;
}

static void match_repo_webhook(void *arg, struct webhook *webhook)
{
	struct match *match = arg;

	if (webhook->state == WEBHOOK_ON && (webhook->domains & match->domain) &&
	    match_may_see(match, webhook))
		match_trigger(match, webhook);
}

static void match_add_name(char *names[NAMES_MAX], size_t *n, const char *type, const char *name)
{
	const char *slash = strchr(name, '/');

	names[(*n)++] = xasprintf("%s/%s", type, name);
	if (slash)
		names[(*n)++] = xasprintf("user/%.*s", (int)(slash - name), name);
}

void webhook_match_repo(struct webhook_service *service, const json_t *payload,
                        const char *caused_by_job)
{
	const json_t *repo = json_object_get(payload, "repo");
	const char *type = json_get_text(repo, "type", ""), *name = json_get_text(repo, "name", "");
	const char *moved = json_get_text(json_object_get(payload, "movedTo"), "name", "");
	autofree char *space = xstrndup(name, strcspn(name, "/"));
	struct match match = {
	        .service = service,
	        .payload = payload,
	        .caused_by_job = caused_by_job,
	        .is_private = json_get_bool(repo, "private", true),
	        .repo_namespace = space,
	};
	char *names[NAMES_MAX];
	size_t n = 0;

	match.domain = strncmp(match_member(&match, "event", "scope"), "discussion", 10) == 0
	                       ? WEBHOOK_DOMAIN_DISCUSSION
	                       : WEBHOOK_DOMAIN_REPO;
	match_add_name(names, &n, type, name);
	if (*moved)
		match_add_name(names, &n, type, moved);
	webhooks_each_watching(service->db, (const char *const *)names, n, match_repo_webhook,
	                       &match);
	while (n > 0)
		free(names[--n]);
	match_clear(&match);
}

static bool match_wants_kind(const struct webhook *webhook, const char *kind)
{
	const json_t *events = json_object_get(webhook->jobs, "events"), *event;
	size_t i;

	if (json_array_size(events) == 0)
		return true;
	json_array_foreach(events, i, event)
	{
		if (strcmp(json_string_value(event), kind) == 0)
			return true;
	}
	return false;
}

/* What is about a whole namespace has no labels, and is told to all who watch its jobs. */
static bool match_wants_labels(const struct webhook *webhook, const struct job_record *job)
{
	json_t *labels = json_object_get(webhook->jobs, "labels"), *value;
	const char *key;

	if (!job)
		return true;
	json_object_foreach(labels, key, value)
	{
		const char *actual = json_get_text(job->labels, key, NULL);

		if (!actual || strcmp(actual, json_string_value(value)) != 0)
			return false;
	}
	return true;
}

static void match_jobs_webhook(void *arg, struct webhook *webhook)
{
	struct match *match = arg;

	if (webhook->state == WEBHOOK_ON && webhook->jobs &&
	    match_wants_kind(webhook, match->kind) && match_wants_labels(webhook, match->job) &&
	    match_may_see(match, webhook))
		match_trigger(match, webhook);
}

void webhook_match_jobs(struct webhook_service *service, const char *kind, const char *watched_name,
                        const json_t *payload, const struct job_record *job)
{
	const char *names[] = {watched_name};
	struct match match = {
	        .service = service,
	        .payload = payload,
	        .caused_by_job = job ? job->id : NULL,
	        .is_private = true,
	        .kind = kind,
	        .job = job,
	};

	match.repo_namespace = json_get_text(json_object_get(payload, "namespace"), "name", "");
	webhooks_each_watching(service->db, names, 1, match_jobs_webhook, &match);
	match_clear(&match);
}
