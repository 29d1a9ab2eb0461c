/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that others tell us of, in the Hub's form (hub-jobs-api 4.4): from a real Hub, where this
 * server's address was entered, or from somebody here. Checked leniently: what we need must be
 * right, what we do not know is passed on.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SECRET_FILE_MAX 4096
#define REMEMBER_MS (24 * 60 * 60 * INT64_C(1000))
#define REMEMBER_VAGUE_MS (60 * INT64_C(1000))
#define TEXT_MAX 256

int webhook_ingest_check_secret(struct webhook_service *service, const char *secret,
                                struct error *err)
{
	const char *path = service->configuration->webhook_ingest_secret_file;
	autobuffer struct buffer expected = BUFFER_INIT(SECRET_FILE_MAX);
	struct error problem = ERROR_INIT;
	bool is_right;

	if (!path || !*path)
		return fail(err, E_UNAUTHORIZED,
		            "This server takes no events from a Hub: it has no secret for them "
		            "(setting "
		            "webhooks.ingest_secret_file)");
	/* Read each time, so that a new secret counts at once. */
	if (file_read(AT_FDCWD, path, &expected, &problem) < 0) {
		log_error("webhooks.ingest_secret_file: %s", problem.text);
		return fail(err, E_UNAUTHORIZED, "The secret of this server cannot be read");
	}
	while (expected.len > 0 && strchr(" \t\r\n", expected.data[expected.len - 1]))
		expected.data[--expected.len] = '\0';
	is_right = expected.len > 0 && secret && seal_equal(buffer_text(&expected), secret);
	if (expected.data)
		seal_wipe(expected.data, expected.len);
	if (!is_right)
		return fail(err, E_UNAUTHORIZED,
		            secret ? "The secret in the header X-Webhook-Secret is wrong"
		                   : "The header X-Webhook-Secret is missing");
	return 0;
}

static int ingest_need_text(const json_t *payload, const char *object, const char *member,
                            struct error *err)
{
	const char *text = json_get_text(json_object_get(payload, object), member, NULL);

	if (!text || !*text || strlen(text) > TEXT_MAX)
		return fail(err, E_INVALID, "%s.%s is required: a string of 1 to %d characters",
		            object, member, TEXT_MAX);
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return fail(err, E_INVALID, "%s.%s must be ASCII without spaces", object,
			            member);
	return 0;
}

int webhook_ingest_check(const json_t *payload, struct error *err)
{
	const json_t *version = json_object_get(json_object_get(payload, "webhook"), "version");
	const char *scope;

	if (!json_is_object(payload))
		return fail(err, E_INVALID, "the payload must be a JSON object");
	if (version && json_integer_value(version) != 3)
		return fail(err, E_INVALID, "webhook.version must be 3");
	if (ingest_need_text(payload, "event", "action", err) < 0 ||
	    ingest_need_text(payload, "event", "scope", err) < 0 ||
	    ingest_need_text(payload, "repo", "type", err) < 0 ||
	    ingest_need_text(payload, "repo", "name", err) < 0)
		return -1;
	scope = json_get_text(json_object_get(payload, "event"), "scope", "");
	if (strncmp(scope, "repo", 4) != 0 && strncmp(scope, "discussion", 10) != 0)
		return fail(err, E_INVALID, "event.scope must begin with repo or discussion");
	return 0;
}

/* Commits and comments have names of their own; without one, the same text again soon is the same
 * event told twice. */
static bool ingest_is_distinct(const json_t *payload)
{
	return json_object_get(payload, "updatedRefs") || json_object_get(payload, "comment");
}

static bool ingest_is_new(struct webhook_service *service, const json_t *payload, const char *key)
{
	autofree char *text = NULL, *name = NULL;
	char digest[DIGEST_SIZE];
	int64_t now_ms = clock_now_ms(), keep_ms = REMEMBER_MS;

	if (key && *key) {
		name = xasprintf("key/%.200s", key);
	} else {
		text = json_dumps(payload, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
		digest_of(text, strlen(text), digest);
		name = xasprintf("event/%s", digest);
		keep_ms = ingest_is_distinct(payload) ? REMEMBER_MS : REMEMBER_VAGUE_MS;
	}
	return webhook_seen_note(service->db, name, now_ms, now_ms + keep_ms);
}

int webhook_ingest(struct webhook_service *service, json_t *payload, const char *key,
                   const char *caused_by_job, bool *ret_new, struct error *err)
{
	if (webhook_ingest_check(payload, err) < 0)
		return -1;
	json_object_del(payload, "webhook");
	*ret_new = ingest_is_new(service, payload, key);
	if (*ret_new)
		webhook_service_repo_event(service, payload, caused_by_job);
	return 0;
}
