/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Money: every attempt's RUNNING time at the price that its flavor had when it was created, in integer
 * micro-USD; waiting, pulling images and building are free. RUNNING time is from the start of the job's
 * process to its end, or to the job's CANCELED if that comes first, measured by the monotonic clock of the
 * monitor, so that neither restarts nor steps of the wall clock change it (R31).
 *
 * A namespace is limited if it has a monthly budget (of its own or billing.monthly_budget) or was ever given
 * credits, or with billing.prepaid; then a timer stands at the moment when the running jobs will have
 * used up what is left: 80 % is told once a month ("budget-80"), at 100 % its running jobs are cancelled
 * (cancelReason NO_CREDITS) and waiting ones too. What costs nothing is never stopped.
 *
 * With a budget and credits whatever ends first counts. Credits that expire first are used first; what a job
 * has used by then is taken from a credit before it expires. The last moments of a job may cost more than is
 * left: that is a debt, which the next credit pays first.
 */
#ifndef HEARTH_JOB_BILLING_H
#define HEARTH_JOB_BILLING_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/service.h"
#include "net/loop.h"
#include "store/ledger.h"

#include <stdbool.h>
#include <stdint.h>

struct billing;
struct webhook_service;

struct billing *billing_new(struct loop *loop, struct database *db, const struct configuration *configuration);
/* After the database was opened and before jobs start: picks up records that have no end. */
void billing_start(struct billing *billing, struct job_service *jobs, struct webhook_service *webhooks);
void billing_free(struct billing *billing); /* NULL is fine */

/* All take a NULL billing, which means that nothing is counted. */

/* At submission. E_PAYMENT with a sentence: what is left, and what a minute would cost. */
int billing_check(struct billing *billing, const struct account *owner, const struct flavor *flavor,
		  struct error *err);
/* Before an attempt: the sentence for a job that cannot be paid for any more, borrowed; NULL: it may start. */
const char *billing_refuse_start(struct billing *billing, const char *namespace_id, const struct flavor *flavor);
/* The attempt runs; `running_us` of its time have passed by its monotonic clock (0: it begins now). Told again after
 * a restart. */
void billing_attempt_running(struct billing *billing, const struct job_record *job, int number,
			     const struct flavor *flavor, int64_t started_ms, int64_t running_us);
/* It has ended, or its job was cancelled; only the first counts. `running_us` -1: not known yet; its end will
 * tell. */
void billing_attempt_ended(struct billing *billing, const struct job_record *job, int number,
			   int64_t running_us);

struct job_cost {
	int64_t used_ms, cost_micro_usd; /* of all attempts so far */
	int64_t estimate_micro_usd;	 /* if it runs to its time limit; of ended ones: the cost */
	int64_t price_hour_micro_usd;
};
void billing_job_cost(struct billing *billing, const struct job_record *job, struct job_cost *ret);

struct billing_state {
	bool is_limited, is_exhausted, is_unlimited, has_credits;
	int64_t balance_micro_usd;	/* credits left, running jobs taken off; 0 without credits */
	int64_t spent_month_micro_usd;	/* running jobs included */
	int64_t budget_micro_usd;	/* -1: none */
	int64_t month_begin_ms, month_end_ms;
	int64_t running;		/* jobs */
};
void billing_state(struct billing *billing, const char *namespace_id, struct billing_state *ret);

/* True when 80 % of the budget or the credits is used: one ASCII sentence about it. */
#define BILLING_WARNING_SIZE 160
bool billing_warning(struct billing *billing, const char *namespace_id, char ret[BILLING_WARNING_SIZE]);

/* Records of what runs now, with used_ms and cost so far; `namespace_id` NULL: all. */
void billing_each_running(struct billing *billing, const char *namespace_id,
			  void (*fn)(void *, const struct usage_record *), void *arg);

/* Sets used_ms and cost so far of a record that runs; of others nothing. */
void billing_fill_running(struct billing *billing, struct usage_record *record);

#define BILLING_AMOUNT_MAX_USD 1000000000
/* An admin's changes; they take effect at once. `expires_ms` 0: never. */
int billing_grant(struct billing *billing, const char *namespace_id, int64_t amount_micro_usd, int64_t expires_ms,
		  const char *note, struct credit *ret, struct error *err);
int billing_revoke(struct billing *billing, const char *namespace_id, const char *credit_id, struct error *err);
/* -1: as the settings say. */
void billing_set_budget(struct billing *billing, const char *namespace_id, int is_unlimited,
			int64_t monthly_micro_usd);

#endif
