/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads: of version 3 as the Hub writes them (hub-jobs-api 4.4), and of the same make for jobs.
 * No environment and no secret of a job is ever part of one.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"
#include "store/buckets.h"

#include <stdlib.h>
#include <string.h>

/* Linux takes at most 128 KiB for one variable, name and end included. */
#define ENVIRONMENT_MAX (120 * 1024)
#define LONG_TEXT 1024
#define LONG_LIST 20

static json_t *payload_url(const struct webhook_service *service, const char *web, const char *api,
                           const char *path)
{
	return json_pack("{s:o, s:o}", "web",
	                 json_sprintf("%s%s/%s", service->public_url, web, path), "api",
	                 json_sprintf("%s%s/%s", service->public_url, api, path));
}

json_t *webhook_payload_bucket(const struct webhook_service *service, const struct bucket *bucket,
                               const char *action, const char *scope, const json_t *extra)
{
	autofree char *name = xasprintf("%s/%s", bucket->namespace_name, bucket->name);
	json_t *payload =
	        json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s, s:b, s:o, s:{s:s}}}", "event", "action",
	                  action, "scope", scope, "repo", "type", "bucket", "name", name, "id",
	                  bucket->id, "private", (int)bucket->is_private, "url",
	                  payload_url(service, "/buckets", "/api/buckets", name), "owner", "id",
	                  bucket->namespace_id);

	if (!payload)
		BUG("the payload of a bucket cannot be written as JSON");
	if (extra)
		(void)json_object_update_missing(payload, (json_t *)(uintptr_t)extra);
	return payload;
}

static void payload_add_time(json_t *object, const char *name, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (unix_ms)
		json_object_set_new(object, name, json_string(clock_format_iso(unix_ms, text)));
}

static void payload_copy(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set(object, name, value);
}

static json_t *payload_job(const struct webhook_service *service, const struct job_record *job)
{
	autofree char *path = xasprintf("%s/%s", job->namespace_name, job->id);
	json_t *status = json_pack("{s:s, s:s?, s:i}", "stage", stage_name(job->stage), "message",
	                           job->message, "failureCount", job->failure_count);
	json_t *object =
	        json_pack("{s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:s, s:I, s:o}", "id", job->id,
	                  "owner", "id", job->namespace_id, "name", job->namespace_name, "type",
	                  job->namespace_type == ACCOUNT_ORG ? "org" : "user", "createdBy", "id",
	                  job->created_by_id, "name", job->created_by_name, "flavor", job->flavor,
	                  "timeoutSeconds", (json_int_t)job->timeout_s, "status", status);

	if (!object)
		BUG("job %s cannot be written as JSON", job->id);
	if (job->cancel_reason)
		json_object_set_new(status, "cancelReason", json_string(job->cancel_reason));
	payload_add_time(object, "createdAt", job->created_ms);
	payload_add_time(object, "startedAt", job->started_ms);
	payload_add_time(object, "finishedAt", job->finished_ms);
	payload_copy(object, "dockerImage", json_object_get(job->spec, "dockerImage"));
	payload_copy(object, "spaceId", json_object_get(job->spec, "spaceId"));
	payload_copy(object, "command", json_object_get(job->spec, "command"));
	payload_copy(object, "arguments", json_object_get(job->spec, "arguments"));
	payload_copy(object, "labels", job->labels);
	json_object_set_new(object, "url", payload_url(service, "/jobs", "/api/jobs", path));
	return object;
}

json_t *webhook_payload_notice(const struct webhook_service *service, const char *kind,
                               const struct account *owner, const struct job_record *job,
                               const json_t *extra)
{
	const char *dash = strchr(kind, '-');
	autofree char *scope =
	        job || !dash ? xstrdup("job") : xstrndup(kind, (size_t)(dash - kind));
	char now[CLOCK_TEXT_SIZE];
	json_t *payload = json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "event", "action", kind,
	                            "scope", scope, "at", clock_format_iso(clock_now_ms(), now),
	                            "namespace", "id", owner->id, "name", owner->name);

	if (!payload)
		BUG("a notice cannot be written as JSON");
	if (job)
		json_object_set_new(payload, "job", payload_job(service, job));
	if (extra)
		(void)json_object_update_missing(payload, (json_t *)(uintptr_t)extra);
	return payload;
}

