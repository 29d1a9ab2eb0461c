/* SPDX-License-Identifier: Apache-2.0 */
/* What a webhook does: call a URL, or start a job whose specification and secrets are copied when
 * it is made, so that nothing which happens to the source job later changes it. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/queue.h"
#include "job/spec_fields.h"
#include "job/volume_token.h"
#include "job/volumes.h"
#include "job/webhook_private.h"
#include "job/wishes.h"
#include "net/http_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *put_copy_job(const json_t *spec, json_t *labels, const char *flavor,
                            int64_t timeout_s, int attempts)
{
	json_t *copy = json_pack("{s:o, s:o, s:s, s:I, s:i}", "body", json_deep_copy(spec),
	                         "labels", job_wishes_copy(labels), "flavor", flavor,
	                         "timeoutSeconds", (json_int_t)timeout_s, "attempts", attempts);
	json_t *volume;
	size_t i;

	/* An event often means that a branch has moved on. */
	json_array_foreach(json_object_get(json_object_get(copy, "body"), "volumes"), i, volume)
	{
		json_object_del(volume, "commit");
	}
	return copy;
}

static void put_take_job(struct webhook *webhook, json_t *take_job, const char *source_id)
{
	json_decref(webhook->job);
	webhook->job = take_job;
	snprintf(webhook->source_job, sizeof(webhook->source_job), "%s", source_id);
	free(webhook->url);
	webhook->url = NULL;
}

/* The job runs as the owner and in their namespace. */
static int put_check_job(const struct webhook_service *service, const struct webhook *webhook,
                         const char *flavor, const json_t *spec, const json_t *labels,
                         struct error *err)
{
	struct account owner;

	if (!accounts_find_by_id(service->db, webhook->owner_id, &owner))
		return fail(err, E_NOT_FOUND, "the owner of the webhook is gone");
	return queue_check_job(service->jobs, &owner, &owner, flavor, spec, labels, err);
}

static int put_own_job(struct webhook_service *service, json_t *body, const char *hub_token,
                       struct webhook *webhook, struct buffer *ret_sealed, struct error *err)
{
	struct job_spec spec = {0};

	if (job_spec_parse(service->configuration, json_object_get(body, "job"), &spec, err) < 0)
		return error_prefix(err, "job");
	if (put_check_job(service, webhook, spec.flavor, spec.body, spec.labels, err) < 0 ||
	    job_volumes_check_for(service->db, service->configuration, spec.body, webhook->owner_id,
	                          err) < 0) {
		job_spec_clear(&spec);
		return error_prefix(err, "job");
	}
	put_take_job(
	        webhook,
	        put_copy_job(spec.body, spec.labels, spec.flavor, spec.timeout_s, spec.attempts),
	        "");
	if (hub_token)
		json_object_set_new(spec.secrets, VOLUME_TOKEN_SECRET, json_string(hub_token));
	seal_object(service->key, spec.secrets, ret_sealed);
	job_spec_clear(&spec);
	return 0;
}

static void put_secret_names(json_t *body, json_t *secrets)
{
	json_t *names = json_array(), *value;
	const char *name;

	json_object_foreach(secrets, name, value)
	{
		if (strcmp(name, VOLUME_TOKEN_SECRET) != 0)
			json_array_append_new(names, json_string(name));
	}
	json_object_set_new(body, "secretNames", names);
}

/* Those of the source job, over them what the webhook has of an earlier time, over them what is
 * given: old clients count on the first, newer ones give what is needed. */
static int put_collect_secrets(struct webhook_service *service, json_t *body,
                               const struct job_record *source, const struct webhook *webhook,
                               json_t **ret, struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(WEBHOOK_SECRETS_MAX);
	autojson json_t *of_source = NULL, *stored = NULL, *given = NULL;

	jobs_get_secrets(service->db, source->id, &sealed);
	if (webhook_unseal_object(service, &sealed, &of_source, err) < 0)
		return error_prefix(err, "the secrets of job %s", source->id);
	/* Somebody else's way to the Hub is not handed on. */
	if (strcmp(source->created_by_id, webhook->owner_id) != 0)
		json_object_del(of_source, VOLUME_TOKEN_SECRET);
	buffer_reset(&sealed);
	if (webhook->job)
		webhooks_get_job_secrets(service->db, webhook->id, &sealed);
	if (webhook_unseal_object(service, &sealed, &stored, err) < 0 ||
	    spec_read_variables(body, "secrets", &given, err) < 0)
		return -1;
	(void)json_object_update(of_source, stored);
	(void)json_object_update(of_source, given);
	*ret = take_ptr(&of_source);
	return 0;
}

static int put_source_job(struct webhook_service *service, json_t *body,
                          const struct job_record *source, struct webhook *webhook,
                          struct buffer *ret_sealed, struct error *err)
{
	autojson json_t *secrets = NULL;

	if (put_check_job(service, webhook, source->flavor, source->spec, source->labels, err) <
	            0 ||
	    job_volumes_check_for(service->db, service->configuration, source->spec,
	                          webhook->owner_id, err) < 0 ||
	    put_collect_secrets(service, body, source, webhook, &secrets, err) < 0)
		return -1;
	put_take_job(webhook,
	             put_copy_job(source->spec, source->labels, source->flavor, source->timeout_s,
	                          source->attempts),
	             source->id);
	put_secret_names(json_object_get(webhook->job, "body"), secrets);
	seal_object(service->key, secrets, ret_sealed);
	return 0;
}

static int put_url(struct webhook_service *service, json_t *body, struct webhook *webhook,
                   struct error *err)
{
	json_t *value = webhook_member(body, "url");
	const char *url = json_string_value(value);

	if (!url || !*url)
		return fail(err, E_INVALID, "url must be a string");
	if (http_url_check(url,
	                   service->configuration->webhook_private_addresses
	                           ? NULL
	                           : webhook_request_allows,
	                   err) < 0)
		return -1;
	json_decref(webhook->job);
	webhook->job = NULL;
	webhook->source_job[0] = '\0';
	free(webhook->url);
	webhook->url = xstrdup(url);
	return 0;
}

int webhook_target_put(struct webhook_service *service, json_t *body,
                       const struct job_record *source, const char *hub_token,
                       struct webhook *webhook, struct buffer *ret_sealed, struct error *err)
{
	bool has_url = webhook_member(body, "url"), has_job = webhook_member(body, "job");
	int count = has_url + has_job + (source != NULL);

	if (count > 1)
		return fail(err, E_INVALID,
		            "only one of url, jobSourceId and job can be the target of a webhook");
	if (count == 0 && !webhook->url && !webhook->job)
		return fail(err, E_INVALID,
		            "a webhook needs a target: url, or jobSourceId, or job");
	if (webhook_member(body, "secrets") && !source)
		return fail(
		        err, E_INVALID,
		        "secrets can only be set together with jobSourceId: they are for that job");
	if (has_url)
		return put_url(service, body, webhook, err);
	if (has_job)
		return put_own_job(service, body, hub_token, webhook, ret_sealed, err);
	if (source)
		return put_source_job(service, body, source, webhook, ret_sealed, err);
	return 0;
}
