/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's rows: usage, credits, budgets. Money is in micro-USD. */
#ifndef HEARTH_STORE_LEDGER_H
#define HEARTH_STORE_LEDGER_H

#include "base/error.h"
#include "base/id.h"
#include "store/database.h"
#include "store/jobs.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct usage_record {
	char job_id[ID_SIZE], namespace_id[ID_SIZE], user_id[ID_SIZE];
	char group_id[ID_SIZE]; /* "": none */
	int attempt;
	char flavor[64];
	int64_t price_hour_micro_usd;
	int64_t started_ms, ended_ms; /* ended_ms 0: running */
	int64_t used_ms, cost_micro_usd;
};

/* used_ms at a price per hour, rounded to the nearest micro-USD; never overflows below 10^12 per hour and
 * ten years. */
int64_t ledger_cost(int64_t used_ms, int64_t price_hour_micro_usd);

/* Nothing when the row is there already: a start that is told again after a restart. */
void usage_begin(struct database *db, const struct usage_record *record);
/* Sets end, used_ms and cost, adds to the sums of days and labels. False, and nothing is written, when the
 * record has ended already or never began: it cannot be charged twice. */
bool usage_end(struct database *db, const char *job_id, int attempt, int64_t ended_ms, int64_t used_ms,
	       const json_t *labels, struct usage_record *ret);
void usage_each_running(struct database *db, void (*fn)(void *, const struct usage_record *), void *arg);
void usage_each_of_job(struct database *db, const char *job_id,
		       void (*fn)(void *, const struct usage_record *), void *arg);
/* Newest first; ended ones only, and those that run. */
void usage_each(struct database *db, const char *namespace_id, int64_t from_ms, int64_t to_ms, int limit,
		void (*fn)(void *, const struct usage_record *), void *arg);

enum usage_by { USAGE_BY_NAMESPACE, USAGE_BY_USER, USAGE_BY_FLAVOR, USAGE_BY_GROUP, USAGE_BY_DAY, USAGE_BY_MONTH, USAGE_BY_LABEL };
struct usage_sum {
	char key[256]; /* name of the account or flavor, "2026-05-12", value of the label; "": none */
	int64_t attempts, used_ms, cost_micro_usd;
};
/* From the sums; `namespace_id` NULL: all; days are UTC, from_ms included, to_ms excluded, both rounded
 * to days. `label`: the key for USAGE_BY_LABEL. */
void usage_sums(struct database *db, const char *namespace_id, enum usage_by by, const char *label,
		int64_t from_ms, int64_t to_ms, void (*fn)(void *, const struct usage_sum *), void *arg);
int64_t usage_cost_between(struct database *db, const char *namespace_id, int64_t from_ms, int64_t to_ms);

struct credit {
	char id[ID_SIZE];
	int64_t amount, left, granted_ms, expires_ms; /* expires_ms 0: never */
	char note[256];
};
void credits_insert(struct database *db, const char *namespace_id, const struct credit *credit);
int credits_remove(struct database *db, const char *id, int64_t now_ms, struct error *err); /* sets left to 0 */
void credits_each(struct database *db, const char *namespace_id,
		  void (*fn)(void *, const struct credit *), void *arg);
/* What is left and not expired, minus debt. */
int64_t credits_balance(struct database *db, const char *namespace_id, int64_t now_ms);
/* Take from the credits that expire first; what is missing becomes debt. */
void credits_take(struct database *db, const char *namespace_id, int64_t amount, int64_t now_ms);

struct budget {
	int is_unlimited;	   /* -1: not set */
	int64_t monthly_micro_usd; /* -1: not set; 0: nothing may be spent */
	int64_t debt_micro_usd;
	int64_t warned_month;	   /* 202605 when 80 % was told in that month; 0 */
	bool has_credits;	   /* it was given some, once */
};
void budgets_get(struct database *db, const char *namespace_id, struct budget *ret);
void budgets_set(struct database *db, const char *namespace_id, int is_unlimited, int64_t monthly_micro_usd);
void budgets_set_warned(struct database *db, const char *namespace_id, int64_t month);

#endif
