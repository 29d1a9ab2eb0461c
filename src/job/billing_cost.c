/* SPDX-License-Identifier: Apache-2.0 */
/* What one job costs: its attempts so far; of an array, those of its elements. */
#include "job/billing_private.h"

#include "job/array.h"

#include <string.h>

struct cost_walk {
	struct billing *billing;
	struct job_cost *ret;
	int64_t ended_cost;
	int64_t n_to_come; /* jobs that may run to their time limit */
};

static void cost_add(void *arg, const struct usage_record *record)
{
	struct cost_walk *walk = arg;
	const struct running_attempt *running =
	        id_table_find(&walk->billing->running, record->job_id);

	walk->ret->price_hour_micro_usd = record->price_hour_micro_usd;
	if (record->ended_ms) {
		walk->ret->used_ms += record->used_ms;
		walk->ret->cost_micro_usd += record->cost_micro_usd;
		walk->ended_cost += record->cost_micro_usd;
	} else if (running) {
		int64_t used_ms = running_used_ms(running);

		walk->ret->used_ms += used_ms;
		walk->ret->cost_micro_usd += ledger_cost(used_ms, record->price_hour_micro_usd);
	}
}

/* Of an array, which never runs itself. */
static void cost_add_elements(struct cost_walk *walk, const struct job_record *array)
{
	struct billing *billing = walk->billing;
	struct usage_sum sum;
	struct array_view view;
	char of[ID_SIZE];
	int number;

	usage_of_array(billing->db, array->id, &sum);
	walk->ret->used_ms += sum.used_ms;
	walk->ret->cost_micro_usd += sum.cost_micro_usd;
	walk->ended_cost += sum.cost_micro_usd;
	for (const struct running_attempt *r = purse_get(billing, array->namespace_id)->first; r;
	     r = r->next) {
		int64_t used_ms = running_used_ms(r);

		if (!elements_find_array(billing->db, r->entry.id, of, &number) ||
		    strcmp(of, array->id) != 0)
			continue;
		walk->ret->used_ms += used_ms;
		walk->ret->cost_micro_usd += ledger_cost(used_ms, r->price_hour);
	}
	if (billing->jobs && array_view(billing->jobs, array->id, &view))
		walk->n_to_come = view.counts[STAGE_SCHEDULING] + view.counts[STAGE_RUNNING];
}

void billing_job_cost(struct billing *billing, const struct job_record *job, struct job_cost *ret)
{
	struct cost_walk walk = {.billing = billing, .ret = ret, .n_to_come = 1};
	const struct flavor *flavor;
	int64_t most;

	*ret = (struct job_cost){0};
	if (!billing)
		return;
	flavor = configuration_flavor(billing->configuration, job->flavor);
	if (flavor)
		ret->price_hour_micro_usd = flavor->price_micro_usd_hour;
	if (arrays_exist(billing->db, job->id))
		cost_add_elements(&walk, job);
	else
		usage_each_of_job(billing->db, job->id, cost_add, &walk);
	ret->estimate_micro_usd = ret->cost_micro_usd;
	most = ledger_cost(job->timeout_s * 1000, ret->price_hour_micro_usd);
	if (!stage_is_terminal(job->stage) &&
	    (__builtin_mul_overflow(most, walk.n_to_come, &most) ||
	     __builtin_add_overflow(most, walk.ended_cost, &ret->estimate_micro_usd)))
		ret->estimate_micro_usd = INT64_MAX;
	if (ret->estimate_micro_usd < ret->cost_micro_usd)
		ret->estimate_micro_usd = ret->cost_micro_usd;
}
