/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks, the events that they were told of, and the deliveries: the rows. Who is told what is
 * job/webhook_service.h's business.
 */
#ifndef HEARTH_STORE_WEBHOOKS_H
#define HEARTH_STORE_WEBHOOKS_H

#include "base/buffer.h"
#include "base/id.h"
#include "store/accounts.h"
#include "store/database.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum webhook_state { WEBHOOK_ON, WEBHOOK_OFF, WEBHOOK_SUSPENDED };
#define WEBHOOK_DOMAIN_REPO 1u
#define WEBHOOK_DOMAIN_DISCUSSION 2u

struct webhook {
	char id[ID_SIZE];
	char owner_id[ID_SIZE];
	char owner_name[ACCOUNT_NAME_MAX + 1];
	char *url;                /* NULL: `job` is started instead */
	char source_job[ID_SIZE]; /* whose specification `job` is a copy of; "": none */
	json_t *job;     /* {"body","flavor","timeoutSeconds","attempts","labels"}; NULL: none */
	json_t *watched; /* array as in the API */
	json_t *jobs;    /* {"namespace","labels","events"}; NULL: not told about jobs */
	char jobs_namespace_id[ID_SIZE]; /* only for webhooks_put(); not read back */
	unsigned domains;
	enum webhook_state state;
	bool has_secret;
	int64_t created_ms, updated_ms, triggered_ms; /* 0: never */
	int64_t window_ms, window_count;              /* triggers since window_ms */
	int failures;                                 /* deliveries that failed in a row */
};
void webhook_clear(struct webhook *webhook);
#define autowebhook __attribute__((cleanup(webhook_clear)))

/* Insert or replace by id; counters are left as they are. A secret of length 0 with `data` NULL
 * keeps what is there. */
struct webhook_sealed {
	const void *data;
	size_t len;
};
void webhooks_put(struct database *db, const struct webhook *webhook, struct webhook_sealed secret,
                  struct webhook_sealed job_secrets);
/* Webhooks of removed accounts are not found by any of these. */
bool webhooks_find(struct database *db, const char *id, struct webhook *ret);
void webhooks_each(struct database *db, const char *owner_id,
                   void (*fn)(void *, const struct webhook *), void *arg);
/* Those that watch one of the names (see 004_webhooks.sql), each once; `fn` may write. */
void webhooks_each_watching(struct database *db, const char *const *names, size_t count,
                            void (*fn)(void *, struct webhook *), void *arg);
bool webhooks_is_watched(struct database *db, const char *name);
int64_t webhooks_count(struct database *db, const char *owner_id); /* NULL: all */
void webhooks_remove(struct database *db, const char *id);
/* Nothing is appended when there is none. */
void webhooks_get_secret(struct database *db, const char *id, struct buffer *ret_sealed);
void webhooks_get_job_secrets(struct database *db, const char *id, struct buffer *ret_sealed);
void webhooks_set_state(struct database *db, const char *id, enum webhook_state state,
                        int64_t now_ms); /* forgets the failures */
void webhooks_set_failures(struct database *db, const char *id, int failures);
void webhooks_set_triggered(struct database *db,
                            const struct webhook *webhook); /* with its window */

struct webhook_event {
	int64_t seq;
	char id[ID_SIZE];
	const char *name;          /* "repo.content.update", "job.failed" */
	const char *payload;       /* a JSON object without the member "webhook" */
	const char *caused_by_job; /* "": none */
	int64_t created_ms;
};
/* Fills id and seq. */
void webhook_events_insert(struct database *db, struct webhook_event *event);
/* False when the key was noted before and has not expired. */
bool webhook_seen_note(struct database *db, const char *key, int64_t now_ms, int64_t until_ms);

enum webhook_delivery_state {
	DELIVERY_WAITING,
	DELIVERY_DONE,
	DELIVERY_FAILED,  /* given up, or refused */
	DELIVERY_DROPPED, /* the limit of triggers per day */
	DELIVERY_LOOP,    /* the webhook's own job caused it */
	DELIVERY_REPLAY,  /* a replay that is under way */
};
const char *webhook_delivery_state_name(enum webhook_delivery_state state);

struct webhook_delivery {
	int64_t seq;
	char id[ID_SIZE];
	char webhook_id[ID_SIZE];
	enum webhook_delivery_state state;
	int64_t created_ms, next_ms, finished_ms, duration_ms;
	int attempts, status; /* status 0: no answer */
	char job_id[ID_SIZE]; /* that was started; "": none */
	char replay_of[ID_SIZE];
	char *request, *response, *error; /* JSON texts, sentence; NULL: none */
	struct webhook_event event;       /* its texts are borrowed from `texts` */
	char *texts[3];
};
void webhook_delivery_clear(struct webhook_delivery *delivery);
#define autodelivery __attribute__((cleanup(webhook_delivery_clear)))

/* Fills id and seq; state, error, job_id, replay_of and times are taken. */
void webhook_deliveries_insert(struct database *db, const char *webhook_id, int64_t event_seq,
                               struct webhook_delivery *delivery);
/* What an attempt came to: state, next_ms, finished_ms, attempts, status, duration, texts, job_id.
 */
void webhook_deliveries_update(struct database *db, const struct webhook_delivery *delivery);
/* The oldest waiting one behind `after_seq`. */
bool webhook_deliveries_next(struct database *db, const char *webhook_id, int64_t after_seq,
                             struct webhook_delivery *ret);
bool webhook_deliveries_find(struct database *db, const char *webhook_id, const char *id,
                             struct webhook_delivery *ret);
/* Newest first. */
void webhook_deliveries_each(struct database *db, const char *webhook_id, int limit,
                             void (*fn)(void *, const struct webhook_delivery *), void *arg);
/* What waits for its next try waits no longer. */
void webhook_deliveries_hurry(struct database *db, const char *webhook_id);
/* Keep the last `keep` that are over. */
void webhook_deliveries_prune(struct database *db, const char *webhook_id, int keep);
/* Ids of webhooks that are on and have something waiting. */
void webhook_deliveries_each_busy(struct database *db, void (*fn)(void *, const char *webhook_id),
                                  void *arg);
/* Replays that a crash interrupted are over. */
void webhook_deliveries_end_replays(struct database *db, int64_t now_ms);

#endif
