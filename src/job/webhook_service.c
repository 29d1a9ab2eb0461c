/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: wiring, and where events come in. See the header. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"
#include "store/buckets.h"

#include <stdlib.h>
#include <string.h>

struct webhook_service *webhook_service_new(const struct webhook_service_options *options)
{
	struct webhook_service *service = xcalloc(1, sizeof(*service));

	service->loop = options->loop;
	service->db = options->db;
	service->configuration = options->configuration;
	service->key = options->key;
	service->count = -1;
	service->public_url =
	        xstrdup(options->public_url ? options->public_url : "http://localhost");
	return service;
}

void webhook_service_start(struct webhook_service *service, struct job_service *jobs)
{
	service->jobs = jobs;
	webhook_delivery_start(service);
	webhook_warning_start(service);
}

void webhook_service_free(struct webhook_service *service)
{
	if (!service)
		return;
	webhook_delivery_stop(service);
	webhook_warning_stop(service);
	free(service->public_url);
	free(service);
}

/* Where nobody has a webhook an event costs nothing. */
static bool service_has_webhooks(struct webhook_service *service)
{
	if (!service)
		return false;
	if (service->count < 0)
		service->count = webhooks_count(service->db, NULL);
	return service->count > 0;
}

/* Ids are ordered by time, so the smallest one is the first user. */
static void service_first_user(void *arg, const struct account *account)
{
	struct account *first = arg;

	if (account->type != ACCOUNT_USER || account->is_external)
		return;
	if (!first->id[0] || strcmp(account->id, first->id) < 0)
		*first = *account;
}

bool webhook_owner_is_operator(struct webhook_service *service, const char *user_id)
{
	struct account first = {0};

	accounts_each(service->db, service_first_user, &first);
	return strcmp(first.id, user_id) == 0;
}

void webhook_service_repo_event(struct webhook_service *service, const json_t *payload,
                                const char *caused_by_job)
{
	if (service_has_webhooks(service))
		webhook_match_repo(service, payload, caused_by_job);
}

void webhook_service_bucket_event(struct webhook_service *service, const struct bucket *bucket,
                                  const char *action, const char *scope, const json_t *extra,
                                  const char *caused_by_job)
{
	autojson json_t *payload = NULL;

	if (!service_has_webhooks(service))
		return;
	payload = webhook_payload_bucket(service, bucket, action, scope, extra);
	webhook_match_repo(service, payload, caused_by_job);
}

void webhook_service_notice(struct webhook_service *service, const char *kind,
                            const char *namespace_id, const struct job_record *job,
                            const json_t *extra)
{
	autofree char *name = xasprintf("jobs/%s", namespace_id);
	autojson json_t *payload = NULL;
	struct account owner;

	if (service && job && stage_is_terminal(job->stage))
		webhook_warning_forget(service, job->id);
	if (!service_has_webhooks(service) || !webhooks_is_watched(service->db, name) ||
	    !accounts_find_by_id(service->db, namespace_id, &owner))
		return;
	payload = webhook_payload_notice(service, kind, &owner, job, extra);
	webhook_match_jobs(service, kind, name, payload, job);
}
