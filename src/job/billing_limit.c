/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of what a namespace may spend. Costs of running jobs rise evenly, so the moment at which
 * they reach a limit is known; a timer stands there, and whoever changes something has it looked at
 * again.
 */
#include "job/billing_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/quantity.h"
#include "job/active.h"
#include "job/webhook_service.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_HOUR 3600000
#define LOOK_AGAIN_MS 60000 /* months and expiries are of the wall clock, which may step */
#define STOPS_PER_TURN 50
#define WARNED_PERCENT 80

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static json_t *purse_facts(const struct purse *purse, const struct purse_left *left)
{
	json_t *facts = json_pack("{s:I}", "spentMicroUsd", (json_int_t)left->spent);

	if (left->monthly >= 0)
		json_object_set_new(facts, "budgetMicroUsd", json_integer(left->monthly));
	if (left->has_credits)
		json_object_set_new(facts, "balanceMicroUsd", json_integer(left->balance));
	return facts;
}

static bool purse_is_low(const struct purse *purse, const struct purse_left *left)
{
	if (left->monthly >= 0 &&
	    (__int128)left->spent * 100 >= (__int128)left->monthly * WARNED_PERCENT)
		return true;
	return left->has_credits &&
	       (__int128)left->balance * 100 <=
	               (__int128)purse->credits.granted * (100 - WARNED_PERCENT);
}

bool billing_warning(struct billing *billing, const char *namespace_id,
                     char ret[BILLING_WARNING_SIZE])
{
	char spent[QUANTITY_TEXT_SIZE], budget[QUANTITY_TEXT_SIZE];
	struct purse *purse;
	struct purse_left left;

	if (!billing)
		return false;
	purse = purse_get(billing, namespace_id);
	purse_look(purse, clock_now_ms(), &left);
	if (!purse_is_low(purse, &left))
		return false;
	if (left.budget < left.credits)
		snprintf(ret, BILLING_WARNING_SIZE,
		         "%s of the budget of %s for this month are spent",
		         quantity_format_usd(left.spent, spent),
		         quantity_format_usd(left.monthly, budget));
	else
		snprintf(ret, BILLING_WARNING_SIZE, "only %s of credits are left",
		         quantity_format_usd(left.balance, spent));
	return true;
}

/* Once a month each; again when an admin has changed something. */
static void purse_tell(struct purse *purse, const struct purse_left *left, bool is_exhausted)
{
	struct billing *billing = purse->billing;
	int64_t month = purse_month(purse);
	autojson json_t *facts = NULL;

	if ((is_exhausted ? purse->budget.exhausted_month : purse->budget.warned_month) == month)
		return;
	facts = purse_facts(purse, left);
	if (purse->budget.warned_month != month)
		webhook_service_notice(billing->webhooks, "budget-80", purse->entry.id, NULL,
		                       facts);
	if (is_exhausted) {
		webhook_service_notice(billing->webhooks, "budget-100", purse->entry.id, NULL,
		                       facts);
		purse->budget.exhausted_month = month;
	}
	purse->budget.warned_month = month;
	budgets_set_told(billing->db, purse->entry.id, purse->budget.warned_month,
	                 purse->budget.exhausted_month);
}

static void purse_doom(struct purse *purse)
{
	const struct id_table *active = &purse->billing->jobs->active;

	for (const struct running_attempt *r = purse->first; r; r = r->next)
		if (r->price_hour > 0)
			id_list_add(&purse->doomed, r->entry.id);
	for (size_t i = 0; i < active->n_buckets; i++) {
		for (const struct id_entry *e = active->buckets[i]; e; e = e->next) {
			const struct active_job *job = (const struct active_job *)(const void *)e;

			if (strcmp(job->place.namespace_id, purse->entry.id) == 0 &&
			    job->place.flavor->price_micro_usd_hour > 0 && !job->is_canceled &&
			    !job->is_over && !id_table_find(&purse->billing->running, e->id))
				id_list_add(&purse->doomed, e->id);
		}
	}
}

