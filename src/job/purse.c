/* SPDX-License-Identifier: Apache-2.0 */
/* What one namespace has and spends: months, budgets, credits. */
#include "job/billing_private.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t month_start(int year, int month)
{
	struct tm tm = {.tm_year = year, .tm_mon = month, .tm_mday = 1};

	return (int64_t)timegm(&tm) * 1000;
}

int64_t purse_month(const struct purse *purse)
{
	time_t begin = purse->month_begin_ms / 1000;
	struct tm tm;

	gmtime_r(&begin, &tm);
	return (tm.tm_year + 1900) * INT64_C(100) + tm.tm_mon + 1;
}

static void purse_turn_month(struct purse *purse, int64_t now_ms)
{
	time_t now = now_ms / 1000;
	struct tm tm;

	if (now_ms >= purse->month_begin_ms && now_ms < purse->month_end_ms)
		return;
	gmtime_r(&now, &tm);
	purse->month_begin_ms = month_start(tm.tm_year, tm.tm_mon);
	purse->month_end_ms = month_start(tm.tm_year, tm.tm_mon + 1);
	purse->month_cost = usage_cost_of_month(purse->billing->db, purse->entry.id,
	                                        purse->month_begin_ms / LEDGER_DAY_MS);
}

void purse_spare(struct purse *purse)
{
	id_list_clear(&purse->doomed);
	purse->n_stopped = 0;
}

static bool purse_has_credits(const struct purse *purse)
{
	return purse->budget.is_unlimited != 1 &&
	       (purse->budget.has_credits || purse->billing->configuration->prepaid);
}

static int64_t purse_monthly(const struct purse *purse)
{
	int64_t of_settings = purse->billing->configuration->monthly_budget_micro_usd;

	if (purse->budget.is_unlimited == 1)
		return -1;
	if (purse->budget.monthly_micro_usd >= 0)
		return purse->budget.monthly_micro_usd;
	return of_settings > 0 ? of_settings : -1;
}

void purse_soon(struct purse *purse)
{
	/* Not 0: libuv would call it again before it looks at its sockets. */
	if (purse_has_credits(purse) || purse_monthly(purse) >= 0)
		loop_timer_start(purse->timer, 1, 0);
}

/* What running attempts have cost until `at_ms`, on their own time lines, beyond what was taken. */
static void purse_take_until(struct purse *purse, int64_t at_ms, int64_t now_ms)
{
	struct database *db = purse->billing->db;
	bool is_taken = purse_has_credits(purse);

	for (struct running_attempt *r = purse->first; r; r = r->next) {
		int64_t used_ms = smaller(running_used_ms(r), at_ms - r->started_ms);
		int64_t cost = ledger_cost(used_ms, r->price_hour);

		if (cost <= r->taken)
			continue;
		if (is_taken)
			credits_take(db, purse->entry.id, cost - r->taken,
			             smaller(at_ms, now_ms + 1) - 1);
		r->taken = cost;
		usage_set_taken(db, r->entry.id, r->number, cost);
	}
}

void purse_settle(struct purse *purse, int64_t now_ms)
{
	struct database *db = purse->billing->db;
	int64_t expiry_ms;

	if (now_ms < purse->settled_until_ms)
		return;
	while ((expiry_ms = credits_first_expiry(db, purse->entry.id)) > 0 && expiry_ms <= now_ms) {
		purse_take_until(purse, expiry_ms, now_ms);
		credits_expire(db, purse->entry.id, expiry_ms);
		credits_sum(db, purse->entry.id, now_ms, &purse->credits);
	}
	purse->settled_until_ms = expiry_ms > 0 ? expiry_ms : INT64_MAX;
}

/* With its rules as they were until now; none of what was used so far is asked for again. */
void purse_before_change(struct purse *purse)
{
	int64_t now_ms = clock_now_ms();

	purse_settle(purse, now_ms);
	purse_take_until(purse, INT64_MAX, now_ms);
}

void purse_read(struct purse *purse)
{
	struct billing *billing = purse->billing;
	int64_t now_ms = clock_now_ms();

	budgets_get(billing->db, purse->entry.id, &purse->budget);
	credits_sum(billing->db, purse->entry.id, now_ms, &purse->credits);
	purse->settled_until_ms = 0;
	purse->month_end_ms = 0;
	purse_turn_month(purse, now_ms);
	purse_spare(purse);
}

struct purse *purse_get(struct billing *billing, const char *namespace_id)
{
	struct purse *purse = id_table_find(&billing->purses, namespace_id);

	if (purse)
		return purse;
	purse = xcalloc(1, sizeof(*purse));
	memcpy(purse->entry.id, namespace_id, ID_SIZE);
	purse->billing = billing;
	purse->timer = loop_timer_new(billing->loop, purse_due, purse);
	id_table_add(&billing->purses, &purse->entry);
	purse_read(purse);
	return purse;
}

void purse_free(struct id_entry *entry)
{
	struct purse *purse = (struct purse *)entry;

	loop_timer_free(purse->timer);
	id_list_clear(&purse->doomed);
	free(purse);
}

void purse_charge(struct purse *purse, const struct usage_record *record, int64_t now_ms)
{
	struct database *db = purse->billing->db;
	int64_t untaken = record->cost_micro_usd - record->taken_micro_usd;
	int64_t until_ms = purse->month_end_ms - record->started_ms;
	int64_t from_ms = purse->month_begin_ms - record->started_ms;

	if (purse_has_credits(purse) && untaken > 0) {
		credits_take(db, purse->entry.id, untaken, now_ms);
		credits_sum(db, purse->entry.id, now_ms, &purse->credits);
	}
	/* As usage_sums_add() shares it out among the days. */
	purse->month_cost +=
	        ledger_cost(smaller(until_ms, record->used_ms), record->price_hour_micro_usd) -
	        ledger_cost(smaller(from_ms, record->used_ms), record->price_hour_micro_usd);
}

void purse_look(struct purse *purse, int64_t now_ms, struct purse_left *ret)
{
	bool has_credits = purse_has_credits(purse);

	purse_settle(purse, now_ms);
	purse_turn_month(purse, now_ms);
	*ret = (struct purse_left){
	        .budget = INT64_MAX,
	        .credits = INT64_MAX,
	        .spent = purse->month_cost,
	        .balance = has_credits ? purse->credits.left : 0,
	        .monthly = purse_monthly(purse),
	        .has_credits = has_credits,
	};
	for (const struct running_attempt *r = purse->first; r; r = r->next) {
		int64_t used_ms = running_used_ms(r);
		int64_t before_ms = smaller(purse->month_begin_ms - r->started_ms, used_ms);
		int64_t cost = ledger_cost(used_ms, r->price_hour);

		ret->balance -= has_credits && cost > r->taken ? cost - r->taken : 0;
		ret->spent += cost - ledger_cost(before_ms, r->price_hour);
	}
	if (ret->monthly >= 0)
		ret->budget = ret->monthly - ret->spent;
	if (has_credits)
		ret->credits = ret->balance;
}
