/* SPDX-License-Identifier: Apache-2.0 */
/* What users do with schedules: create, delete, suspend, resume, change, trigger. */
#include "job/schedule_private.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/queue.h"
#include "job/wishes.h"

#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX ((size_t)8 * 1024 * 1024)
#define BUSY_SENTENCE                                                                              \
	"Another job is already running at the same time, set `concurrency` to allow multiple "    \
	"instances of scheduled jobs to run concurrently"

/* The expression in normal form; what is too often or over is refused. */
static int change_read_expression(const struct schedule_service *service, const char *text,
                                  char ret[CRON_TEXT_MAX + 2], struct error *err)
{
	int64_t shortest_s = service->configuration->schedule_min_interval_s;
	struct cron cron;

	if (cron_parse(text, &cron, err) < 0)
		return -1;
	if (cron_shortest_gap_s(&cron) < shortest_s)
		return fail(
		        err, E_INVALID,
		        "Invalid schedule: it comes every %d s at times, and this server starts a "
		        "schedule at most every %lld s (setting schedules.min_interval)",
		        cron_shortest_gap_s(&cron), (long long)shortest_s);
	if (cron_next(&cron, schedule_service_now_ms(service) / 1000) == CRON_NEVER)
		return fail(err, E_INVALID, "Invalid schedule: its last time is in the past");
	cron_normalize(text, ret);
	return 0;
}

static int change_check_count(const struct schedule_service *service, const struct account *owner,
                              struct error *err)
{
	int64_t max = service->configuration->schedules_max;

	/* Counting takes a while where there are many. */
	if ((int64_t)service->table.count < max || schedules_count(service->db, owner->id) < max)
		return 0;
	return fail(err, E_BUSY,
	            "%s has %lld schedules, and that is the most that this server keeps for one "
	            "namespace (setting schedules.max); delete some first",
	            owner->name, (long long)max);
}

/* Borrows from the request what it does not copy. */
static void change_fill(const struct schedule_request *request, int64_t now_ms,
                        struct schedule_record *ret)
{
	const struct job_spec *spec = request->spec;

	*ret = (struct schedule_record){
	        .created_ms = now_ms,
	        .updated_ms = now_ms,
	        .considered_ms = now_ms,
	        .is_suspended = request->suspend,
	        .concurrency = request->concurrency,
	        .flavor = xstrdup(spec->flavor),
	        .timeout_s = spec->timeout_s,
	        .attempts = spec->attempts,
	        .spec = json_incref(spec->body),
	        .labels = json_incref(spec->labels),
	        .initiator = json_incref(request->initiator),
	};
	id_new(ret->id);
	memcpy(ret->namespace_id, request->owner->id, ID_SIZE);
	memcpy(ret->created_by_id, request->creator->id, ID_SIZE);
}

static void change_remember(struct schedule_service *service, const char *id)
{
	autoschedule struct schedule_record record = {0};
	struct error err = ERROR_INIT;
	struct schedule_brief brief;

	if (!schedules_find(service->db, id, &record))
		BUG("schedule %s is gone in the turn that made it", id);
	brief = (struct schedule_brief){
	        .seq = record.seq,
	        .expression = record.expression,
	        .catch_up = record.catch_up,
	        .overlap = record.overlap,
	        .concurrency = record.concurrency,
	        .is_suspended = record.is_suspended,
	        .considered_ms = record.considered_ms,
	};
	memcpy(brief.id, id, ID_SIZE);
	if (!schedule_add(service, &brief, &err))
		BUG("schedule %s was accepted, and then not: %s", id, err.text);
	schedule_service_arm(service);
}

int schedule_create(struct schedule_service *service, const struct schedule_request *request,
                    char ret_id[ID_SIZE], struct error *err)
{
	autobuffer struct buffer sealed = BUFFER_INIT(SECRETS_MAX);
	autoschedule struct schedule_record record = {0};
	char expression[CRON_TEXT_MAX + 2];
	const char *catch_up, *overlap;

	if (queue_check_job(service->jobs, request->owner, request->creator, request->spec->flavor,
	                    request->spec->body, request->spec->labels, err) < 0)
		return error_prefix(err, "jobSpec");
	if (change_read_expression(service, request->expression, expression, err) < 0 ||
	    schedule_policy_read(request->spec->labels, &catch_up, &overlap, err) < 0 ||
	    change_check_count(service, request->owner, err) < 0)
		return -1;
	change_fill(request, schedule_service_now_ms(service), &record);
	record.expression = xstrdup(expression);
	record.catch_up = xstrdup(catch_up);
	record.overlap = xstrdup(overlap);
	if (json_object_size(request->spec->secrets) > 0)
		seal_object(service->key, request->spec->secrets, &sealed);
	schedules_insert(service->db, &record, sealed.data, sealed.len);
	change_remember(service, record.id);
	memcpy(ret_id, record.id, ID_SIZE);
	return 0;
}

static struct schedule *change_find(struct schedule_service *service,
                                    const struct schedule_record *record)
{
	return id_table_find(&service->table, record->id);
}

void schedule_delete(struct schedule_service *service, const struct schedule_record *record)
{
	struct schedule *schedule = change_find(service, record);

	schedules_remove(service->db, record->seq);
	if (schedule)
		schedule_forget(schedule);
	schedule_service_arm(service);
}

