/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's rows: usage, credits, budgets (sql/006_ledger.sql). Money is in micro-USD; days are UTC, counted
 * since 1970. ledger.c: records; ledger_sums.c: their sums by day; credits.c: credits and budgets.
 */
#ifndef HEARTH_STORE_LEDGER_H
#define HEARTH_STORE_LEDGER_H

#include "base/error.h"
#include "base/id.h"
#include "store/database.h"
#include "store/jobs.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define LEDGER_DAY_MS INT64_C(86400000)

struct usage_record {
	char job_id[ID_SIZE], namespace_id[ID_SIZE], user_id[ID_SIZE];
	char group_id[ID_SIZE]; /* "": none */
	char user_name[ACCOUNT_NAME_MAX + 1], group_name[ACCOUNT_NAME_MAX + 1]; /* of readers */
	int attempt;
	char flavor[64];
	int64_t price_hour_micro_usd;
	int64_t started_ms, ended_ms; /* ended_ms 0: running; else started_ms + used_ms */
	int64_t used_ms, cost_micro_usd;
	int64_t taken_micro_usd; /* what credits have paid of the cost so far */
	int64_t started_us;	 /* by the clock since this boot; 0: not known. Of readers: the attempt's */
};

/* used_ms at a price per hour, rounded to the nearest micro-USD, halves up; never overflows below 10^12 per hour
 * and ten years; nothing for negative times. */
int64_t ledger_cost(int64_t used_ms, int64_t price_hour_micro_usd);

#define USAGE_KEY_SIZE 256
struct usage_sum {
	char key[USAGE_KEY_SIZE]; /* name of the account or flavor, "2026-05-12", value of the label; "": none */
	int64_t attempts, used_ms, cost_micro_usd;
};

/* One UTC day's share of a record; as an attempt it counts in its last day. */
struct usage_share {
	int64_t day, attempts, used_ms, cost_micro_usd;
	int64_t until_ms; /* of the record's own time */
};
/* Begin with {0}; false: there is no further day. All shares of a record add up to it exactly. */
bool usage_share_next(const struct usage_record *record, struct usage_share *share);

/* Nothing when the row is there already: a start that is told again after a restart. */
void usage_begin(struct database *db, const struct usage_record *record);
/* Sets end, used_ms and cost, adds to the sums of days and labels. False, and nothing is written, when the
 * record has ended already or never began: it cannot be charged twice. */
bool usage_end(struct database *db, const char *job_id, int attempt, int64_t used_ms, const json_t *labels,
	       struct usage_record *ret);
void usage_set_taken(struct database *db, const char *job_id, int attempt, int64_t taken_micro_usd);
bool usage_find(struct database *db, const char *job_id, int attempt, struct usage_record *ret);
void usage_each_running(struct database *db, void (*fn)(void *, const struct usage_record *), void *arg);
void usage_each_of_job(struct database *db, const char *job_id,
		       void (*fn)(void *, const struct usage_record *), void *arg);
/* What has ended of the elements of an array. */
void usage_of_array(struct database *db, const char *array_id, struct usage_sum *ret);
/* Newest start first: those that began in [from_ms, to_ms). `after`: go on after this one; NULL: from the newest. */
void usage_each(struct database *db, const char *namespace_id, int64_t from_ms, int64_t to_ms,
		const struct usage_record *after, int limit, void (*fn)(void *, const struct usage_record *),
		void *arg);

enum usage_by {
	USAGE_BY_NAMESPACE,
	USAGE_BY_USER,
	USAGE_BY_FLAVOR,
	USAGE_BY_GROUP,
	USAGE_BY_DAY,
	USAGE_BY_MONTH,
	USAGE_BY_LABEL,
};
/* From the sums; `namespace_id` NULL: all; days from_day to to_day - 1. `label`: the key for USAGE_BY_LABEL. A key may
 * come more than once. */
void usage_sums(struct database *db, const char *namespace_id, enum usage_by by, const char *label,
		int64_t from_day, int64_t to_day, void (*fn)(void *, const struct usage_sum *), void *arg);
/* The same of a whole month, from fewer rows; not by day or label. */
void usage_sums_month(struct database *db, const char *namespace_id, enum usage_by by, int64_t first_day,
		      void (*fn)(void *, const struct usage_sum *), void *arg);
/* The first day of the month of a day, and that of the next month. */
int64_t usage_month_of(int64_t day, int64_t *ret_next);
/* The first and last day with a sum; false: there is none. */
bool usage_days_span(struct database *db, const char *namespace_id, int64_t *ret_first, int64_t *ret_last);
int64_t usage_cost_of_month(struct database *db, const char *namespace_id, int64_t first_day);

struct credit {
	char id[ID_SIZE];
	int64_t amount, left, granted_ms, expires_ms; /* expires_ms 0: never */
	char note[256];
};
/* A debt is paid from it first: sets its `left`. */
void credits_insert(struct database *db, const char *namespace_id, struct credit *credit);
/* Sets left to 0. E_NOT_FOUND. */
int credits_revoke(struct database *db, const char *namespace_id, const char *id, struct error *err);
/* Newest first, the used up and expired ones too. */
void credits_each(struct database *db, const char *namespace_id, void (*fn)(void *, const struct credit *),
		  void *arg);
struct credits_sum {
	int64_t left;	   /* not expired; minus debt */
	int64_t granted;   /* of those: what they were */
	int64_t expiry_ms; /* the next one; 0: none */
};
void credits_sum(struct database *db, const char *namespace_id, int64_t now_ms, struct credits_sum *ret);
/* The first expiry of credits that have something left, however long ago; 0: none. */
int64_t credits_first_expiry(struct database *db, const char *namespace_id);
/* Take from the credits that expire first; what is missing becomes debt. */
void credits_take(struct database *db, const char *namespace_id, int64_t amount, int64_t now_ms);
/* What is left of credits that have expired by now is gone. */
void credits_expire(struct database *db, const char *namespace_id, int64_t now_ms);

struct budget {
	int is_unlimited;	   /* -1: not set */
	int64_t monthly_micro_usd; /* -1: not set; 0: nothing may be spent */
	int64_t debt_micro_usd;
	int64_t warned_month, exhausted_month; /* 202605 when 80 % or the end was told in that month; 0 */
	bool has_credits;		       /* it was given some, once */
};
void budgets_get(struct database *db, const char *namespace_id, struct budget *ret);
/* -1: not set. The month's warnings may come again. */
void budgets_set(struct database *db, const char *namespace_id, int is_unlimited, int64_t monthly_micro_usd);
void budgets_set_told(struct database *db, const char *namespace_id, int64_t warned_month, int64_t exhausted_month);

#endif
