/* SPDX-License-Identifier: Apache-2.0 */
/* One row per kind of fact; the writers are small and stand where their kin is, or here. */
#include "api/job_extras.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "job/billing.h"
#include "job/extend.h"

/* Adds members to `extras`. */
typedef void extras_fn(struct api *api, const struct job_record *job, json_t *extras);

static void extras_cost(struct api *api, const struct job_record *job, json_t *extras)
{
	struct job_cost cost;

	if (!api->billing)
		return;
	billing_job_cost(api->billing, job, &cost);
	json_object_set_new(extras, "cost",
	                    json_pack("{s:I, s:I, s:I, s:I}", "usedMilliseconds",
	                              (json_int_t)cost.used_ms, "microUsd",
	                              (json_int_t)cost.cost_micro_usd, "estimatedMicroUsd",
	                              (json_int_t)cost.estimate_micro_usd, "microUsdPerHour",
	                              (json_int_t)cost.price_hour_micro_usd));
}

static void extras_time_limit(struct api *api, const struct job_record *job, json_t *extras)
{
	struct job_time_limit limit;
	char text[CLOCK_TEXT_SIZE];
	json_t *value;

	if (!job_find_time_limit(api->jobs, job, &limit) ||
	    (!limit.is_running && !limit.was_changed))
		return;
	value = json_pack("{s:b}", "extended", limit.was_changed);
	if (limit.is_running) {
		json_object_set_new(value, "endsAt",
		                    json_string(clock_format_iso(limit.ends_ms, text)));
		json_object_set_new(value, "secondsLeft", json_integer(limit.left_s));
	}
	json_object_set_new(extras, "timeLimit", value);
}

static extras_fn *const writers[] = {
        extras_time_limit, extras_cost, queue_extras, devices_extras, after_extras, array_extras,
};

json_t *job_extras(struct api *api, const struct job_record *job)
{
	autojson json_t *extras = json_object();

	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		writers[i](api, job, extras);
	return json_object_size(extras) > 0 ? json_incref(extras) : NULL;
}
