/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of billing: billing.c (what runs, and its end), purse.c (what a namespace has and spends),
 * billing_limit.c (stopping it), billing_admin.c (changes, and what is shown),
 * billing_cost.c (of one job).
 */
#ifndef HEARTH_JOB_BILLING_PRIVATE_H
#define HEARTH_JOB_BILLING_PRIVATE_H

#include "job/billing.h"
#include "job/id_table.h"

struct billing {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	struct job_service *jobs;
	struct webhook_service *webhooks;
	struct id_table purses; /* by namespace; made when first looked at */
	struct id_table running; /* by job: one of its attempts runs at most */
};

/* What one namespace has and spends. Only we write these rows, so what was read stays true. */
struct purse {
	struct id_entry entry; /* first: the namespace */
	struct billing *billing;
	struct budget budget;
	struct credits_sum credits;
	int64_t settled_until_ms; /* no credit expires before */
	int64_t month_begin_ms, month_end_ms;
	int64_t month_cost;		/* of what has ended, in days of this month */
	struct running_attempt *first;
	struct loop_timer *timer;	/* the next moment at which something may change */
	struct id_list doomed;		/* jobs to be cancelled, a few per turn, from n_stopped on */
	size_t n_stopped;
	char sentence[ERROR_TEXT_SIZE]; /* why */
};

struct running_attempt {
	struct id_entry entry; /* first: the job */
	struct running_attempt *next; /* of the same namespace */
	struct purse *purse;
	int number;
	int64_t price_hour, started_ms;
	int64_t base_us; /* clock_monotonic_us() at its start; 0: not known (another boot, not told yet) */
	int64_t taken;
};

struct purse *purse_get(struct billing *billing, const char *namespace_id);
void purse_free(struct id_entry *entry);
/* Before and after an admin changes rows of credits or the budget. */
void purse_before_change(struct purse *purse);
void purse_read(struct purse *purse);
/* Have it looked at in one of the next turns. */
void purse_soon(struct purse *purse);
void purse_due(void *purse); /* look now */
void purse_spare(struct purse *purse); /* nothing is to be stopped any more */
/* Take from the credits what was used until each of their expiries that has passed. */
void purse_settle(struct purse *purse, int64_t now_ms);
/* An attempt of it has ended with this record. */
void purse_charge(struct purse *purse, const struct usage_record *record, int64_t now_ms);
int64_t purse_month(const struct purse *purse); /* 202605 for May */
struct purse_left {
	int64_t budget, credits; /* that are left; INT64_MAX: not limited by it */
	int64_t spent, balance;
	int64_t monthly; /* -1: no budget */
	bool has_credits;
};
void purse_look(struct purse *purse, int64_t now_ms, struct purse_left *ret);

int64_t running_used_ms(const struct running_attempt *running);

#endif
