/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks: what happened (in our buckets, on a real Hub, announced by somebody; to jobs and
 * schedules) is matched with who watches it, and becomes deliveries to URLs or jobs. All rows are
 * written in the turn of the event, so that an event is never lost between its cause and its
 * delivery.
 */
#ifndef HEARTH_JOB_WEBHOOK_SERVICE_H
#define HEARTH_JOB_WEBHOOK_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/service.h"
#include "net/loop.h"

#include <jansson.h>
#include <stdint.h>

struct webhook_service;

struct webhook_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	const char *public_url; /* for links in payloads; NULL: http://localhost:PORT is guessed by
	                           the caller */
};
struct webhook_service *webhook_service_new(const struct webhook_service_options *options);
/* Jobs can be started from now on; deliveries that a restart interrupted go on. */
void webhook_service_start(struct webhook_service *service, struct job_service *jobs);
void webhook_service_free(struct webhook_service *service);

/* Something happened to a repository. `payload` is of the Hub's version 3 without the member
 * "webhook"; borrowed. `caused_by_job`: the job that did it; NULL: none (for loops). NULL `service`
 * is fine in all three. */
void webhook_service_repo_event(struct webhook_service *service, const json_t *payload,
                                const char *caused_by_job);
/* A bucket of ours: `action` "create", "update", "delete", "move"; `scope` "repo", "repo.content",
 * "repo.config"; `extra` (may be NULL): members to add, such as "movedTo", "updatedConfig" and
 * "paths" of a change. */
struct bucket;
void webhook_service_bucket_event(struct webhook_service *service, const struct bucket *bucket,
                                  const char *action, const char *scope, const json_t *extra,
                                  const char *caused_by_job);
/* Something about a job ("started", "completed", "failed", "canceled", "timeout-soon") or, with
 * `job` NULL, about a namespace
 * ("budget-80", "budget-100", "schedule-missed"; `extra` says what). Called in the turn of the
 * change, before its commit. */
void webhook_service_notice(struct webhook_service *service, const char *kind,
                            const char *namespace_id, const struct job_record *job,
                            const json_t *extra);
/* An attempt of the job runs since `started_ms`: "timeout-soon" is told 5 minutes before its time
 * limit, or when a tenth of the limit is left, whichever is later. Called again with a new limit it counts instead. */
void webhook_service_attempt_started(struct webhook_service *service, const struct job_record *job,
                                     int64_t started_ms);

/* For the API. */
struct webhook;
struct webhook_delivery;
/* Create (`webhook` with owner only) or change by the body of hub-jobs-api 4.2; what is omitted or
 * [] stays. `source_job`: what jobSourceId names, if the caller may start it again; else NULL.
 * `hub_token`: with which "job" reads repositories of the Hub (job/volume_token.h); NULL: none of
 * the caller's. */
int webhook_put(struct webhook_service *service, json_t *body, const struct job_record *source_job,
                const char *hub_token, struct webhook *webhook, struct error *err);
void webhook_enable(struct webhook_service *service, struct webhook *webhook, bool is_on);
void webhook_remove(struct webhook_service *service, const char *id);
/* Newest first. */
void webhook_log_each(struct webhook_service *service, const char *id, int limit,
                      void (*fn)(void *, const struct webhook_delivery *), void *arg);
/* The recorded payload again, to the present URL or as a job; `fn` from a later turn, not on disk
 * before. E_NOT_FOUND. */
typedef void webhook_replay_fn(void *arg, const struct webhook_delivery *delivery);
int webhook_replay(struct webhook_service *service, const struct webhook *webhook,
                   const char *log_id, webhook_replay_fn *fn, void *arg, struct error *err);
/* An event in the Hub's form, checked; false in *ret_new when it was told before. `key` (may be
 * NULL) names the event if its sender did. */
int webhook_ingest(struct webhook_service *service, json_t *payload, const char *key,
                   const char *caused_by_job, bool *ret_new, struct error *err);
/* E_UNAUTHORIZED unless `secret` (may be NULL) is that of webhooks.ingest_secret_file. */
int webhook_ingest_check_secret(struct webhook_service *service, const char *secret,
                                struct error *err);

#endif
