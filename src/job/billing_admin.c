/* SPDX-License-Identifier: Apache-2.0 */
/* Credits and budgets as admins change them, and money as people are shown it. */
#include "job/billing_private.h"

#include "base/clock.h"
#include "base/quantity.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define BALANCE_MAX (BILLING_AMOUNT_MAX_USD * INT64_C(1000000))
#define MS_PER_MINUTE 60000

int billing_grant(struct billing *billing, const char *namespace_id, int64_t amount_micro_usd,
                  int64_t expires_ms, const char *note, struct credit *ret, struct error *err)
{
	struct purse *purse = purse_get(billing, namespace_id);
	int64_t now_ms = clock_now_ms();
	struct credit credit = {
	        .amount = amount_micro_usd,
	        .granted_ms = now_ms,
	        .expires_ms = expires_ms,
	};

	if (amount_micro_usd <= 0)
		return fail(err, E_INVALID, "amount: must be more than 0; write for example 50");
	if (expires_ms != 0 && expires_ms <= now_ms)
		return fail(err, E_INVALID, "expires: must be a time to come");
	purse_before_change(purse);
	if (purse->credits.left > BALANCE_MAX - amount_micro_usd)
		return fail(err, E_INVALID, "amount: the credits would be more than %d USD",
		            BILLING_AMOUNT_MAX_USD);
	id_new(credit.id);
	snprintf(credit.note, sizeof(credit.note), "%s", note ? note : "");
	credits_insert(billing->db, namespace_id, &credit);
	budgets_set_told(billing->db, namespace_id, 0, 0);
	purse_read(purse);
	purse_soon(purse);
	*ret = credit;
	return 0;
}

int billing_revoke(struct billing *billing, const char *namespace_id, const char *credit_id,
                   struct error *err)
{
	struct purse *purse = purse_get(billing, namespace_id);

	purse_before_change(purse);
	if (credits_revoke(billing->db, namespace_id, credit_id, err) < 0)
		return -1;
	purse_read(purse);
	purse_soon(purse);
	return 0;
}

void billing_set_budget(struct billing *billing, const char *namespace_id, int is_unlimited,
                        int64_t monthly_micro_usd)
{
	struct purse *purse = purse_get(billing, namespace_id);

	purse_before_change(purse);
	budgets_set(billing->db, namespace_id, is_unlimited, monthly_micro_usd);
	purse_read(purse);
	purse_soon(purse);
}

void billing_state(struct billing *billing, const char *namespace_id, struct billing_state *ret)
{
	struct purse *purse;
	struct purse_left left;

	*ret = (struct billing_state){.budget_micro_usd = -1};
	if (!billing)
		return;
	purse = purse_get(billing, namespace_id);
	purse_look(purse, clock_now_ms(), &left);
	*ret = (struct billing_state){
	        .is_limited = left.monthly >= 0 || left.has_credits,
	        .is_exhausted = left.budget <= 0 || left.credits <= 0,
	        .is_unlimited = purse->budget.is_unlimited == 1,
	        .has_credits = left.has_credits,
	        .balance_micro_usd = left.balance,
	        .spent_month_micro_usd = left.spent,
	        .budget_micro_usd = left.monthly,
	        .month_begin_ms = purse->month_begin_ms,
	        .month_end_ms = purse->month_end_ms,
	};
	for (const struct running_attempt *r = purse->first; r; r = r->next)
		ret->running++;
}

static int fail_budget(const struct account *owner, const struct purse *purse,
                       const struct purse_left *left, const char *minute, struct error *err)
{
	static const char *const months[] = {"January",   "February", "March",    "April",
	                                     "May",       "June",     "July",     "August",
	                                     "September", "October",  "November", "December"};
	char spent[QUANTITY_TEXT_SIZE], budget[QUANTITY_TEXT_SIZE], next[CLOCK_TEXT_SIZE];
	int64_t month = purse_month(purse);

	clock_format_plain(purse->month_end_ms, next);
	return fail(
	        err, E_PAYMENT,
	        "%.96s has used up its budget of %s for %s: %s are spent%s; jobs can run again on "
	        "%.10s, or when an administrator raises the budget",
	        owner->name, quantity_format_usd(left->monthly, budget), months[month % 100 - 1],
	        quantity_format_usd(left->spent, spent), minute, next);
}

int billing_check(struct billing *billing, const struct account *owner, const struct flavor *flavor,
                  struct error *err)
{
	struct purse *purse;
	struct purse_left left;
	char minute[160], cost[QUANTITY_TEXT_SIZE], balance[QUANTITY_TEXT_SIZE];

	if (!billing || flavor->price_micro_usd_hour == 0)
		return 0;
	purse = purse_get(billing, owner->id);
	purse_look(purse, clock_now_ms(), &left);
	if (left.budget > 0 && left.credits > 0)
		return 0;
	snprintf(minute, sizeof(minute), ", and a minute of %.64s costs %s", flavor->name,
	         quantity_format_usd(ledger_cost(MS_PER_MINUTE, flavor->price_micro_usd_hour),
	                             cost));
	if (left.budget <= 0)
		return fail_budget(owner, purse, &left, minute, err);
	return fail(
	        err, E_PAYMENT,
	        "%.96s has no credits left: the balance is %s%s; an administrator can grant more "
	        "(hearth admin credits grant)",
	        owner->name, quantity_format_usd(left.balance, balance), minute);
}

struct running_walk {
	struct billing *billing;
	const char *namespace_id;
	void (*fn)(void *, const struct usage_record *);
	void *arg;
};

void billing_fill_running(struct billing *billing, struct usage_record *record)
{
	const struct running_attempt *running;

	if (!billing || record->ended_ms)
		return;
	running = id_table_find(&billing->running, record->job_id);
	if (!running || running->number != record->attempt)
		return;
	record->used_ms = running_used_ms(running);
	record->cost_micro_usd = ledger_cost(record->used_ms, record->price_hour_micro_usd);
}

static void running_tell(void *arg, const struct usage_record *stored)
{
	struct running_walk *walk = arg;
	struct usage_record record = *stored;

	if (walk->namespace_id && strcmp(walk->namespace_id, record.namespace_id) != 0)
		return;
	billing_fill_running(walk->billing, &record);
	walk->fn(walk->arg, &record);
}

void billing_each_running(struct billing *billing, const char *namespace_id,
                          void (*fn)(void *, const struct usage_record *), void *arg)
{
	struct running_walk walk = {billing, namespace_id, fn, arg};

	if (billing)
		usage_each_running(billing->db, running_tell, &walk);
}
