/* SPDX-License-Identifier: Apache-2.0 */
/* The job of a tick: started with the rights that its creator has now, in the turn of the tick. */
#include "job/schedule_private.h"
#include "job/wishes.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define SECRETS_MAX ((size_t)8 * 1024 * 1024)
#define FAILURES_MAX 5

bool schedule_is_busy(struct schedule *schedule)
{
	struct id_list *live = &schedule->live;
	size_t kept = 0;

	for (size_t i = 0; i < live->count; i++) {
		if (job_is_settled(schedule->service->jobs, live->ids[i]))
			continue;
		if (kept != i)
			memcpy(live->ids[kept], live->ids[i], ID_SIZE);
		kept++;
	}
	live->count = kept;
	return kept > 0;
}

static int run_check_creator(struct schedule_service *service, const struct schedule_record *record,
                             struct account *ret_owner, struct account *ret_creator,
                             struct error *err)
{
	enum account_role role;

	if (!accounts_find_by_id(service->db, record->namespace_id, ret_owner))
		return fail(err, E_FORBIDDEN, "the account %s, which it belongs to, was removed",
		            record->namespace_name);
	if (!accounts_find_by_id(service->db, record->created_by_id, ret_creator))
		return fail(err, E_FORBIDDEN, "the account of %s, who created it, was removed",
		            record->created_by_name);
	role = accounts_role(service->db, ret_creator->id, ret_owner->id);
	if (role < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "%s, who created it, may not start jobs in %s any more: the role there "
		            "is %s, and write is needed",
		            ret_creator->name, ret_owner->name, role_name(role));
	return 0;
}

static int run_unseal(struct schedule_service *service, int64_t seq, json_t **ret,
                      struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);

	schedules_get_secrets(service->db, seq, &sealed);
	return unseal_object(service->key, sealed.data, sealed.len, ret, err);
}

static int run_submit(struct schedule_service *service, const struct schedule_record *record,
                      char ret_job_id[ID_SIZE], struct error *err)
{
	autojson json_t *initiator =
	        json_pack("{s:s, s:s}", "type", "scheduled-job", "id", record->id);
	autojson json_t *labels = job_wishes_copy(record->labels);
	autojson json_t *secrets = NULL;
	struct account owner, creator;
	struct job_spec spec = {
	        .body = record->spec,
	        .labels = labels,
	        .timeout_s = record->timeout_s,
	        .attempts = record->attempts,
	};
	struct job_submission submission = {
	        .spec = &spec, .owner = &owner, .creator = &creator, .initiator = initiator};
	bool existing;

	snprintf(spec.flavor, sizeof(spec.flavor), "%s", record->flavor);
	if (run_check_creator(service, record, &owner, &creator, err) < 0 ||
	    run_unseal(service, record->seq, &secrets, err) < 0)
		return -1;
	spec.secrets = secrets;
	return job_submit(service->jobs, &submission, ret_job_id, &existing, err);
}

int schedule_start_job(struct schedule *schedule, int64_t now_ms, char ret_job_id[ID_SIZE],
                       struct error *err)
{
	struct schedule_service *service = schedule->service;
	autoschedule struct schedule_record record = {0};

	if (!schedules_find(service->db, schedule->entry.id, &record))
		return fail(err, E_NOT_FOUND, "the schedule is gone");
	if (run_submit(service, &record, ret_job_id, err) < 0)
		return -1;
	schedules_set_last_job(service->db, schedule->seq, ret_job_id, now_ms);
	id_list_add(&schedule->live, ret_job_id);
	return 0;
}

void schedule_drop_waiting(struct schedule *schedule, int64_t now_ms, const char *reason)
{
	int64_t due_ms;

	while (schedule->has_waiting &&
	       ticks_find_oldest_waiting(schedule->service->db, schedule->seq, &due_ms))
		ticks_set_outcome(schedule->service->db, schedule->seq,
		                  &(struct tick){.due_ms = due_ms,
		                                 .decided_ms = now_ms,
		                                 .outcome = TICK_SKIPPED,
		                                 .reason = reason});
	schedule->has_waiting = false;
	job_unwatch(schedule->watch);
	schedule->watch = NULL;
}

void schedule_suspend_because(struct schedule *schedule, int64_t now_ms, const char *reason)
{
	log_warning("schedule %s is suspended: %s", schedule->entry.id, reason);
	schedule->is_suspended = true;
	schedule->failures = 0;
	schedule_drop_waiting(schedule, now_ms, "its schedule was suspended while it waited");
	schedules_set_suspended(schedule->service->db, schedule->seq, true, reason,
	                        schedule->considered_ms, now_ms);
	schedule_plan(schedule);
}

void schedule_note_failure(struct schedule *schedule, int64_t now_ms, const struct error *err)
{
	char reason[ERROR_TEXT_SIZE + 64];

	schedule->service->counts.failed_total++;
	if (err->code == E_FORBIDDEN) {
		snprintf(reason, sizeof(reason), "Suspended by the server: %s", err->text);
		schedule_suspend_because(schedule, now_ms, reason);
		return;
	}
	/* A full queue or disk and an empty purse pass; they say nothing about the schedule. */
	if (err->code == E_BUSY || err->code == E_UNAVAILABLE || err->code == E_PAYMENT ||
	    ++schedule->failures < FAILURES_MAX)
		return;
	snprintf(reason, sizeof(reason), "Suspended by the server: %d starts in a row failed: %s",
	         FAILURES_MAX, err->text);
	schedule_suspend_because(schedule, now_ms, reason);
}

static void run_on_change(void *arg)
{
	struct schedule *schedule = arg;

	if (schedule_is_busy(schedule) || schedule->is_ready)
		return;
	schedule->is_ready = true;
	id_list_add(&schedule->service->ready, schedule->entry.id);
	schedule_service_soon(schedule->service);
}

void schedule_wait(struct schedule *schedule)
{
	job_unwatch(schedule->watch);
	schedule->watch = NULL;
	if (schedule_is_busy(schedule))
		schedule->watch = job_watch(schedule->service->jobs, schedule->live.ids[0],
		                            run_on_change, schedule);
	else
		run_on_change(schedule);
}

void schedule_run_waiting(struct schedule *schedule, int64_t now_ms)
{
	struct schedule_service *service = schedule->service;
	struct error err = ERROR_INIT;
	struct tick tick = {.decided_ms = now_ms, .outcome = TICK_RAN};
	char job_id[ID_SIZE];

	if (schedule_is_busy(schedule)) {
		schedule_wait(schedule);
		return;
	}
	if (!ticks_find_oldest_waiting(service->db, schedule->seq, &tick.due_ms)) {
		schedule->has_waiting = false;
		return;
	}
	if (schedule_start_job(schedule, now_ms, job_id, &err) < 0) {
		tick.outcome = TICK_FAILED;
		tick.reason = err.text;
	} else {
		tick.job_id = job_id;
		service->counts.ran_total++;
	}
	ticks_set_outcome(service->db, schedule->seq, &tick);
	if (!tick.job_id)
		schedule_note_failure(schedule, now_ms, &err);
	schedule->has_waiting = ticks_find_oldest_waiting(service->db, schedule->seq, &tick.due_ms);
	if (schedule->has_waiting)
		schedule_wait(schedule);
}
