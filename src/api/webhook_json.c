/* SPDX-License-Identifier: Apache-2.0 */
/* Rendering of webhooks. No secret is ever shown: of a job's secrets the names, of the webhook's
 * own that there is one. */
#include "api/webhook_json.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"

#include <string.h>

static void add(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set(object, name, value);
}

static void add_or(json_t *object, const char *name, json_t *value, json_t *take_fallback)
{
	json_object_set(object, name, value ? value : take_fallback);
	json_decref(take_fallback);
}

static void add_time(json_t *object, const char *name, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (unix_ms)
		json_object_set_new(object, name, json_string(clock_format_iso(unix_ms, text)));
}

static json_t *job_specification(const json_t *job)
{
	const json_t *body = json_object_get(job, "body");
	json_t *shown = json_object();

	add(shown, "dockerImage", json_object_get(body, "dockerImage"));
	add(shown, "spaceId", json_object_get(body, "spaceId"));
	add(shown, "command", json_object_get(body, "command"));
	add_or(shown, "arguments", json_object_get(body, "arguments"), json_array());
	add_or(shown, "environment", json_object_get(body, "environment"), json_object());
	add_or(shown, "secrets", json_object_get(body, "secretNames"), json_array());
	add(shown, "volumes", json_object_get(body, "volumes"));
	add(shown, "arch", json_object_get(body, "arch"));
	json_object_set_new(shown, "flavor", json_string(json_get_text(job, "flavor", "")));
	json_object_set_new(shown, "timeoutSeconds",
	                    json_integer(json_get_int(job, "timeoutSeconds", 0)));
	json_object_set_new(shown, "attempts", json_integer(json_get_int(job, "attempts", 1)));
	add_or(shown, "labels", json_object_get(job, "labels"), json_object());
	return shown;
}

static json_t *state_json(enum webhook_state state)
{
	return state == WEBHOOK_SUSPENDED ? json_string("suspended-after-failure")
	                                  : json_boolean(state == WEBHOOK_OFF);
}

json_t *webhook_json(const struct webhook *webhook)
{
	json_t *object = json_pack("{s:s}", "id", webhook->id), *domains = json_array();

	if (webhook->url)
		json_object_set_new(object, "url", json_string(webhook->url));
	if (webhook->job)
		json_object_set_new(object, "job", job_specification(webhook->job));
	if (webhook->source_job[0])
		json_object_set_new(object, "jobSourceId", json_string(webhook->source_job));
	json_object_set(object, "watched", webhook->watched);
	if (webhook->domains & WEBHOOK_DOMAIN_REPO)
		json_array_append_new(domains, json_string("repo"));
	if (webhook->domains & WEBHOOK_DOMAIN_DISCUSSION)
		json_array_append_new(domains, json_string("discussion"));
	json_object_set_new(object, "domains", domains);
	add(object, "jobs", webhook->jobs);
	json_object_set_new(object, "disabled", state_json(webhook->state));
	json_object_set_new(object, "hasSecret", json_boolean(webhook->has_secret));
	add_time(object, "lastTriggerAt", webhook->triggered_ms);
	add_time(object, "createdAt", webhook->created_ms);
	add_time(object, "updatedAt", webhook->updated_ms);
	return object;
}

static void add_text_as_json(json_t *object, const char *name, const char *text)
{
	json_t *value = text ? json_loads(text, 0, NULL) : NULL;

	if (value)
		json_object_set_new(object, name, value);
}

json_t *webhook_json_delivery(const struct webhook_delivery *delivery, bool with_payload)
{
	json_t *object =
	        json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "id", delivery->id, "event",
	                  delivery->event.name, "eventId", delivery->event.id, "state",
	                  webhook_delivery_state_name(delivery->state), "attempts",
	                  delivery->attempts, "durationMs", (json_int_t)delivery->duration_ms);

	if (!object)
		BUG("delivery %s cannot be written as JSON", delivery->id);
	add_time(object, "createdAt", delivery->created_ms);
	add_time(object, "finishedAt", delivery->finished_ms);
	if (delivery->state == DELIVERY_WAITING)
		add_time(object, "nextTryAt", delivery->next_ms);
	if (delivery->status)
		json_object_set_new(object, "status", json_integer(delivery->status));
	if (delivery->job_id[0])
		json_object_set_new(object, "jobId", json_string(delivery->job_id));
	if (delivery->replay_of[0])
		json_object_set_new(object, "replayOf", json_string(delivery->replay_of));
	if (delivery->event.caused_by_job[0])
		json_object_set_new(object, "causedByJob",
		                    json_string(delivery->event.caused_by_job));
	if (delivery->error)
		json_object_set_new(object, "error", json_string(delivery->error));
	if (with_payload)
		add_text_as_json(object, "payload", delivery->event.payload);
	add_text_as_json(object, "request", delivery->request);
	add_text_as_json(object, "response", delivery->response);
	return object;
}
