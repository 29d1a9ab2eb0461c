/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing the time limit of a job. The row says what counts; the monitor, the scheduler's promises
 * and the webhook "timeout-soon" follow it. A monitor that could not be told, because hearthd ended
 * between the commit and the telling, is told when it is found again (backend/local.c).
 */
#include "job/extend.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/quantity.h"
#include "job/active.h"
#include "job/array.h"
#include "job/attempt.h"
#include "job/flavor_catalogue.h"
#include "job/webhook_service.h"

static int extend_check_range(const struct job_service *service, const struct job_record *job,
                              int64_t timeout_s, struct error *err)
{
	const struct flavor *flavor = configuration_flavor(service->configuration, job->flavor);
	int64_t max_s = flavor ? flavor_max_timeout_s(service->configuration, flavor)
	                       : service->configuration->max_timeout_s;
	bool is_flavors = max_s < service->configuration->max_timeout_s;
	char max[QUANTITY_TEXT_SIZE], wanted[QUANTITY_TEXT_SIZE];

	if (timeout_s < 1)
		return fail(err, E_INVALID, "the time limit must be at least one second");
	if (timeout_s <= max_s)
		return 0;
	return fail(err, E_INVALID,
	            "the time limit would be %s, and %s (%lld seconds) is the longest %s%s",
	            quantity_format_duration(timeout_s, wanted),
	            quantity_format_duration(max_s, max), (long long)max_s,
	            is_flavors ? "for flavor " : "on this server", is_flavors ? job->flavor : "");
}

/* A limit that has been reached is not moved any more: the job hears of its end already. */
static int extend_check_time(const struct active_job *active, const struct job_record *job,
                             int64_t timeout_s, struct error *err)
{
	int64_t running_us = active && active->is_live ? attempt_running_us(active) : -1;
	char limit[QUANTITY_TEXT_SIZE], running[QUANTITY_TEXT_SIZE];

	if (running_us < 0)
		return 0;
	if (running_us >= job->timeout_s * INT64_C(1000000))
		return fail(
		        err, E_CONFLICT,
		        "The job has reached its time limit of %s and is being ended: it is too "
		        "late to change it",
		        quantity_format_duration(job->timeout_s, limit));
	if (running_us >= timeout_s * INT64_C(1000000))
		return fail(
		        err, E_CONFLICT,
		        "The job has been running for %s: a time limit of %s has passed already; "
		        "cancel the job to end it now",
		        quantity_format_duration(running_us / 1000000, running),
		        quantity_format_duration(timeout_s, limit));
	return 0;
}

static void extend_tell(struct job_service *service, struct active_job *active,
                        struct job_record *job, int64_t more_s)
{
	active->place.limit_ms += more_s * 1000;
	scheduler_change(service->scheduler, &active->place);
	service_schedule(service);
	if (!active->is_live)
		return;
	if (active->attempt_started_ms)
		webhook_service_attempt_started(service->webhooks, job, active->attempt_started_ms);
	/* One that is chosen, but not started yet, reads the row when it is. */
	if (!active->is_chosen)
		id_list_add(&service->extended, job->id);
}

int job_set_timeout(struct job_service *service, const char *job_id, int64_t timeout_s,
                    struct error *err)
{
	struct active_job *active = active_find(service, job_id);
	struct job_record job autojob = {0};
	int64_t now_ms = clock_now_ms(), more_s;

	if (!jobs_find(service->db, job_id, &job))
		return fail(err, E_NOT_FOUND, "Job not found");
	if (stage_is_terminal(job.stage))
		return fail(err, E_CONFLICT,
		            "The job is over (%s): its time limit cannot be changed any more",
		            stage_name(job.stage));
	if (extend_check_range(service, &job, timeout_s, err) < 0 ||
	    extend_check_time(active, &job, timeout_s, err) < 0)
		return -1;
	more_s = timeout_s - job.timeout_s;
	if (more_s == 0)
		return 0;
	autojson json_t *data = json_pack("{s:I}", "timeoutSeconds", (json_int_t)timeout_s);
	autofree char *text = json_to_text(data);

	job.timeout_s = timeout_s;
	jobs_set_timeout(service->db, job_id, timeout_s, now_ms);
	(void)events_insert(service->db, job_id, "timeout", text, now_ms);
	service_touch(service, job_id);
	if (active)
		extend_tell(service, active, &job, more_s);
	array_setting_changed(service, job_id, ARRAY_TELL_TIMEOUT);
	return 0;
}

bool job_find_time_limit(struct job_service *service, const struct job_record *job,
                         struct job_time_limit *ret)
{
	const struct active_job *active = active_find(service, job->id);
	int64_t running_us = active && active->is_live ? attempt_running_us(active) : -1;

	*ret = (struct job_time_limit){0};
	if (stage_is_terminal(job->stage))
		return false;
	ret->was_changed = events_exist(service->db, job->id, "timeout");
	if (running_us < 0)
		return true;
	int64_t left_ms = job->timeout_s * 1000 - running_us / 1000;

	ret->is_running = true;
	ret->ends_ms = clock_now_ms() + left_ms;
	ret->left_s = left_ms > 0 ? left_ms / 1000 : 0;
	return true;
}
