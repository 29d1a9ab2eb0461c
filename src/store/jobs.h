/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, their labels, attempts and events: the rows. What may happen to a job is job/'s business. */
#ifndef HEARTH_STORE_JOBS_H
#define HEARTH_STORE_JOBS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "store/accounts.h"
#include "store/database.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum job_stage {
	STAGE_SCHEDULING,
	STAGE_RUNNING,
	STAGE_COMPLETED,
	STAGE_ERROR,
	STAGE_CANCELED,
	STAGE_DELETED,
};
#define STAGE_COUNT 6
const char *stage_name(enum job_stage stage);
int stage_by_name(const char *name); /* any case; -1 if unknown */
bool stage_is_terminal(enum job_stage stage);

struct job_record {
	char id[ID_SIZE];
	char namespace_id[ID_SIZE];
	char namespace_name[ACCOUNT_NAME_MAX + 1];
	enum account_type namespace_type;
	char created_by_id[ID_SIZE];
	char created_by_name[ACCOUNT_NAME_MAX + 1];
	int64_t created_ms, started_ms, finished_ms, updated_ms; /* 0: not yet */
	enum job_stage stage;
	char *message;	     /* NULL: none */
	char *cancel_reason; /* NULL: none */
	int failure_count;
	int attempts;	    /* as requested */
	int64_t timeout_s;
	char *flavor;
	json_t *spec;	    /* normalized request without secrets: dockerImage|spaceId, command,
			       arguments, environment, arch, volumes, secretNames … (job/spec.h) */
	json_t *labels;	    /* object of strings */
	json_t *initiator;  /* object as in the API */
	char *image_digest; /* manifest digest of the last attempt; NULL: not resolved yet */
	int priority;
	int hold;		 /* 0 none, 1 by its owner, 2 by an admin */
	int64_t rank;		 /* 0, or where an admin has put it */
	int64_t not_before_ms;	 /* its next attempt waits until then; 0: does not */
	char group_id[ID_SIZE];	 /* resource group; "": none */
};
void job_record_clear(struct job_record *job);
#define autojob __attribute__((cleanup(job_record_clear)))

struct attempt_record {
	char job_id[ID_SIZE];
	int number; /* from 1 */
	int slot;   /* id range and address of the attempt; unique among live attempts */
	int64_t created_ms, started_ms, ended_ms; /* 0: not yet */
	int exit_code;	   /* -1: none */
	int signal;	   /* 0: none */
	char outcome[24];  /* "", then outcome_name() of container/attempt_folder.h */
	int64_t price_hour_micro_usd; /* of its flavor when it was created; -1: not known */
	int64_t started_us; /* clock_monotonic_us() of its start; 0: not known, or in another boot */
	char *devices;	   /* CDI names with commas; NULL: none; of readers: borrowed for the call, of
			      attempts_find_last(): NULL always */
};

/* Inserts job, labels and the first event. `sealed_secrets` may be empty. When `idempotency_key` is
 * not NULL and the namespace has used it within a day, nothing is inserted and *ret_existing_id is
 * set to the job it made (E_CONFLICT if `request_hash` differs: "the key was used for another
 * request"). */
int jobs_insert(struct database *db, const struct job_record *job, const void *sealed_secrets,
		size_t sealed_len, const char *idempotency_key, const char *request_hash,
		char ret_existing_id[ID_SIZE], struct error *err);

/* The job that this key made within a day, without inserting anything: *ret_id is "" if there is none.
 * E_CONFLICT as above. */
int jobs_find_by_key(struct database *db, const char *namespace_id, const char *idempotency_key,
		     const char *request_hash, char ret_id[ID_SIZE], struct error *err);
bool jobs_find(struct database *db, const char *id, struct job_record *ret);
void jobs_get_secrets(struct database *db, const char *id, struct buffer *ret_sealed);

struct jobs_query {
	const char *namespace_id; /* NULL: all */
	unsigned stage_mask;	  /* 1 << stage; 0: all but DELETED */
	const char *const *label_keys, *const *label_values;
	size_t n_labels;
	const char *before_id;	  /* cursor: only older ones; NULL: from the newest */
	int limit;
};
/* Newest first. */
void jobs_each(struct database *db, const struct jobs_query *query,
	       void (*fn)(void *arg, struct job_record *job), void *arg);
