/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: wiring. See the header. */
#include "job/webhook_service.h"

#include "base/memory.h"

#include <stdlib.h>

struct webhook_service {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct http_client *client;
	struct job_service *jobs;
	char *public_url;
};

struct webhook_service *webhook_service_new(const struct webhook_service_options *options)
{
	struct webhook_service *service = xcalloc(1, sizeof(*service));

	service->loop = options->loop;
	service->db = options->db;
	service->configuration = options->configuration;
	service->key = options->key;
	service->client = options->client;
	service->public_url =
	        xstrdup(options->public_url ? options->public_url : "http://localhost");
	return service;
}

void webhook_service_start(struct webhook_service *service, struct job_service *jobs)
{
	service->jobs = jobs;
}

void webhook_service_free(struct webhook_service *service)
{
	if (!service)
		return;
	free(service->public_url);
	free(service);
}

void webhook_service_repo_event(struct webhook_service *service, const json_t *payload,
                                const char *caused_by_job)
{
}

void webhook_service_bucket_event(struct webhook_service *service, const struct bucket *bucket,
                                  const char *action, const char *scope, const json_t *extra,
                                  const char *caused_by_job)
{
}

void webhook_service_notice(struct webhook_service *service, const char *kind,
                            const char *namespace_id, const struct job_record *job,
                            const json_t *extra)
{
}
