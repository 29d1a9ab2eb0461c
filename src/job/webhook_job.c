/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks that start jobs: the copied specification with what happened in its environment, and the
 * question whether a job was started, in the end, by the webhook that it would start again. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 64

bool webhook_job_is_loop(struct webhook_service *service, const char *webhook_id,
                         const char *job_id)
{
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "%s", job_id);
	for (int i = 0; i < CHAIN_MAX && *id; i++) {
		struct job_record job autojob = {0};

		if (!jobs_find(service->db, id, &job) ||
		    strcmp(json_get_text(job.initiator, "type", ""), "webhook") != 0)
			return false;
		if (strcmp(json_get_text(job.initiator, "id", ""), webhook_id) == 0)
			return true;
		snprintf(id, sizeof(id), "%s", json_get_text(job.initiator, "causedByJob", ""));
	}
	return false;
}

static int webhook_unseal(struct webhook_service *service, const struct buffer *sealed,
                          struct buffer *ret, struct error *err)
{
	if (sealed->len == 0)
		return 0;
	return unseal(service->key, sealed->data, sealed->len, ret, err);
}

int webhook_secret(struct webhook_service *service, const char *webhook_id,
                   char ret[WEBHOOK_SECRET_MAX + 1], struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(2 * WEBHOOK_SECRET_MAX);
	autobuffer struct buffer plain = BUFFER_INIT(WEBHOOK_SECRET_MAX);

	webhooks_get_secret(service->db, webhook_id, &sealed);
	if (webhook_unseal(service, &sealed, &plain, err) < 0)
		return error_prefix(err, "the secret of the webhook");
	snprintf(ret, WEBHOOK_SECRET_MAX + 1, "%s", buffer_text(&plain));
	if (plain.data)
		seal_wipe(plain.data, plain.len);
	return 0;
}

int webhook_unseal_object(struct webhook_service *service, const struct buffer *sealed,
                          json_t **ret, struct error *err)
{
	return unseal_object(service->key, sealed->data, sealed->len, ret, err);
}

static int job_get_secrets(struct webhook_service *service, const struct webhook *webhook,
                           json_t **ret, struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(WEBHOOK_SECRETS_MAX);

	webhooks_get_job_secrets(service->db, webhook->id, &sealed);
	if (webhook_unseal_object(service, &sealed, ret, err) < 0)
		return error_prefix(err, "the secrets of the webhook's job");
	return 0;
}

static int job_add_secret(struct webhook_service *service, const struct webhook *webhook,
                          struct job_spec *spec, struct error *err)
{
	char secret[WEBHOOK_SECRET_MAX + 1];
	json_t *names;

	if (!webhook->has_secret)
		return 0;
	if (webhook_secret(service, webhook->id, secret, err) < 0)
		return -1;
	json_object_set_new(spec->secrets, "WEBHOOK_SECRET", json_string(secret));
	seal_wipe(secret, sizeof(secret));
	names = json_object_get(spec->body, "secretNames");
	if (!names) {
		names = json_array();
		json_object_set_new(spec->body, "secretNames", names);
	}
	for (size_t i = 0; i < json_array_size(names); i++)
		if (strcmp(json_string_value(json_array_get(names, i)), "WEBHOOK_SECRET") == 0)
			return 0;
	json_array_append_new(names, json_string("WEBHOOK_SECRET"));
	return 0;
}

static void job_add_environment(const struct webhook *webhook, const struct webhook_event *event,
                                json_t *body)
{
	autofree char *text = webhook_payload_for_environment(event->payload, webhook->id);
	autojson json_t *payload = json_loads(text, 0, NULL);
	const json_t *repo = json_object_get(payload, "repo");
	json_t *environment = json_object_get(body, "environment");

	if (!environment) {
		environment = json_object();
		json_object_set_new(body, "environment", environment);
	}
	json_object_set_new(environment, "WEBHOOK_PAYLOAD", json_string(text));
	json_object_set_new(environment, "WEBHOOK_REPO_ID",
	                    json_string(json_get_text(repo, "name", "")));
	json_object_set_new(environment, "WEBHOOK_REPO_TYPE",
	                    json_string(json_get_text(repo, "type", "")));
}

static int job_make_spec(struct webhook_service *service, const struct webhook *webhook,
                         const struct webhook_event *event, struct job_spec *ret, struct error *err)
{
	const json_t *job = webhook->job;

	*ret = (struct job_spec){
	        .body = json_deep_copy(json_object_get(job, "body")),
	        .labels = json_deep_copy(json_object_get(job, "labels")),
	        .timeout_s = json_get_int(job, "timeoutSeconds", 0),
	        .attempts = (int)json_get_int(job, "attempts", 1),
	};
	snprintf(ret->flavor, sizeof(ret->flavor), "%s", json_get_text(job, "flavor", ""));
	job_add_environment(webhook, event, ret->body);
	if (job_get_secrets(service, webhook, &ret->secrets, err) < 0)
		return -1;
	return job_add_secret(service, webhook, ret, err);
}

static json_t *job_make_initiator(const struct webhook *webhook, const struct webhook_event *event)
{
	json_t *initiator = json_pack("{s:s, s:s}", "type", "webhook", "id", webhook->id);

	/* Not shown by the API; for webhook_job_is_loop(). */
	if (*event->caused_by_job)
		json_object_set_new(initiator, "causedByJob", json_string(event->caused_by_job));
	return initiator;
}

int webhook_job_start(struct webhook_service *service, const struct webhook *webhook,
                      const struct webhook_delivery *delivery, char ret_id[ID_SIZE],
                      struct error *err)
{
	autojson json_t *initiator = job_make_initiator(webhook, &delivery->event);
	struct job_spec spec = {0};
	struct account owner;
	struct job_submission submission = {
	        .spec = &spec,
	        .owner = &owner,
	        .creator = &owner,
	        .initiator = initiator,
	};
	bool is_existing;
	int rc;

	if (!accounts_find_by_id(service->db, webhook->owner_id, &owner))
		return fail(err, E_NOT_FOUND, "the owner of the webhook is gone");
	rc = job_make_spec(service, webhook, &delivery->event, &spec, err);
	if (rc == 0)
		rc = job_submit(service->jobs, &submission, ret_id, &is_existing, err);
	job_spec_clear(&spec);
	return rc;
}
