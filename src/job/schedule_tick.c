/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of ticks. A tick that is looked at within a few seconds is in time. Of those that
 * are older (hearthd was down, stopped, or the clock jumped) the catch-up policy picks the latest
 * ones; the others are missed. Every tick gets its row in the turn in which it is looked at.
 */
#include "job/schedule_private.h"

#include "base/clock.h"
#include "job/webhook_service.h"

#include <stdio.h>

#define IN_TIME_MS 5000
#define ENUMERATE_MAX 20000 /* ticks of one schedule that one look goes through */
#define TRIM_EVERY 64

#define LATE_REASON "hearthd was not running, or was stopped, when it was due"

struct backlog {
	int64_t first, last;            /* ms */
	int64_t count;                  /* of all */
	int64_t dropped, dropped_until; /* of them, those that have left the ring */
	bool is_cut;                    /* more is due */
};

static void tick_write(struct schedule *schedule, int64_t due_ms, int64_t now_ms,
                       enum tick_outcome outcome, const char *job_id, const char *reason)
{
	ticks_insert(schedule->service->db, schedule->seq,
	             &(struct tick){.due_ms = due_ms,
	                            .decided_ms = now_ms,
	                            .outcome = outcome,
	                            .job_id = job_id,
	                            .reason = reason,
	                            .count = 1,
	                            .until_ms = due_ms});
}

/* One row for `count` ticks in a row. After a clock was set back, some of them may have a job and
 * so a row already; those stay as they are. */
static void tick_write_missed(struct schedule *schedule, int64_t first_ms, int64_t until_ms,
                              int64_t count, int64_t now_ms)
{
	struct database *db = schedule->service->db;

	count -= ticks_count_between(db, schedule->seq, first_ms, until_ms);
	if (count <= 0)
		return;
	while (ticks_exist(db, schedule->seq, first_ms))
		first_ms = cron_next(&schedule->cron, first_ms / 1000) * 1000;
	ticks_insert(db, schedule->seq,
	             &(struct tick){.due_ms = first_ms,
	                            .decided_ms = now_ms,
	                            .outcome = TICK_MISSED,
	                            .reason = LATE_REASON,
	                            .count = count,
	                            .until_ms = until_ms});
	schedule->service->counts.missed_total += count;
}

/* All that is due, the latest BACKLOG_MAX of it in the ring; next_ms moves on. */
static struct backlog tick_enumerate(struct schedule *schedule, int64_t now_ms)
{
	struct backlog backlog = {.first = schedule->next_ms};
	int64_t *ring = schedule->service->backlog;
	int64_t at_s = schedule->next_ms / 1000, now_s = now_ms / 1000;

	while (at_s <= now_s && backlog.count < ENUMERATE_MAX) {
		int64_t *slot = &ring[backlog.count % BACKLOG_MAX];

		if (backlog.count >= BACKLOG_MAX) {
			backlog.dropped++;
			backlog.dropped_until = *slot;
		}
		*slot = backlog.last = at_s * 1000;
		backlog.count++;
		at_s = cron_next(&schedule->cron, at_s);
	}
	schedule->next_ms = at_s == CRON_NEVER ? SCHEDULE_NEVER : at_s * 1000;
	backlog.is_cut = at_s <= now_s;
	return backlog;
}

static void tick_notice_missed(struct schedule *schedule, int64_t count, int64_t from_ms,
                               int64_t until_ms)
{
	struct schedule_service *service = schedule->service;
	autoschedule struct schedule_record record = {0};
	char from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
	json_t *extra;

	if (!service->webhooks || !schedules_find(service->db, schedule->entry.id, &record))
		return;
	extra = json_pack("{s:{s:s, s:s, s:O}, s:{s:I, s:s, s:s}}", "schedule", "id", record.id,
	                  "schedule", record.expression, "labels", record.labels, "missed", "count",
	                  (json_int_t)count, "from", clock_format_iso(from_ms, from), "until",
	                  clock_format_iso(until_ms, until));
	webhook_service_notice(service->webhooks, "schedule-missed", record.namespace_id, NULL,
	                       extra);
	json_decref(extra);
}

static void tick_start(struct schedule *schedule, int64_t due_ms, int64_t now_ms,
                       enum tick_outcome outcome)
{
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];

	if (schedule_start_job(schedule, now_ms, job_id, &err) < 0) {
		tick_write(schedule, due_ms, now_ms, TICK_FAILED, NULL, err.text);
		schedule_note_failure(schedule, now_ms, &err);
		return;
	}
	tick_write(schedule, due_ms, now_ms, outcome, job_id, NULL);
	schedule->failures = 0;
	schedule->service->counts.ran_total++;
}

static void tick_cancel_live(struct schedule *schedule)
{
	for (size_t i = 0; i < schedule->live.count; i++)
		job_cancel(schedule->service->jobs, schedule->live.ids[i], NULL,
		           "Replaced by the next run of its schedule");
}

static void tick_let_wait(struct schedule *schedule, int64_t due_ms, int64_t now_ms)
{
	tick_write(schedule, due_ms, now_ms, TICK_WAITING, NULL,
	           "the job before it has not ended yet");
	schedule->has_waiting = true;
	schedule_wait(schedule);
}

