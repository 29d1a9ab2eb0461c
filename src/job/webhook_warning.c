/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that come near their time limit: one timer per running attempt. After a restart the timers
 * are made again from the rows; who was told is remembered, so that nobody is told twice. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdio.h>
#include <stdlib.h>

#define LEAD_MAX_MS (5 * 60 * INT64_C(1000))
#define REMEMBERED_MS (7 * 24 * 60 * 60 * INT64_C(1000))
#define RUNNING_MAX 100000

struct warning {
	struct id_entry entry; /* first: the job's id */
	struct webhook_service *service;
	struct loop_timer *timer;
	int64_t end_ms;
};

static void warning_free(struct id_entry *entry)
{
	struct warning *warning = (struct warning *)entry;

	loop_timer_free(warning->timer);
	free(warning);
}

void webhook_warning_forget(struct webhook_service *service, const char *job_id)
{
	struct warning *warning = id_table_find(&service->warnings, job_id);

	if (!warning)
		return;
	id_table_remove(&service->warnings, &warning->entry);
	warning_free(&warning->entry);
}

static void warning_tell(struct webhook_service *service, const struct warning *warning)
{
	struct job_record job autojob = {0};
	char key[64], text[CLOCK_TEXT_SIZE];
	int64_t now_ms = clock_now_ms();

	/* Of each limit once: who extends it may be told again. */
	snprintf(key, sizeof(key), "timeout/%s/%lld", warning->entry.id,
	         (long long)warning->end_ms);
	if (!jobs_find(service->db, warning->entry.id, &job) || job.stage != STAGE_RUNNING ||
	    !webhook_seen_note(service->db, key, now_ms, warning->end_ms + REMEMBERED_MS))
		return;
	autojson json_t *extra =
	        json_pack("{s:s}", "timeoutAt", clock_format_iso(warning->end_ms, text));

	webhook_service_notice(service, "timeout-soon", job.namespace_id, &job, extra);
}

static void warning_due(void *arg)
{
	struct warning *warning = arg;

	warning_tell(warning->service, warning);
	webhook_warning_forget(warning->service, warning->entry.id);
}

void webhook_service_attempt_started(struct webhook_service *service, const struct job_record *job,
                                     int64_t started_ms)
{
	int64_t limit_ms = job->timeout_s * 1000, lead_ms = limit_ms / 10, wait_ms;
	struct warning *warning;

	if (!service || stage_is_terminal(job->stage))
		return;
	webhook_warning_forget(service, job->id);
	warning = xcalloc(1, sizeof(*warning));
	snprintf(warning->entry.id, sizeof(warning->entry.id), "%s", job->id);
	warning->service = service;
	warning->end_ms = started_ms + limit_ms;
	warning->timer = loop_timer_new(service->loop, warning_due, warning);
	id_table_add(&service->warnings, &warning->entry);
	wait_ms =
	        warning->end_ms - (lead_ms < LEAD_MAX_MS ? lead_ms : LEAD_MAX_MS) - clock_now_ms();
	loop_timer_start(warning->timer, wait_ms > 0 ? wait_ms : 1, 0);
}

static void warning_resume(void *arg, struct job_record *job)
{
	struct webhook_service *service = arg;
	struct attempt_record attempt;

	if (attempts_find_last(service->db, job->id, &attempt) && attempt.started_ms &&
	    !attempt.ended_ms)
		webhook_service_attempt_started(service, job, attempt.started_ms);
}

void webhook_warning_start(struct webhook_service *service)
{
	jobs_each(service->db,
	          &(struct jobs_query){.stage_mask = 1u << STAGE_RUNNING, .limit = RUNNING_MAX},
	          warning_resume, service);
}

void webhook_warning_stop(struct webhook_service *service)
{
	id_table_clear(&service->warnings, warning_free);
}
