/* SPDX-License-Identifier: Apache-2.0 */
/* A schedule as text: its own members here, those of its job by job_json.c. */
#include "api/schedule_json.h"

#include "api/job_json.h"
#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <string.h>

static int write_time(struct buffer *ret, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return buffer_printf(ret, "\"%s\"", clock_format_iso(unix_ms, text));
}

static int write_string(struct buffer *ret, const char *text)
{
	if (buffer_add_byte(ret, '"') < 0 || json_escape(ret, text, strlen(text)) < 0)
		return -1;
	return buffer_add_byte(ret, '"');
}

static int write_status(struct buffer *ret, const struct schedule_record *schedule,
                        const int64_t *next_ms, size_t n)
{
	int failed = buffer_add_text(ret, ",\"status\":{\"lastJob\":");

	if (schedule->last_job_id[0]) {
		failed |= buffer_printf(ret, "{\"id\":\"%s\",\"at\":", schedule->last_job_id);
		failed |= write_time(ret, schedule->last_job_ms);
		failed |= buffer_add_byte(ret, '}');
	} else {
		failed |= buffer_add_text(ret, "null");
	}
	failed |= buffer_add_text(ret, ",\"nextJobRunAt\":");
	failed |= n ? write_time(ret, next_ms[0]) : buffer_add_text(ret, "null");
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

static int write_next_runs(struct buffer *ret, const int64_t *next_ms, size_t n)
{
	int failed = buffer_add_text(ret, ",\"nextRuns\":[");

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			failed |= buffer_add_byte(ret, ',');
		failed |= write_time(ret, next_ms[i]);
	}
	failed |= buffer_add_byte(ret, ']');
	return failed;
}

static int write_head(struct buffer *ret, const struct schedule_record *schedule)
{
	int failed = buffer_printf(
	        ret, "{\"type\":\"scheduled-job\",\"id\":\"%s\",\"createdAt\":", schedule->id);

	failed |= write_time(ret, schedule->created_ms);
	failed |= buffer_add_text(ret, ",\"updatedAt\":");
	failed |= write_time(ret, schedule->updated_ms);
	failed |= buffer_add_text(ret, ",\"schedule\":");
	failed |= write_string(ret, schedule->expression);
	failed |= buffer_printf(ret, ",\"suspend\":%s", schedule->is_suspended ? "true" : "false");
	if (schedule->suspend_reason) {
		failed |= buffer_add_text(ret, ",\"suspendReason\":");
		failed |= write_string(ret, schedule->suspend_reason);
	}
	failed |=
	        buffer_printf(ret, ",\"concurrency\":%s", schedule->concurrency ? "true" : "false");
	return failed;
}

/* What its jobs look like; borrowed. */
static struct job_record as_job(const struct schedule_record *schedule)
{
	struct job_record job = {
	        .namespace_type = schedule->namespace_type,
	        .flavor = schedule->flavor,
	        .timeout_s = schedule->timeout_s,
	        .attempts = schedule->attempts,
	        .spec = schedule->spec,
	        .labels = schedule->labels,
	};

	memcpy(job.namespace_id, schedule->namespace_id, ID_SIZE);
	memcpy(job.namespace_name, schedule->namespace_name, sizeof(job.namespace_name));
	memcpy(job.created_by_id, schedule->created_by_id, ID_SIZE);
	memcpy(job.created_by_name, schedule->created_by_name, sizeof(job.created_by_name));
	return job;
}

int schedule_json_write(struct buffer *ret, const struct schedule_record *schedule,
                        const struct schedule_json_context *context)
{
	const struct job_record job = as_job(schedule);
	int64_t next_ms[SCHEDULE_NEXT_RUNS];
	size_t n = schedule_next_runs(context->service, schedule,
	                              context->with_next_runs ? SCHEDULE_NEXT_RUNS : 1, next_ms);
	size_t start;
	int failed = write_head(ret, schedule);

	failed |= write_status(ret, schedule, next_ms, n);
	failed |= job_json_write_people(ret, &job, context->base_url);
	failed |= job_json_write_initiator(ret, schedule->initiator, context->base_url);
	failed |= buffer_add_text(ret, ",\"jobSpec\":");
	start = ret->len;
	failed |= job_json_write_spec(ret, &job);
	if (!failed)
		ret->data[start] = '{'; /* in place of the first comma */
	failed |= buffer_add_byte(ret, '}');
	if (context->with_next_runs)
		failed |= write_next_runs(ret, next_ms, n);
	failed |= buffer_add_byte(ret, '}');
	return failed ? -1 : 0;
}

int schedule_json_write_tick(struct buffer *ret, const struct tick *tick)
{
	int failed = buffer_add_text(ret, "{\"dueAt\":");

	failed |= write_time(ret, tick->due_ms);
	failed |= buffer_printf(
	        ret, ",\"outcome\":\"%s\",\"decidedAt\":", tick_outcome_name(tick->outcome));
	failed |= write_time(ret, tick->decided_ms);
	failed |= buffer_add_text(ret, ",\"job\":");
	failed |= tick->job_id ? buffer_printf(ret, "{\"id\":\"%s\"}", tick->job_id)
	                       : buffer_add_text(ret, "null");
	failed |= buffer_add_text(ret, ",\"reason\":");
	failed |= tick->reason ? write_string(ret, tick->reason) : buffer_add_text(ret, "null");
	failed |= buffer_printf(ret, ",\"count\":%" PRId64 ",\"untilAt\":", tick->count);
	failed |= write_time(ret, tick->until_ms);
	failed |= buffer_add_byte(ret, '}');
	return failed ? -1 : 0;
}