void schedule_suspend(struct schedule_service *service, const struct schedule_record *record)
{
	struct schedule *schedule = change_find(service, record);
	int64_t now_ms = schedule_service_now_ms(service);

	/* Who suspends what the server had suspended takes the decision over, but its reason stays.
	 */
	if (record->is_suspended)
		return;
	schedules_set_suspended(service->db, record->seq, true, NULL, record->considered_ms,
	                        now_ms);
	if (!schedule)
		return;
	schedule->is_suspended = true;
	schedule->failures = 0;
	schedule_drop_waiting(schedule, now_ms, "its schedule was suspended while it waited");
	schedule_plan(schedule);
	schedule_service_arm(service);
}

int schedule_resume(struct schedule_service *service, const struct schedule_record *record,
                    struct error *err)
{
	struct schedule *schedule = change_find(service, record);
	int64_t now_ms = schedule_service_now_ms(service);
	char expression[CRON_TEXT_MAX + 2];

	if (!record->is_suspended)
		return 0;
	if (change_read_expression(service, record->expression, expression, err) < 0) {
		err->code = E_CONFLICT;
		return -1;
	}
	/* What was due meanwhile was not due. */
	schedules_set_suspended(service->db, record->seq, false, NULL, now_ms, now_ms);
	if (!schedule) { /* its zone was missing when this process started */
		change_remember(service, record->id);
		return 0;
	}
	schedule->is_suspended = false;
	schedule->failures = 0;
	schedule->considered_ms = now_ms;
	schedule_plan(schedule);
	schedule_service_arm(service);
	return 0;
}

int schedule_set_expression(struct schedule_service *service, const struct schedule_record *record,
                            const char *text, struct error *err)
{
	struct schedule *schedule = change_find(service, record);
	int64_t now_ms = schedule_service_now_ms(service);
	char expression[CRON_TEXT_MAX + 2];

	if (change_read_expression(service, text, expression, err) < 0)
		return -1;
	schedules_set_expression(service->db, record->seq, expression, now_ms, now_ms);
	if (!schedule) {
		change_remember(service, record->id);
		return 0;
	}
	if (cron_parse(expression, &schedule->cron, err) < 0)
		return -1;
	schedule->considered_ms = now_ms;
	schedule_plan(schedule);
	schedule_service_arm(service);
	return 0;
}

/* What is wrong is said now, and not at each tick. */
static int change_check_labels(struct schedule_service *service,
                               const struct schedule_record *record, const json_t *labels,
                               struct error *err)
{
	struct resource_group group = {0};
	struct job_wishes wishes;
	const char *group_id = json_get_text(record->spec, "resourceGroupId", "");

	if (job_wishes_parse(service->configuration, labels, &wishes, err) < 0 ||
	    job_wishes_check_user(record->labels, labels, err) < 0)
		return -1;
	(void)groups_find(service->db, group_id, &group);
	return queue_check_priority(service->jobs, record->namespace_id, record->created_by_id,
	                            group.id, &wishes.priority, err);
}

int schedule_relabel(struct schedule_service *service, const struct schedule_record *record,
                     const json_t *labels, struct error *err)
{
	struct schedule *schedule = change_find(service, record);
	autojson json_t *merged = job_wishes_merge(record->labels, labels);
	const char *catch_up, *overlap;

	if (schedule_policy_read(merged, &catch_up, &overlap, err) < 0 ||
	    change_check_labels(service, record, merged, err) < 0)
		return -1;
	schedules_set_labels(service->db, record->seq, merged, catch_up, overlap,
	                     schedule_service_now_ms(service));
	if (schedule)
		schedule->policy = schedule_policy_make(service->configuration, catch_up, overlap,
		                                        record->concurrency);
	return 0;
}

/* Whole seconds are for ticks; a run that somebody asked for comes between. */
static int64_t change_manual_ms(const struct schedule_service *service, int64_t seq, int64_t now_ms)
{
	while (now_ms % 1000 == 0 || ticks_exist(service->db, seq, now_ms))
		now_ms++;
	return now_ms;
}

int schedule_trigger(struct schedule_service *service, const struct schedule_record *record,
                     char ret_job_id[ID_SIZE], struct error *err)
{
	struct schedule *schedule = change_find(service, record);
	int64_t now_ms = schedule_service_now_ms(service), due_ms;

	if (!schedule)
		return fail(err, E_CONFLICT, "The schedule %s cannot run: %s", record->id,
		            record->suspend_reason ? record->suspend_reason : "it is broken");
	if (schedule->policy.overlap != OVERLAP_ALLOW &&
	    (schedule_is_busy(schedule) || schedule->has_waiting))
		return fail(err, E_CONFLICT, BUSY_SENTENCE);
	if (schedule_start_job(schedule, now_ms, ret_job_id, err) < 0) {
		/* Neither the caller's right nor the caller's request is what is wrong. */
		if (err->code == E_FORBIDDEN || err->code == E_NOT_FOUND || err->code == E_INVALID)
			err->code = E_CONFLICT;
		return error_prefix(err, "The schedule %s cannot run", record->id);
	}
	due_ms = change_manual_ms(service, record->seq, now_ms);
	ticks_insert(service->db, record->seq,
	             &(struct tick){.due_ms = due_ms,
	                            .decided_ms = now_ms,
	                            .is_manual = true,
	                            .outcome = TICK_TRIGGERED,
	                            .job_id = ret_job_id,
	                            .count = 1,
	                            .until_ms = due_ms});
	return 0;
}