char *webhook_payload_text(const char *payload, const char *webhook_id)
{
	size_t len = strlen(payload);

	/* Ours, so it is an object with members: only its end has to give way. */
	return xasprintf("%.*s,\"webhook\":{\"id\":\"%s\",\"version\":3}}", (int)(len - 1), payload,
	                 webhook_id);
}

/* The first bytes of a text, whole characters. */
static json_t *payload_shorten(const json_t *text, size_t keep)
{
	const char *value = json_string_value(text);

	while (keep > 0 && ((unsigned char)value[keep] & 0xc0) == 0x80)
		keep--;
	return json_stringn(value, keep);
}

/* The comment is what is long in real life; nothing else needs to suffer for it. */
static void payload_cut_comment(json_t *payload)
{
	json_t *comment = json_object_get(payload, "comment");
	autojson json_t *content = json_incref(json_object_get(comment, "content"));
	autofree char *rest = NULL, *room = NULL;
	size_t taken, used;

	if (!json_is_string(content))
		return;
	json_object_set_new(comment, "content", json_string(""));
	rest = json_to_text(payload);
	taken = strlen(rest);
	if (taken >= ENVIRONMENT_MAX)
		return;
	room = xmalloc(ENVIRONMENT_MAX - taken);
	(void)json_escape_some(room, ENVIRONMENT_MAX - taken, json_string_value(content),
	                       json_string_length(content), &used);
	json_object_set_new(comment, "content", payload_shorten(content, used));
}

static void payload_cut_all(json_t *value)
{
	const char *name;
	json_t *member;
	void *unused;

	while (json_is_array(value) && json_array_size(value) > LONG_LIST)
		json_array_remove(value, json_array_size(value) - 1);
	for (size_t i = 0; i < json_array_size(value); i++) {
		member = json_array_get(value, i);
		if (json_string_length(member) > LONG_TEXT)
			json_array_set_new(value, i, payload_shorten(member, LONG_TEXT));
		else
			payload_cut_all(member);
	}
	json_object_foreach_safe(value, unused, name, member)
	{
		if (json_string_length(member) > LONG_TEXT)
			json_object_set_new(value, name, payload_shorten(member, LONG_TEXT));
		else
			payload_cut_all(member);
	}
}

/* What is left when a payload is long in every part. */
static json_t *payload_essence(const json_t *payload)
{
	static const struct {
		const char *object, *member;
	} kept[] = {{"event", "action"}, {"event", "scope"},    {"repo", "type"},
	            {"repo", "name"},    {"repo", "id"},        {"job", "id"},
	            {"webhook", "id"},   {"webhook", "version"}};
	json_t *essence = json_object();

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		json_t *from = json_object_get(payload, kept[i].object);
		json_t *value = json_object_get(from, kept[i].member);

		if (!json_is_string(value) && !json_is_integer(value))
			continue;
		if (!json_object_get(essence, kept[i].object))
			json_object_set_new(essence, kept[i].object, json_object());
		json_object_set(json_object_get(essence, kept[i].object), kept[i].member, value);
	}
	return essence;
}

char *webhook_payload_for_environment(const char *payload, const char *webhook_id)
{
	autofree char *whole = webhook_payload_text(payload, webhook_id);
	autojson json_t *tree = NULL, *essence = NULL;
	char *text;

	if (strlen(whole) <= ENVIRONMENT_MAX)
		return take_ptr(&whole);
	tree = json_loads(whole, 0, NULL);
	if (!tree)
		BUG("a stored payload is not JSON");
	payload_cut_comment(tree);
	text = json_to_text(tree);
	if (strlen(text) <= ENVIRONMENT_MAX)
		return text;
	free(text);
	payload_cut_all(tree);
	text = json_to_text(tree);
	if (strlen(text) <= ENVIRONMENT_MAX)
		return text;
	free(text);
	essence = payload_essence(tree);
	return json_to_text(essence);
}