static void tick_overlap(struct schedule *schedule, int64_t due_ms, int64_t now_ms,
                         enum tick_outcome outcome)
{
	bool waits = schedule->policy.overlap == OVERLAP_QUEUE && !schedule->has_waiting;
	char reason[128];

	if (schedule->policy.overlap == OVERLAP_REPLACE) {
		tick_cancel_live(schedule);
		schedule_drop_waiting(schedule, now_ms, "a newer tick came while it waited");
		waits = true;
	}
	/* Who wants all of them wants them one after the other. */
	if (outcome == TICK_CAUGHT_UP && schedule->policy.is_catch_up_late)
		waits = true;
	if (waits) {
		tick_let_wait(schedule, due_ms, now_ms);
		return;
	}
	if (schedule->live.count)
		snprintf(reason, sizeof(reason), "job %s was still running",
		         schedule->live.ids[schedule->live.count - 1]);
	else
		snprintf(reason, sizeof(reason), "another tick was still waiting for its job");
	tick_write(schedule, due_ms, now_ms, TICK_SKIPPED, NULL, reason);
	schedule->service->counts.skipped_total++;
}

static void tick_run(struct schedule *schedule, int64_t due_ms, int64_t now_ms,
                     enum tick_outcome outcome)
{
	if (ticks_exist(schedule->service->db, schedule->seq, due_ms))
		return; /* the clock was set back, and its job had been started before */
	if (schedule->policy.overlap != OVERLAP_ALLOW &&
	    (schedule_is_busy(schedule) || schedule->has_waiting))
		tick_overlap(schedule, due_ms, now_ms, outcome);
	else
		tick_start(schedule, due_ms, now_ms, outcome);
}

/* How many of the latest ticks get a job: those that are in time, and as many others as the
 * schedule makes up for. */
static int64_t tick_count_runs(const struct schedule *schedule, const struct backlog *backlog,
                               int64_t now_ms)
{
	int64_t age_ms = schedule->service->configuration->schedule_catch_up_age_s * 1000;
	int64_t kept = backlog->count - backlog->dropped;
	int64_t runs;

	for (runs = 0; runs < kept; runs++) {
		int64_t at = schedule->service->backlog[(backlog->count - 1 - runs) % BACKLOG_MAX];
		int64_t late_ms = now_ms - at;

		if (late_ms > IN_TIME_MS &&
		    (runs >= schedule->policy.catch_up_max || late_ms > age_ms))
			break;
	}
	return runs;
}

static void tick_decide(struct schedule *schedule, const struct backlog *backlog, int64_t now_ms)
{
	int64_t runs = backlog->is_cut ? 0 : tick_count_runs(schedule, backlog, now_ms);
	int64_t missed = backlog->count - runs;

	if (backlog->is_cut)
		tick_write_missed(schedule, backlog->first, backlog->last, backlog->count, now_ms);
	else if (backlog->dropped)
		tick_write_missed(schedule, backlog->first, backlog->dropped_until,
		                  backlog->dropped, now_ms);
	for (int64_t i = backlog->dropped; i < backlog->count && !backlog->is_cut; i++) {
		int64_t due_ms = schedule->service->backlog[i % BACKLOG_MAX];

		if (i < missed)
			tick_write_missed(schedule, due_ms, due_ms, 1, now_ms);
		else
			tick_run(schedule, due_ms, now_ms,
			         now_ms - due_ms <= IN_TIME_MS ? TICK_RAN : TICK_CAUGHT_UP);
	}
	if (missed)
		tick_notice_missed(schedule, missed, backlog->first, backlog->last);
}

/* At one tick of TRIM_EVERY: by a hash, since ticks often have the same remainder by any number. */
static bool tick_is_time_to_trim(const struct schedule *schedule, int64_t due_ms)
{
	uint64_t mixed = ((uint64_t)due_ms / 1000 + (uint64_t)schedule->seq) * 0x9e3779b97f4a7c15u;

	return (mixed >> 32) % TRIM_EVERY == 0;
}

void schedule_tick(struct schedule *schedule, int64_t now_ms)
{
	struct schedule_service *service = schedule->service;
	struct backlog backlog = tick_enumerate(schedule, now_ms);

	schedule->considered_ms = backlog.last;
	tick_decide(schedule, &backlog, now_ms);
	if (schedule->is_suspended)
		return; /* the job could not be started, and will not be */
	schedules_set_considered(service->db, schedule->seq, schedule->considered_ms,
	                         schedule->failures);
	if (tick_is_time_to_trim(schedule, backlog.last))
		ticks_trim(service->db, schedule->seq,
		           now_ms - service->configuration->schedule_history_s * 1000,
		           service->configuration->schedule_history_rows);
	if (schedule->next_ms == SCHEDULE_NEVER)
		schedule_suspend_because(schedule, now_ms, "Its last time has come and gone");
	else
		heap_update(service, schedule);
}

void schedule_take_back(struct schedule *schedule, int64_t now_ms)
{
	if (schedule->considered_ms > now_ms) {
		ticks_take_back(schedule->service->db, schedule->seq, now_ms);
		schedule->considered_ms = now_ms;
		schedules_set_considered(schedule->service->db, schedule->seq, now_ms,
		                         schedule->failures);
	}
	schedule_plan(schedule);
}