/* A few per turn, the running ones first: there may be a hundred thousand that wait. */
static bool purse_stop_some(struct purse *purse)
{
	for (int i = 0; i < STOPS_PER_TURN && purse->n_stopped < purse->doomed.count; i++) {
		char id[ID_SIZE];

		memcpy(id, purse->doomed.ids[purse->n_stopped++], ID_SIZE);
		job_cancel(purse->billing->jobs, id, "NO_CREDITS", purse->sentence);
	}
	if (purse->n_stopped < purse->doomed.count)
		return true;
	purse_spare(purse);
	return false;
}

static void purse_explain(struct purse *purse, const struct purse_left *left)
{
	char limit[QUANTITY_TEXT_SIZE];

	if (left->budget <= 0)
		snprintf(purse->sentence, sizeof(purse->sentence),
		         "Stopped: the monthly budget of %s is used up",
		         quantity_format_usd(left->monthly, limit));
	else
		snprintf(purse->sentence, sizeof(purse->sentence), "Stopped: no credits are left");
}

const char *billing_refuse_start(struct billing *billing, const char *namespace_id,
                                 const struct flavor *flavor)
{
	struct purse *purse;
	struct purse_left left;

	if (!billing || flavor->price_micro_usd_hour == 0)
		return NULL;
	purse = purse_get(billing, namespace_id);
	purse_look(purse, clock_now_ms(), &left);
	if (left.budget > 0 && left.credits > 0)
		return NULL;
	purse_explain(purse, &left);
	return purse->sentence;
}

static void purse_exhausted(struct purse *purse, const struct purse_left *left)
{
	purse_tell(purse, left, true);
	if (!purse->billing->jobs)
		return;
	purse_explain(purse, left);
	if (purse->doomed.count == 0)
		purse_doom(purse);
	if (purse->doomed.count > 0 && purse_stop_some(purse))
		purse_soon(purse);
}

/* Milliseconds until running attempts will have cost so much more; rounded up. */
static int64_t purse_time_to(const struct purse *purse, int64_t amount)
{
	__int128 rate = 0, ms;

	for (const struct running_attempt *r = purse->first; r; r = r->next)
		rate += r->price_hour;
	if (rate <= 0)
		return LOOK_AGAIN_MS;
	ms = ((__int128)amount * MS_PER_HOUR + rate - 1) / rate;
	return ms < LOOK_AGAIN_MS ? (int64_t)ms : LOOK_AGAIN_MS;
}

static int64_t purse_next_ms(const struct purse *purse, const struct purse_left *left,
                             int64_t now_ms)
{
	int64_t next_ms = purse_time_to(purse, sooner(left->budget, left->credits));
	int64_t month = purse_month(purse);

	if (purse->budget.warned_month != month && left->monthly >= 0)
		next_ms = sooner(next_ms, purse_time_to(purse, (int64_t)((__int128)left->monthly *
		                                                         WARNED_PERCENT / 100) -
		                                                       left->spent));
	if (purse->budget.warned_month != month && left->has_credits)
		next_ms = sooner(
		        next_ms,
		        purse_time_to(purse,
		                      left->balance - (int64_t)((__int128)purse->credits.granted *
		                                                (100 - WARNED_PERCENT) / 100)));
	next_ms = sooner(next_ms, purse->month_end_ms - now_ms);
	if (purse->credits.expiry_ms > 0)
		next_ms = sooner(next_ms, purse->credits.expiry_ms - now_ms);
	return next_ms > 0 ? next_ms : 1;
}

void purse_due(void *arg)
{
	struct purse *purse = arg;
	struct purse_left left;
	int64_t now_ms = clock_now_ms();

	purse_look(purse, now_ms, &left);
	if (left.budget <= 0 || left.credits <= 0) {
		purse_exhausted(purse, &left);
		return;
	}
	purse_spare(purse); /* somebody has given more meanwhile */
	if (purse_is_low(purse, &left))
		purse_tell(purse, &left, false);
	if (purse->first && (left.budget < INT64_MAX || left.credits < INT64_MAX))
		loop_timer_start(purse->timer, purse_next_ms(purse, &left, now_ms), 0);
}
