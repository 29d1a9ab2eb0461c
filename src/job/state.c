/* SPDX-License-Identifier: Apache-2.0 */
/* Stages and the words that people read about them. See the header. */
#include "job/state.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <stdio.h>
#include <string.h>

/* Starts that came to nothing, because hearthd ended between a row and its process, are repeated
 * without counting; a backend that loses every attempt must still come to an end. */
#define UNCOUNTED_STARTS_MAX 3

bool job_can_change(enum job_stage from, enum job_stage to)
{
	switch (from) {
	case STAGE_SCHEDULING:
		return to != STAGE_COMPLETED && to != STAGE_DELETED;
	case STAGE_RUNNING:
		return to != STAGE_SCHEDULING && to != STAGE_DELETED;
	default:
		return false;
	}
}

static void job_write_event(struct database *db, const struct job_record *job, int64_t now_ms)
{
	autojson json_t *data =
	        json_pack("{s:s, s:s?, s:i}", "stage", stage_name(job->stage), "message",
	                  job->message, "failureCount", job->failure_count);
	autofree char *text = NULL;

	if (!data)
		BUG("job %s: its message cannot be written as JSON", job->id);
	if (job->cancel_reason)
		json_object_set_new(data, "cancelReason", json_string(job->cancel_reason));
	text = json_to_text(data);
	(void)events_insert(db, job->id, "stage", text, now_ms);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Texts come from registries and programs too; a cut in the middle of a character is possible. */
static char *job_copy_text(const char *text)
{
	autojson json_t *probe = NULL;
	char *copy;

	if (!text || *text == '\0')
		return NULL;
	probe = json_string(text);
	copy = xstrdup(text);
	for (char *c = copy; !probe && *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return copy;
}

bool job_transition(struct database *db, struct job_record *job, const struct job_change *change)
{
	int64_t now_ms = clock_now_ms();

	if (!job_can_change(job->stage, change->stage))
		return false;
	if (change->stage == STAGE_RUNNING && job->started_ms == 0)
		job->started_ms = later(change->at_ms, job->created_ms);
	/* The wall clock may step; a duration is never negative. */
	if (stage_is_terminal(change->stage))
		job->finished_ms = later(change->at_ms, later(job->started_ms, job->created_ms));
	job->stage = change->stage;
	job->failure_count = change->failure_count;
	job->updated_ms = now_ms;
	free(job->message);
	job->message = job_copy_text(change->message);
	free(job->cancel_reason);
	job->cancel_reason = job_copy_text(change->cancel_reason);
	jobs_set_stage(db, job->id, job->stage, job->message, job->cancel_reason, job->started_ms,
	               job->finished_ms, job->failure_count, now_ms);
	job_write_event(db, job, now_ms);
	return true;
}

static void attempt_explain_oom(const struct exit_record *record, char *ret, size_t size)
{
	char used[QUANTITY_TEXT_SIZE], limit[QUANTITY_TEXT_SIZE];
	int64_t peak = record->memory_peak_bytes;

	if (record->memory_limit_bytes <= 0) {
		snprintf(ret, size, "Out of memory");
		return;
	}
	/* The kernel may count a few pages over the limit before it kills, or none when it was one
	 * large request. */
	if (peak <= 0 || peak > record->memory_limit_bytes)
		peak = record->memory_limit_bytes;
	snprintf(ret, size, "Out of memory: used %s of %s", quantity_format_bytes(peak, used),
	         quantity_format_bytes(record->memory_limit_bytes, limit));
}

static void attempt_explain(const struct exit_record *record, char *ret, size_t size)
{
	const char *name;

	switch (record->outcome) {
	case OUTCOME_EXITED:
		snprintf(ret, size, "Job failed with exit code: %d%s%s", record->exit_code,
		         *record->message ? "; " : "", record->message);
		break;
	case OUTCOME_SIGNALED:
		name = sigabbrev_np(record->signal);
		if (name)
			snprintf(ret, size, "Job killed by signal %d (SIG%s)", record->signal,
			         name);
		else
			snprintf(ret, size, "Job killed by signal %d", record->signal);
		break;
	case OUTCOME_OOM:
		attempt_explain_oom(record, ret, size);
		break;
	case OUTCOME_TIMEOUT:
		snprintf(ret, size, "%s", *record->message ? record->message : "Job timeout");
		break;
	case OUTCOME_CANCELED:
		snprintf(ret, size, "The job was ended from outside");
		break;
	case OUTCOME_STORAGE:
		snprintf(ret, size, "%s", *record->message ? record->message : "Out of storage");
		break;
	case OUTCOME_FAILED:
		snprintf(ret, size, "%s",
		         *record->message ? record->message : "The job could not be started");
		break;
	default:
		snprintf(ret, size,
		         "The job's monitor was lost; its processes were ended and their exit code "
		         "is "
		         "not known");
		break;
	}
}

/* By cause (hub-jobs-api 8.4): what may go better next time. A start that failed will fail again,
 * whatever the rule. */
static bool attempt_may_repeat(const struct retry_rule *rule, const struct exit_record *record)
{
	int code = record->exit_code;

	if (rule->is_set)
		return rule->outcomes & 1u << record->outcome ||
		       (record->outcome == OUTCOME_EXITED && code > 0 && code < 256 &&
		        rule->exit_codes[code / 8] & 1u << code % 8);
	switch (record->outcome) {
	case OUTCOME_EXITED:
	case OUTCOME_SIGNALED:
	case OUTCOME_OOM:
	case OUTCOME_STORAGE:
	case OUTCOME_LOST:
		return true;
	default:
		return false;
	}
}

static bool attempt_never_started(const struct job_record *job, int number,
                                  const struct exit_record *record)
{
	return record->outcome == OUTCOME_LOST && record->started_ms == 0 &&
	       number - job->failure_count <= UNCOUNTED_STARTS_MAX;
}

static int64_t attempt_pause(const struct retry_rule *rule, int failures)
{
	int64_t delay_s = rule->delay_s;
	int64_t max_s = rule->delay_max_s > delay_s ? rule->delay_max_s : delay_s;

	while (failures-- > 0 && delay_s < max_s)
		delay_s = delay_s > max_s / 2 ? max_s : delay_s * 2;
	return delay_s;
}

/* Behind the cause: "; attempt 2 of 3 in 40 s". */
static void attempt_announce(const struct job_record *job, struct attempt_verdict *verdict)
{
	size_t len = strlen(verdict->message), size = sizeof(verdict->message) - len;
	char *end = verdict->message + len;
	int next = job->failure_count + 2;

	if (verdict->delay_s == 0)
		snprintf(end, size, "; attempt %d of %d follows", next, job->attempts);
	else if (verdict->delay_s < 120)
		snprintf(end, size, "; attempt %d of %d in %lld s", next, job->attempts,
		         (long long)verdict->delay_s);
	else
		snprintf(end, size, "; attempt %d of %d in %lld min", next, job->attempts,
		         (long long)(verdict->delay_s + 30) / 60);
}

void attempt_judge(const struct job_record *job, const struct retry_rule *rule, int number,
                   const struct exit_record *record, struct attempt_verdict *ret)
{
	*ret = (struct attempt_verdict){.stage = STAGE_ERROR, .is_failure = true};
	if (record->outcome == OUTCOME_EXITED && record->exit_code == 0) {
		ret->stage = STAGE_COMPLETED;
		ret->is_failure = false;
		return;
	}
	if (attempt_never_started(job, number, record)) {
		*ret = (struct attempt_verdict){.stage = job->stage, .is_retried = true};
		return;
	}
	attempt_explain(record, ret->message, sizeof(ret->message));
	if (record->outcome == OUTCOME_CANCELED) {
		ret->stage = STAGE_CANCELED;
		ret->is_failure = false;
	} else if (attempt_may_repeat(rule, record) && job->failure_count + 1 < job->attempts) {
		ret->stage = job->stage;
		ret->is_retried = true;
		ret->delay_s = attempt_pause(rule, job->failure_count);
		attempt_announce(job, ret);
	}
}
