/* SPDX-License-Identifier: Apache-2.0 */
/* New labels for a job that is there already. Reserved ones have effects: all of them are checked
 * before anything is changed, so that an error means that nothing was. */
#include "job/active.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "job/array.h"
#include "job/dependency.h"
#include "job/extend.h"
#include "job/queue.h"
#include "job/wishes.h"

#include <string.h>

struct relabel {
	struct job_service *service;
	const struct job_record *job;
	const struct account *caller;
	const json_t *labels; /* all that the job will have */
	struct job_wishes wishes;
};

static bool relabel_changes(const struct relabel *relabel, const char *label)
{
	const json_t *now = json_object_get(relabel->labels, label);
	const json_t *before = json_object_get(relabel->job->labels, label);

	return now ? !json_equal(now, before) : before != NULL;
}

static bool relabel_is_waiting(const struct relabel *relabel)
{
	const struct active_job *active = active_find(relabel->service, relabel->job->id);

	return active && active->place.is_queued && !stage_is_terminal(relabel->job->stage);
}

static int relabel_check_fixed(const struct relabel *relabel, struct error *err)
{
	static const char *const fixed[] = {"hearth.array", "hearth.array-retry"};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (relabel_changes(relabel, fixed[i]))
			return fail(err, E_INVALID,
			            "labels.%s cannot change: the jobs of an array are made when "
			            "it is submitted; submit another one",
			            fixed[i]);
	return job_wishes_check_user(relabel->job->labels, relabel->labels, err);
}

static int relabel_check_over(const struct relabel *relabel, struct error *err)
{
	static const char *const needs_life[] = {
	        "hearth.priority",       "hearth.hold",      "hearth.after",
	        "hearth.timeout",        "hearth.attempts",  "hearth.retry",
	        "hearth.retry-delay",    "hearth.array-max", "hearth.warning",
	        "hearth.warning-signal", "hearth.grace",     "hearth.idle"};

	if (!stage_is_terminal(relabel->job->stage))
		return 0;
	for (size_t i = 0; i < sizeof(needs_life) / sizeof(*needs_life); i++)
		if (relabel_changes(relabel, needs_life[i]))
			return fail(err, E_CONFLICT, "labels.%s cannot change: job %s is over",
			            needs_life[i], relabel->job->id);
	return 0;
}

/* What they were before is kept nowhere. */
static int relabel_check_taken_back(const struct relabel *relabel, struct error *err)
{
	static const struct {
		const char *label, *right;
	} rows[] = {{"hearth.timeout", "the time limit that the job shall have, such as 8h"},
	            {"hearth.attempts", "how many attempts it shall have, 1 for no other"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (relabel_changes(relabel, rows[i].label) &&
		    !json_get_text(relabel->labels, rows[i].label, "")[0])
			return fail(err, E_INVALID, "labels.%s cannot be taken back; write %s",
			            rows[i].label, rows[i].right);
	return 0;
}

static int relabel_check_hold(const struct relabel *relabel, struct error *err)
{
	if (!relabel_changes(relabel, "hearth.hold"))
		return 0;
	if (relabel->wishes.is_held && !relabel_is_waiting(relabel))
		return fail(err, E_CONFLICT,
		            "labels.hearth.hold: job %s does not wait any more; only a job that "
		            "waits can be held",
		            relabel->job->id);
	if (!relabel->wishes.is_held && relabel->job->hold == HOLD_ADMIN)
		return fail(err, E_FORBIDDEN,
		            "labels.hearth.hold: job %s is held by an admin of this server, who "
		            "alone can release it",
		            relabel->job->id);
	return 0;
}

static int relabel_check_after(const struct relabel *relabel, struct error *err)
{
	if (!relabel_changes(relabel, "hearth.after"))
		return 0;
	if (relabel->job->stage != STAGE_SCHEDULING || !relabel_is_waiting(relabel))
		return fail(err, E_CONFLICT,
		            "labels.hearth.after cannot change: job %s has started already",
		            relabel->job->id);
	return dependency_check(relabel->service, relabel->job->id, relabel->caller,
	                        &relabel->wishes, err);
}

static int relabel_check(struct relabel *relabel, struct error *err)
{
	const struct job_record *job = relabel->job;

	if (relabel_check_fixed(relabel, err) < 0 || relabel_check_over(relabel, err) < 0 ||
	    relabel_check_taken_back(relabel, err) < 0 || relabel_check_hold(relabel, err) < 0 ||
	    relabel_check_after(relabel, err) < 0)
		return -1;
	if (!relabel_changes(relabel, "hearth.priority"))
		return 0;
	return queue_check_priority(relabel->service, job->namespace_id, relabel->caller->id,
	                            job->group_id, &relabel->wishes.priority, err);
}

static void relabel_write(struct job_service *service, const char *id, const json_t *labels)
{
	autojson json_t *data = json_pack("{s:O}", "labels", labels);
	autofree char *text = json_to_text(data);
	int64_t now_ms = clock_now_ms();

	jobs_set_labels(service->db, id, labels, now_ms);
	(void)events_insert(service->db, id, "labels", text, now_ms);
	service_touch(service, id);
}

/* Checked before: what fails now was changed by a neighbouring effect, and is as it should be. */
static void relabel_apply(const struct relabel *relabel)
{
	struct job_service *service = relabel->service;
	const struct job_wishes *wishes = &relabel->wishes;
	const char *id = relabel->job->id;
	struct error ignored = ERROR_INIT;

	relabel_write(service, id, relabel->labels);
	if (relabel_changes(relabel, "hearth.priority"))
		(void)queue_set_priority(service, id, wishes->priority, &ignored);
	if (relabel_changes(relabel, "hearth.after"))
		dependency_replace(service, id, wishes);
	if (relabel_changes(relabel, "hearth.array-max"))
		array_set_max(service, id, wishes->array_max);
	if (relabel_changes(relabel, "hearth.attempts") && wishes->attempts)
		jobs_set_attempts(service->db, id, wishes->attempts);
	if (!relabel_changes(relabel, "hearth.hold"))
		return;
	if (wishes->is_held)
		(void)queue_hold(service, id, false, &ignored);
	else
		(void)queue_release(service, id, false, &ignored);
}

int job_relabel(struct job_service *service, const struct job_record *job, const json_t *labels,
                const struct account *caller, struct error *err)
{
	autojson json_t *merged = job_wishes_merge(job->labels, labels);
	struct relabel relabel = {
	        .service = service, .job = job, .caller = caller, .labels = merged};

	if (job_wishes_parse(service->configuration, merged, &relabel.wishes, err) < 0 ||
	    relabel_check(&relabel, err) < 0)
		return -1;
	if (relabel_changes(&relabel, "hearth.timeout") && relabel.wishes.timeout_s &&
	    job_set_timeout(service, job->id, relabel.wishes.timeout_s, err) < 0)
		return error_prefix(err, "labels.hearth.timeout");
	relabel_apply(&relabel);
	return 0;
}
