/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering of jobs. List and inspect are the calls that clients repeat all the time, so the text
 * is written directly; only the parts that a user gave as JSON (command, environment, …) are
 * dumped. Members that have no value are left out where the clients want them absent, and `message`
 * is the only one that may be null. A top-level member named "endpoint" would crash the Python
 * client.
 */
#include "api/job_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Failing once is enough: a buffer that is full stays full. */
#define TEXT(ret, text) buffer_add((ret), "" text, sizeof(text) - 1)

static int write_string(struct buffer *ret, const char *text)
{
	if (buffer_add_byte(ret, '"') < 0 || json_escape(ret, text, strlen(text)) < 0)
		return -1;
	return buffer_add_byte(ret, '"');
}

/* ,"name":"text" */
static int write_text_member(struct buffer *ret, const char *name, const char *text)
{
	if (buffer_printf(ret, ",\"%s\":", name) < 0)
		return -1;
	return write_string(ret, text);
}

static int write_dump(const char *data, size_t len, void *ret)
{
	return buffer_add(ret, data, len);
}

static int write_value(struct buffer *ret, const json_t *value)
{
	return json_dump_callback(value, write_dump, ret,
	                          JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
}

/* ,"name":<value>; nothing when the value is absent and there is no fallback */
static int write_member(struct buffer *ret, const char *name, const json_t *value,
                        const char *fallback)
{
	if (!value || json_is_null(value))
		return fallback ? buffer_printf(ret, ",\"%s\":%s", name, fallback) : 0;
	if (buffer_printf(ret, ",\"%s\":", name) < 0)
		return -1;
	return write_value(ret, value);
}

static int write_time(struct buffer *ret, const char *name, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (!unix_ms)
		return 0;
	return buffer_printf(ret, ",\"%s\":\"%s\"", name, clock_format_iso(unix_ms, text));
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names only, sorted; the values never come near this file. */
static int write_secret_names(struct buffer *ret, const json_t *names)
{
	size_t n = json_array_size(names);
	const char **sorted;
	int failed = 0;

	if (TEXT(ret, ",\"secrets\":[") < 0)
		return -1;
	sorted = xcalloc(n + 1, sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_string_value(json_array_get(names, i));
	qsort(sorted, n, sizeof(*sorted), compare_text);
	for (size_t i = 0; i < n && !failed; i++)
		failed = (i > 0 && buffer_add_byte(ret, ',') < 0) ||
		         write_string(ret, sorted[i]) < 0;
	free(sorted);
	return failed ? -1 : buffer_add_byte(ret, ']');
}

static int write_what_runs(struct buffer *ret, const struct job_record *job)
{
	static const char *const members[] = {"dockerImage", "spaceId", "command"};
	int failed = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		failed |=
		        write_member(ret, members[i], json_object_get(job->spec, members[i]), NULL);
	failed |= write_member(ret, "arguments", json_object_get(job->spec, "arguments"), "[]");
	failed |= write_member(ret, "environment", json_object_get(job->spec, "environment"), "{}");
	failed |= write_secret_names(ret, json_object_get(job->spec, "secretNames"));
	failed |= write_text_member(ret, "flavor", job->flavor);
	failed |= write_member(ret, "arch", json_object_get(job->spec, "arch"), "\"amd64\"");
	failed |= buffer_printf(ret,
	                        ",\"timeout\":%" PRId64 ",\"timeoutSeconds\":%" PRId64
	                        ",\"retry\":%d,\"attempts\":%d",
	                        job->timeout_s, job->timeout_s, job->attempts - 1, job->attempts);
	failed |= write_member(ret, "labels", job->labels, "{}");
	failed |= write_member(ret, "volumes", json_object_get(job->spec, "volumes"), NULL);
	failed |= write_member(ret, "expose", json_object_get(job->spec, "expose"), NULL);
	failed |= write_member(ret, "resourceGroupId",
	                       json_object_get(job->spec, "resourceGroupId"), NULL);
	return failed;
}

int job_json_write_status(struct buffer *ret, const struct job_record *job, const char *message)
{
	int failed = buffer_printf(ret, "{\"stage\":\"%s\"", stage_name(job->stage));

	if (message)
		failed |= write_text_member(ret, "message", message);
	else
		failed |= TEXT(ret, ",\"message\":null");
	if (job->cancel_reason)
		failed |= write_text_member(ret, "cancelReason", job->cancel_reason);
	failed |= buffer_printf(ret, ",\"failureCount\":%d}", job->failure_count);
	return failed;
}

static int64_t seconds_between(int64_t from_ms, int64_t to_ms)
{
	return to_ms > from_ms ? (to_ms - from_ms) / 1000 : 0;
}

static int write_durations(struct buffer *ret, const struct job_record *job, int64_t now_ms)
{
	int64_t end_ms = job->finished_ms ? job->finished_ms : now_ms;
	int failed = TEXT(ret, ",\"durations\":{");

	if (job->started_ms)
		failed |= buffer_printf(
		        ret, "\"schedulingSecs\":%" PRId64 ",\"runningSecs\":%" PRId64 ",",
		        seconds_between(job->created_ms, job->started_ms),
		        seconds_between(job->started_ms, end_ms));
	failed |= buffer_printf(ret, "\"totalSecs\":%" PRId64 "}",
	                        seconds_between(job->created_ms, end_ms));
	return failed;
}

static int write_avatar(struct buffer *ret, const char *base_url, const char *name)
{
	int failed = TEXT(ret, ",\"avatarUrl\":\"");

	failed |= json_escape(ret, base_url, strlen(base_url));
	/* account names need no escaping in a URL */
	failed |= buffer_printf(ret, "/avatars/%s.svg\"", name);
	return failed;
}

static int write_people(struct buffer *ret, const struct job_record *job, const char *base_url)
{
	int failed = buffer_printf(ret, ",\"owner\":{\"id\":\"%s\",\"name\":\"%s\",\"type\":\"%s\"",
	                           job->namespace_id, job->namespace_name,
	                           job->namespace_type == ACCOUNT_ORG ? "org" : "user");

	failed |= write_avatar(ret, base_url, job->namespace_name);
	failed |= buffer_printf(ret, "},\"createdBy\":{\"id\":\"%s\",\"name\":\"%s\"}",
	                        job->created_by_id, job->created_by_name);
	return failed;
}

/* Stored as the API shows it, except for the picture, whose address depends on who asks. */
static int write_initiator(struct buffer *ret, const json_t *initiator, const char *base_url)
{
	const char *type = json_get_text(initiator, "type", "");
	const char *name = json_get_text(initiator, "name", NULL);
	int failed;

	if (!json_is_object(initiator) || !type[0])
		return 0;
	failed = TEXT(ret, ",\"initiator\":{\"type\":");
	failed |= write_string(ret, type);
	failed |= write_text_member(ret, "id", json_get_text(initiator, "id", ""));
	if (name) {
		failed |= write_text_member(ret, "name", name);
		failed |= write_avatar(ret, base_url, name);
	}
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

int job_json_write(struct buffer *ret, const struct job_record *job, const char *message,
                   const struct job_json_context *context)
{
	int failed = buffer_printf(ret, "{\"type\":\"job\",\"id\":\"%s\"", job->id);

	failed |= write_time(ret, "createdAt", job->created_ms);
	failed |= write_time(ret, "startedAt", job->started_ms);
	failed |= write_time(ret, "finishedAt", job->finished_ms);
	failed |= write_time(ret, "updatedAt", job->updated_ms);
	failed |= write_what_runs(ret, job);
	failed |= TEXT(ret, ",\"status\":");
	failed |= job_json_write_status(ret, job, message);
	failed |= write_durations(ret, job, context->now_ms);
	failed |= write_people(ret, job, context->base_url);
	failed |= write_initiator(ret, job->initiator, context->base_url);
	failed |= buffer_add_byte(ret, '}');
	return failed ? -1 : 0;
}
