/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a webhook (hub-jobs-api 4.2), field by field: what is omitted, null or [] stays as it
 * is. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHED_MAX 1000
#define WEBHOOKS_MAX 1000 /* per owner */
#define NAME_MAX_LENGTH 96

static const char *const watched_types[] = {"model",  "dataset", "space", "bucket",
                                            "kernel", "user",    "org",   NULL};
static const char *const job_events[] = {"started",         "completed", "failed",    "canceled",
                                         "timeout-soon",    "idle",      "budget-80", "budget-100",
                                         "schedule-missed", "held",      "released",  NULL};

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

json_t *webhook_member(json_t *body, const char *name)
{
	json_t *value = json_object_get(body, name);

	return json_is_null(value) || (json_is_array(value) && json_array_size(value) == 0) ? NULL
	                                                                                    : value;
}

static bool is_name_part(const char *name, size_t len)
{
	static const char allowed[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return len > 0 && len <= NAME_MAX_LENGTH && strspn(name, allowed) >= len;
}

static int check_watched_name(size_t i, const char *type, const char *name, struct error *err)
{
	bool is_account = strcmp(type, "user") == 0 || strcmp(type, "org") == 0;
	size_t first = strcspn(name, "/");
	bool has_rest = name[first] == '/';

	if (!is_name_part(name, first) ||
	    (has_rest && !is_name_part(name + first + 1, strlen(name + first + 1))))
		return fail(err, E_INVALID,
		            "watched[%zu].name must be NAME or NAMESPACE/NAME, of letters, digits, "
		            "'.', "
		            "'_' and '-'",
		            i);
	if (is_account && has_rest)
		return fail(err, E_INVALID,
		            "watched[%zu].name must be the name of a %s, without a '/'", i,
		            strcmp(type, "user") == 0 ? "user" : "organization");
	if (!has_rest && (strcmp(type, "bucket") == 0 || strcmp(type, "space") == 0))
		return fail(err, E_INVALID, "watched[%zu].name must be NAMESPACE/NAME", i);
	return 0;
}

static int put_watched(json_t *body, struct webhook *webhook, struct error *err)
{
	json_t *value = webhook_member(body, "watched"), *item;
	autojson json_t *watched = json_array();
	size_t i;

	if (!value)
		return 0;
	if (!json_is_array(value) || json_array_size(value) > WATCHED_MAX)
		return fail(err, E_INVALID,
		            "watched must be an array of at most %d objects {\"type\", \"name\"}",
		            WATCHED_MAX);
	json_array_foreach(value, i, item)
	{
		const char *type = json_get_text(item, "type", NULL);
		const char *name = json_get_text(item, "name", NULL);

		if (!type || !is_one_of(watched_types, type))
			return fail(
			        err, E_INVALID,
			        "watched[%zu].type must be model, dataset, space, bucket, kernel, "
			        "user or org",
			        i);
		if (!name)
			return fail(err, E_INVALID, "watched[%zu].name is required", i);
		if (check_watched_name(i, type, name, err) < 0)
			return -1;
		json_array_append_new(watched, json_pack("{s:s, s:s}", "type", type, "name", name));
	}
	json_decref(webhook->watched);
	webhook->watched = take_ptr(&watched);
	return 0;
}

static int put_domains(json_t *body, struct webhook *webhook, struct error *err)
{
	json_t *value = webhook_member(body, "domains"), *item;
	unsigned domains = 0;
	size_t i;

	if (!value)
		return 0;
	json_array_foreach(value, i, item)
	{
		const char *name = json_is_string(item) ? json_string_value(item) : "";

		if (strcmp(name, "repo") == 0)
			domains |= WEBHOOK_DOMAIN_REPO;
		else if (strcmp(name, "discussion") == 0 || strcmp(name, "discussions") == 0)
			domains |= WEBHOOK_DOMAIN_DISCUSSION;
		else
			return fail(err, E_INVALID, "domains[%zu] must be repo or discussion", i);
	}
	if (!domains)
		return fail(err, E_INVALID, "domains must be an array of repo and discussion");
	webhook->domains = domains;
	return 0;
}

static int put_secret(struct webhook_service *service, json_t *body, struct webhook *webhook,
                      struct buffer *ret_sealed, struct error *err)
{
	json_t *value = webhook_member(body, "secret");
	const char *secret = json_string_value(value);

	if (!value || (secret && !*secret))
		return 0;
	if (!secret || strlen(secret) > WEBHOOK_SECRET_MAX)
		return fail(err, E_INVALID, "secret must be a string of at most %d characters",
		            WEBHOOK_SECRET_MAX);
	for (const char *c = secret; *c; c++)
		if (*c < ' ' || *c > '~')
			return fail(err, E_INVALID,
			            "secret must be printable ASCII: it is sent as a header");
	seal(service->key, secret, strlen(secret), ret_sealed);
	webhook->has_secret = true;
	return 0;
}

static int put_job_events(json_t *jobs, struct error *err)
{
	json_t *events = json_object_get(jobs, "events"), *event;
	size_t i;

	if (events && !json_is_null(events) && !json_is_array(events))
		return fail(err, E_INVALID,
		            "jobs.events must be an array; without it all are meant");
	json_array_foreach(events, i, event)
	{
		if (!json_is_string(event) || !is_one_of(job_events, json_string_value(event)))
			return fail(
			        err, E_INVALID,
			        "jobs.events[%zu] must be started, completed, failed, canceled, "
			        "held, released, timeout-soon, idle, budget-80, budget-100 or "
			        "schedule-missed",
			        i);
	}
	return 0;
}

static int put_jobs_namespace(struct webhook_service *service, const char *name,
                              struct webhook *webhook, struct error *err)
{
	struct account account;

	if (!accounts_find(service->db, name, &account) ||
	    (strcmp(account.id, webhook->owner_id) != 0 &&
	     accounts_role(service->db, webhook->owner_id, account.id) < ROLE_READ))
		return fail(err, E_INVALID,
		            "jobs.namespace \"%.96s\" is not yours or of an organization of yours",
		            name);
	memcpy(webhook->jobs_namespace_id, account.id, ID_SIZE);
	return 0;
}

/* An extension of Hearth: {"namespace", "labels", "events"}, each of which may be left out. */
static int put_jobs(struct webhook_service *service, json_t *body, struct webhook *webhook,
                    struct error *err)
{
	json_t *jobs = webhook_member(body, "jobs"), *labels = NULL, *events;
	const char *name;

	if (!jobs)
		return !webhook->jobs
		               ? 0
		               : put_jobs_namespace(service,
		                                    json_get_text(webhook->jobs, "namespace", ""),
		                                    webhook, err);
	if (!json_is_object(jobs))
		return fail(err, E_INVALID,
		            "jobs must be an object {\"namespace\", \"labels\", \"events\"}");
	name = json_get_text(jobs, "namespace", webhook->owner_name);
	if (put_job_events(jobs, err) < 0 || put_jobs_namespace(service, name, webhook, err) < 0)
		return -1;
	if (webhook_member(jobs, "labels") &&
	    job_labels_parse(json_object_get(jobs, "labels"), &labels, err) < 0)
		return error_prefix(err, "jobs");
	events = webhook_member(jobs, "events");
	json_decref(webhook->jobs);
	webhook->jobs = json_pack("{s:s, s:o, s:o}", "namespace", name, "labels",
	                          labels ? labels : json_object(), "events",
	                          events ? json_incref(events) : json_array());
	return 0;
}

static int put_fields(struct webhook_service *service, json_t *body,
                      const struct job_record *source, const char *hub_token,
                      struct webhook *webhook, struct buffer *secret, struct buffer *job_secrets,
                      struct error *err)
{
	if (webhook_target_put(service, body, source, hub_token, webhook, job_secrets, err) < 0 ||
	    put_watched(body, webhook, err) < 0 || put_domains(body, webhook, err) < 0 ||
	    put_secret(service, body, webhook, secret, err) < 0 ||
	    put_jobs(service, body, webhook, err) < 0)
		return -1;
	if (json_array_size(webhook->watched) == 0 && !webhook->jobs)
		return fail(err, E_INVALID,
		            "watched must name at least one thing: "
		            "[{\"type\":\"user\",\"name\":\"alice\"}]");
	return 0;
}

int webhook_put(struct webhook_service *service, json_t *body, const struct job_record *source_job,
                const char *hub_token, struct webhook *webhook, struct error *err)
{
	autobuffer struct buffer secret = BUFFER_INIT(2 * WEBHOOK_SECRET_MAX);
	autobuffer struct buffer job_secrets = BUFFER_INIT(WEBHOOK_SECRETS_MAX);
	bool is_new = !webhook->id[0];

	if (!webhook->watched)
		webhook->watched = json_array();
	if (!webhook->domains)
		webhook->domains = WEBHOOK_DOMAIN_REPO | WEBHOOK_DOMAIN_DISCUSSION;
	if (is_new && webhooks_count(service->db, webhook->owner_id) >= WEBHOOKS_MAX)
		return fail(err, E_CONFLICT, "%s has %d webhooks, the most that one user may have",
		            webhook->owner_name, WEBHOOKS_MAX);
	if (put_fields(service, body, source_job, hub_token, webhook, &secret, &job_secrets, err) <
	    0)
		return -1;
	webhook->updated_ms = clock_now_ms();
	if (is_new) {
		id_new(webhook->id);
		webhook->created_ms = webhook->updated_ms;
		service->count = -1;
	}
	webhooks_put(service->db, webhook, (struct webhook_sealed){secret.data, secret.len},
	             (struct webhook_sealed){job_secrets.data, job_secrets.len});
	if (!is_new)
		webhook_delivery_hurry(service, webhook->id);
	return 0;
}

void webhook_enable(struct webhook_service *service, struct webhook *webhook, bool is_on)
{
	webhook->state = is_on ? WEBHOOK_ON : WEBHOOK_OFF;
	webhook->failures = 0;
	webhooks_set_state(service->db, webhook->id, webhook->state, clock_now_ms());
	if (is_on)
		webhook_delivery_hurry(service, webhook->id);
}

void webhook_remove(struct webhook_service *service, const char *id)
{
	webhooks_remove(service->db, id);
	service->count = -1;
}
