/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The webhook service's own memory, for the files that make it up. An event becomes rows in its own
 * turn (webhook_match.c); after the commit lanes work the rows off (webhook_delivery.c): one lane
 * per webhook that has something waiting, one delivery of a lane at a time.
 */
#ifndef HEARTH_JOB_WEBHOOK_PRIVATE_H
#define HEARTH_JOB_WEBHOOK_PRIVATE_H

#include "base/seal.h"
#include "job/id_table.h"
#include "job/webhook_service.h"
#include "net/http_client.h"
#include "store/webhooks.h"

#define WEBHOOK_SECRET_MAX 1024
#define WEBHOOK_SECRETS_MAX ((size_t)8 * 1024 * 1024)
#define WEBHOOK_PAYLOAD_MAX ((size_t)4 * 1024 * 1024)
#define WEBHOOK_LOG_KEEP 100    /* deliveries that are over, per webhook */
#define WEBHOOK_FAILURES_MAX 50 /* in a row; then it is suspended */

struct webhook_lane {
	struct id_entry entry; /* first: found by the webhook's id */
	struct webhook_service *service;
	struct webhook_lane *next_ready;
	struct loop_timer *timer; /* until the next try; NULL: none needed yet */
	int64_t done_seq;         /* delivered up to here, perhaps not yet written */
	bool is_ready, is_sending, is_resting;
	struct webhook_sender *sender; /* while sending */
};

/* One owner's deliveries that are under way: slow receivers of one are not to take everybody's
 * places. */
struct webhook_sender {
	struct id_entry entry; /* first: found by the owner's id */
	int in_flight;
};

struct webhook_service {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct http_client *client;       /* made with the first delivery */
	struct job_service *jobs;         /* NULL: not started yet */
	struct webhook_request *requests; /* under way */
	char *public_url;
	int64_t count; /* webhooks there are; -1: to be counted */
	/* webhook_delivery.c */
	struct id_table lanes, senders;
	struct webhook_lane *first_ready, **end_ready;
	int in_flight;
	bool is_pump_awaited;
	struct webhook_delivery *done; /* delivered, to be written soon */
	size_t n_done;
	struct loop_timer *flush_timer;
	/* webhook_warning.c */
	struct id_table warnings;
};

/* Is it the first user of this server? */
bool webhook_owner_is_operator(struct webhook_service *service, const char *user_id);

/* webhook_match.c: write rows for everybody who wants to know. */
void webhook_match_repo(struct webhook_service *service, const json_t *payload,
                        const char *caused_by_job);
void webhook_match_jobs(struct webhook_service *service, const char *kind, const char *namespace_id,
                        const json_t *payload, const struct job_record *job);

/* webhook_payload.c */
json_t *webhook_payload_bucket(const struct webhook_service *service, const struct bucket *bucket,
                               const char *action, const char *scope, const json_t *extra);
json_t *webhook_payload_notice(const struct webhook_service *service, const char *kind,
                               const struct account *owner, const struct job_record *job,
                               const json_t *extra);
/* The stored payload with the member "webhook", yours to free. */
char *webhook_payload_text(const char *payload, const char *webhook_id);
/* The same, cut to fit into one environment variable: always valid JSON. Yours to free. */
char *webhook_payload_for_environment(const char *payload, const char *webhook_id);

/* webhook_job.c */
/* Has the webhook itself, perhaps through others, started `job_id`? */
bool webhook_job_is_loop(struct webhook_service *service, const char *webhook_id,
                         const char *job_id);
int webhook_job_start(struct webhook_service *service, const struct webhook *webhook,
                      const struct webhook_delivery *delivery, char ret_id[ID_SIZE],
                      struct error *err);
/* The secret in clear, "" if there is none; wipe it. */
int webhook_secret(struct webhook_service *service, const char *webhook_id,
                   char ret[WEBHOOK_SECRET_MAX + 1], struct error *err);

/* Sealed JSON of secrets; an empty object when there is nothing. */
int webhook_unseal_object(struct webhook_service *service, const struct buffer *sealed,
                          json_t **ret, struct error *err);

/* webhook_put.c: a member of a body; NULL when it is absent, null or []. */
json_t *webhook_member(json_t *body, const char *name);
/* webhook_target.c: url, jobSourceId (`source`) with secrets, or job. */
int webhook_target_put(struct webhook_service *service, json_t *body,
                       const struct job_record *source, const char *hub_token, struct webhook *webhook,
                       struct buffer *ret_sealed, struct error *err);

/* webhook_request.c: one HTTP request. `fn` is called from a later turn with `delivery` filled:
 * status, duration, request, response, error; is_final: trying again is of no use. */
typedef void webhook_request_fn(void *arg, struct webhook_delivery *delivery, bool is_final);
void webhook_request_send(struct webhook_service *service, const struct webhook *webhook,
                          struct webhook_delivery *take_delivery, webhook_request_fn *fn,
                          void *arg);
void webhook_request_stop(struct webhook_service *service);
bool webhook_request_allows(const struct sockaddr *address); /* unless private ones are allowed */

/* webhook_ingest.c: is this an event in the Hub's form? */
int webhook_ingest_check(const json_t *payload, struct error *err);

/* webhook_delivery.c */
void webhook_delivery_kick(struct webhook_service *service, const char *webhook_id);
/* What waits is tried at once: the webhook was changed or enabled. */
void webhook_delivery_hurry(struct webhook_service *service, const char *webhook_id);
void webhook_delivery_flush(struct webhook_service *service);
void webhook_delivery_start(struct webhook_service *service);
void webhook_delivery_stop(struct webhook_service *service);

/* webhook_warning.c: jobs that come near their time limit. */
void webhook_warning_start(struct webhook_service *service);
void webhook_warning_forget(struct webhook_service *service, const char *job_id);
void webhook_warning_stop(struct webhook_service *service);

#endif
