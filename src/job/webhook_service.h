/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks: what happened (in our buckets, on a real Hub, announced by somebody; to jobs and schedules) is
 * matched with who watches it, and becomes deliveries to URLs or jobs. All rows are written in the turn of the event,
 * so that an event is never lost between its cause and its delivery.
 */
#ifndef HEARTH_JOB_WEBHOOK_SERVICE_H
#define HEARTH_JOB_WEBHOOK_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/service.h"
#include "net/http_client.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdint.h>

struct webhook_service;

struct webhook_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct http_client *client;
	const char *public_url; /* for links in payloads; NULL: http://localhost:PORT is guessed by the caller */
};
struct webhook_service *webhook_service_new(const struct webhook_service_options *options);
/* Jobs can be started from now on; deliveries that a restart interrupted go on. */
void webhook_service_start(struct webhook_service *service, struct job_service *jobs);
void webhook_service_free(struct webhook_service *service);

/* Something happened to a repository. `payload` is of the Hub's version 3 without the member "webhook"; borrowed.
 * `caused_by_job`: the job that did it; NULL: none (for loops). NULL `service` is fine in all three. */
void webhook_service_repo_event(struct webhook_service *service, const json_t *payload, const char *caused_by_job);
/* A bucket of ours: `action` "create", "update", "delete", "move"; `scope` "repo", "repo.content", "repo.config";
 * `extra` (may be NULL): members to add, such as "movedTo", "updatedConfig" and "paths" of a change. */
struct bucket;
void webhook_service_bucket_event(struct webhook_service *service, const struct bucket *bucket, const char *action,
				  const char *scope, const json_t *extra, const char *caused_by_job);
/* Something about a job ("started", "completed", "failed", "canceled", "timeout-soon") or, with `job` NULL, about a namespace
 * ("budget-80", "budget-100", "schedule-missed"; `extra` says what). Called in the turn of the change, before its commit. */
void webhook_service_notice(struct webhook_service *service, const char *kind, const char *namespace_id,
			    const struct job_record *job, const json_t *extra);

#endif
