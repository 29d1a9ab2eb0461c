/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules and the ledger of their ticks: the rows. When a schedule is due is job/'s business. */
#ifndef HEARTH_STORE_SCHEDULES_H
#define HEARTH_STORE_SCHEDULES_H

#include "base/buffer.h"
#include "base/id.h"
#include "store/accounts.h"
#include "store/database.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schedule_record {
	int64_t seq;
	char id[ID_SIZE];
	char namespace_id[ID_SIZE];
	char namespace_name[ACCOUNT_NAME_MAX + 1];
	enum account_type namespace_type;
	char created_by_id[ID_SIZE];
	char created_by_name[ACCOUNT_NAME_MAX + 1];
	int64_t created_ms, updated_ms;
	char *expression;     /* as shown */
	bool is_suspended;
	char *suspend_reason; /* NULL: none, or a user did it */
	bool concurrency;
	char *catch_up, *overlap; /* NULL: as the configuration says */
	int64_t considered_ms;	  /* all ticks due up to then have their row */
	int failures;		  /* starts that failed, one after the other */
	char last_job_id[ID_SIZE]; /* "": none yet */
	int64_t last_job_ms;
	char *flavor;
	int64_t timeout_s;
	int attempts;
	json_t *spec, *labels, *initiator; /* as those of a job (store/jobs.h) */
};
void schedule_record_clear(struct schedule_record *schedule);
#define autoschedule __attribute__((cleanup(schedule_record_clear)))

/* Everything but `seq` is set; `sealed` may be empty. */
void schedules_insert(struct database *db, const struct schedule_record *schedule, const void *sealed,
		      size_t sealed_len);
bool schedules_find(struct database *db, const char *id, struct schedule_record *ret);
void schedules_get_secrets(struct database *db, int64_t seq, struct buffer *ret_sealed);
/* Newest first, at most `limit`; `before_seq` INT64_MAX: from the newest. `fn` may keep what it takes
 * out of the record; it returns false to stop. */
void schedules_each(struct database *db, const char *namespace_id, int64_t before_seq, int limit,
		    bool (*fn)(void *arg, struct schedule_record *schedule), void *arg);
int64_t schedules_count(struct database *db, const char *namespace_id);
void schedules_remove(struct database *db, int64_t seq); /* its ticks too */

void schedules_set_expression(struct database *db, int64_t seq, const char *expression,
			      int64_t considered_ms, int64_t now_ms);
/* Failures begin again at 0. */
void schedules_set_suspended(struct database *db, int64_t seq, bool is_suspended, const char *reason,
			     int64_t considered_ms, int64_t now_ms);
void schedules_set_labels(struct database *db, int64_t seq, const json_t *labels, const char *catch_up,
			  const char *overlap, int64_t now_ms);
void schedules_set_considered(struct database *db, int64_t seq, int64_t considered_ms, int failures);
void schedules_set_last_job(struct database *db, int64_t seq, const char *job_id, int64_t job_ms);

/* What the service keeps in memory. Strings are borrowed. */
struct schedule_brief {
	int64_t seq;
	char id[ID_SIZE];
	const char *expression, *catch_up, *overlap;
	bool concurrency, is_suspended;
	int64_t considered_ms;
	int failures;
};
void schedules_each_brief(struct database *db, void (*fn)(void *, const struct schedule_brief *),
			  void *arg);
/* Jobs that a schedule started and that are not over, or whose attempt is still live. */
void schedules_each_live_job(struct database *db,
			     void (*fn)(void *, const char *schedule_id, const char *job_id), void *arg);

enum tick_outcome {
	TICK_RAN,	/* its job was started in time */
	TICK_CAUGHT_UP, /* its job was started later: the server was down */
	TICK_TRIGGERED, /* somebody asked for this run */
	TICK_WAITING,	/* for the run before it to end */
	TICK_SKIPPED,	/* the run before it was still going on */
	TICK_MISSED,	/* the server was down, and it was not made up for */
	TICK_FAILED,	/* its job could not be started; `reason` says why */
};
const char *tick_outcome_name(enum tick_outcome outcome);

struct tick {
	int64_t due_ms, decided_ms;
	bool is_manual;
	enum tick_outcome outcome;
	const char *job_id; /* NULL: none */
	const char *reason; /* NULL: none */
	int64_t count;	    /* ticks that the row stands for, of those that have no row of their own */
	int64_t until_ms;   /* the last of them; due_ms if it is one */
};

bool ticks_exist(struct database *db, int64_t schedule_seq, int64_t due_ms);
/* Rows of ticks due from `first_ms` to `until_ms`. */
int64_t ticks_count_between(struct database *db, int64_t schedule_seq, int64_t first_ms, int64_t until_ms);
/* The caller knows that there is no such row yet. */
void ticks_insert(struct database *db, int64_t schedule_seq, const struct tick *tick);
void ticks_set_outcome(struct database *db, int64_t schedule_seq, const struct tick *tick);
/* Newest first, at most `limit`, of those due before `before_ms`. Strings are borrowed. */
void ticks_each(struct database *db, int64_t schedule_seq, int64_t before_ms, int limit,
		void (*fn)(void *, const struct tick *), void *arg);
bool ticks_find_oldest_waiting(struct database *db, int64_t schedule_seq, int64_t *ret_due_ms);
void ticks_each_waiting_schedule(struct database *db, void (*fn)(void *, const char *schedule_id),
				 void *arg);
/* The clock was set back: what was decided about later ticks is taken back, but for those with a job. */
void ticks_take_back(struct database *db, int64_t schedule_seq, int64_t after_ms);
/* Some rows that are older, or beyond the newest `rows_max`, go. */
void ticks_trim(struct database *db, int64_t schedule_seq, int64_t before_ms, int64_t rows_max);

#endif