int64_t jobs_count(struct database *db, const struct jobs_query *query);

/* Jobs that are not over and have no live attempt, in the order of their arrival: the queue after a
 * restart. Reads short rows only. */
struct job_waiting {
	char id[ID_SIZE];
	char namespace_id[ID_SIZE];
	char created_by_id[ID_SIZE], group_id[ID_SIZE];
	char flavor[64];
	int last_number; /* of their last attempt; 0: none yet */
	int priority, hold;
	int64_t rank, not_before_ms, created_ms, timeout_s;
};
void jobs_each_waiting(struct database *db, void (*fn)(void *, const struct job_waiting *),
		       void *arg);

/* One transaction step each; only job/state.c and job/scheduler.c call these. */
void jobs_set_stage(struct database *db, const char *id, enum job_stage stage, const char *message,
		    const char *cancel_reason, int64_t started_ms, int64_t finished_ms,
		    int failure_count, int64_t now_ms);
void jobs_set_message(struct database *db, const char *id, const char *message, int64_t now_ms);
void jobs_set_labels(struct database *db, const char *id, const json_t *labels, int64_t now_ms);
void jobs_set_attempts(struct database *db, const char *id, int attempts);
void jobs_set_timeout(struct database *db, const char *id, int64_t timeout_s, int64_t now_ms);
void jobs_set_order(struct database *db, const char *id, int priority, int hold, int64_t rank,
		    int64_t not_before_ms);
void jobs_set_image_digest(struct database *db, const char *id, const char *digest);

void attempts_insert(struct database *db, const struct attempt_record *attempt);
void attempts_set_started(struct database *db, const char *job_id, int number, int64_t started_ms,
			  int64_t started_us);
/* Of the flavor when the attempt was created; `fallback` if that is not known. */
int64_t attempts_price(struct database *db, const char *job_id, int number, int64_t fallback);
/* Before started_us is read: if this is another boot, none of them means anything any more. */
void attempts_note_boot(struct database *db);
void attempts_set_ended(struct database *db, const struct attempt_record *attempt);
bool attempts_find_last(struct database *db, const char *job_id, struct attempt_record *ret);
/* Attempts without an end, oldest first: what recovery looks at. */
void attempts_each_live(struct database *db, void (*fn)(void *, const struct attempt_record *),
			void *arg);

/* Attempts that ran and have ended, of the newest jobs first. The texts are JSON, borrowed for the call. */
struct ended_attempt {
	char namespace_id[ID_SIZE], flavor[64];
	int64_t started_ms, ended_ms;
	const char *spec, *labels, *initiator;
};
void attempts_each_ended(struct database *db, int limit,
			 void (*fn)(void *, const struct ended_attempt *), void *arg);

/* Events: one row per change, in order for ever. `data` is a JSON object as text:
 *   created  {"stage":"SCHEDULING"}
 *   stage    {"stage":…,"message":…|null,"failureCount":…,"cancelReason":… if any}
 *   labels   {"labels":{…}}
 *   attempt  {"number":…,"phase":"created"|"running"} or {"number":…,"phase":"ended","outcome":…,
 *            "exitCode":… if any,"signal":… if any}
 *   warning  {"about":"idle","seconds":…,"message":…}
 *   array    {"text":…}: a line of an array's log (job/log_array.h) */
int64_t events_insert(struct database *db, const char *job_id, const char *kind, const char *data,
		      int64_t now_ms);
void events_each(struct database *db, const char *job_id, int64_t after_seq,
		 void (*fn)(void *, int64_t seq, const char *kind, const char *data, int64_t at_ms),
		 void *arg);
bool events_exist(struct database *db, const char *job_id, const char *kind);
/* The first of one kind behind `after_seq`, only if it is on disk; false: there is none. */
struct event {
	int64_t seq, at_ms;
	char *data; /* yours to free */
};
bool events_find_next(struct database *db, const char *job_id, const char *kind, int64_t after_seq,
		      struct event *ret);
/* Behind which the last `n` of one kind are. */
int64_t events_seek_last(struct database *db, const char *job_id, const char *kind, int64_t n);

#endif
