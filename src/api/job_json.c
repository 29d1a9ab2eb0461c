/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering of jobs. List and inspect are the calls that clients repeat all the time, so the text
 * is written directly; only the parts that a user gave as JSON (command, environment, …) are
 * dumped. Members that have no value are left out where the clients want them absent, and `message`
 * is the only one that may be null. A top-level member named "endpoint" would crash the Python
 * client.
 */
#include "api/job_json.h"

#include "api/resource_groups.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(ret, text) buffer_add((ret), "" text, sizeof(text) - 1)
#define INTEGER_DIGITS 24

static int write_plain(struct buffer *ret, const char *text)
{
	return buffer_add(ret, text, strlen(text));
}

static int write_integer(struct buffer *ret, int64_t value)
{
	char digits[INTEGER_DIGITS];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		digits[--at] = '-';
	return buffer_add(ret, digits + at, sizeof(digits) - at);
}

static int write_string(struct buffer *ret, const char *text, size_t len)
{
	if (buffer_add_byte(ret, '"') < 0 || json_escape(ret, text, len) < 0)
		return -1;
	return buffer_add_byte(ret, '"');
}

/* ,"name": */
static int write_name(struct buffer *ret, const char *name)
{
	int failed = TEXT(ret, ",\"");

	failed |= write_plain(ret, name);
	failed |= TEXT(ret, "\":");
	return failed;
}

/* ,"name":"text" */
static int write_text_member(struct buffer *ret, const char *name, const char *text)
{
	int failed = write_name(ret, name);

	failed |= write_string(ret, text, strlen(text));
	return failed;
}

static int write_integer_member(struct buffer *ret, const char *name, int64_t value)
{
	int failed = write_name(ret, name);

	failed |= write_integer(ret, value);
	return failed;
}

static int write_dump(const char *data, size_t len, void *ret)
{
	return buffer_add(ret, data, len);
}

static int write_json(struct buffer *ret, const json_t *value);

static int write_array(struct buffer *ret, const json_t *array)
{
	int failed = buffer_add_byte(ret, '[');
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		if (i > 0)
			failed |= buffer_add_byte(ret, ',');
		failed |= write_json(ret, item);
	}
	failed |= buffer_add_byte(ret, ']');
	return failed;
}

static int write_object(struct buffer *ret, const json_t *object)
{
	int failed = buffer_add_byte(ret, '{');
	bool is_first = true;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (!is_first)
			failed |= buffer_add_byte(ret, ',');
		is_first = false;
		failed |= write_string(ret, name, strlen(name));
		failed |= buffer_add_byte(ret, ':');
		failed |= write_json(ret, value);
	}
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

/* What a specification is made of is written here; jansson's own writer first looks for cycles. */
static int write_json(struct buffer *ret, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return write_string(ret, json_string_value(value), json_string_length(value));
	case JSON_ARRAY:
		return write_array(ret, value);
	case JSON_OBJECT:
		return write_object(ret, value);
	case JSON_INTEGER:
		return write_integer(ret, json_integer_value(value));
	default:
		return json_dump_callback(value, write_dump, ret, JSON_ENCODE_ANY);
	}
}

/* ,"name":<value>; nothing when the value is absent and there is no fallback */
static int write_member(struct buffer *ret, const char *name, const json_t *value,
                        const char *fallback)
{
	bool is_absent = !value || json_is_null(value);
	int failed;

	if (is_absent && !fallback)
		return 0;
	failed = write_name(ret, name);
	failed |= is_absent ? write_plain(ret, fallback) : write_json(ret, value);
	return failed;
}

static int write_time(struct buffer *ret, const char *name, int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return unix_ms ? write_text_member(ret, name, clock_format_iso(unix_ms, text)) : 0;
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
		         write_string(ret, sorted[i], strlen(sorted[i])) < 0;
	free(sorted);
	return failed ? -1 : buffer_add_byte(ret, ']');
}

int job_json_write_spec(struct buffer *ret, const struct job_record *job)
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
	failed |= write_integer_member(ret, "timeout", job->timeout_s);
	failed |= write_integer_member(ret, "timeoutSeconds", job->timeout_s);
	failed |= write_integer_member(ret, "retry", job->attempts - 1);
	failed |= write_integer_member(ret, "attempts", job->attempts);
	failed |= write_member(ret, "labels", job->labels, "{}");
	failed |= write_member(ret, "volumes", json_object_get(job->spec, "volumes"), NULL);
	failed |= write_member(ret, "expose", json_object_get(job->spec, "expose"), NULL);
	failed |= write_member(ret, "resourceGroupId",
	                       json_object_get(job->spec, "resourceGroupId"), NULL);
	return failed;
}

int job_json_write_status(struct buffer *ret, const struct job_record *job, const char *message)
{
	int failed = TEXT(ret, "{\"stage\":\"");

	failed |= write_plain(ret, stage_name(job->stage));
	failed |= buffer_add_byte(ret, '"');
	if (message)
		failed |= write_text_member(ret, "message", message);
	else
		failed |= TEXT(ret, ",\"message\":null");
	if (job->cancel_reason)
		failed |= write_text_member(ret, "cancelReason", job->cancel_reason);
	failed |= write_integer_member(ret, "failureCount", job->failure_count);
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

static int64_t seconds_between(int64_t from_ms, int64_t to_ms)
{
	return to_ms > from_ms ? (to_ms - from_ms) / 1000 : 0;
}

static int write_durations(struct buffer *ret, const struct job_record *job, int64_t now_ms)
{
	int64_t end_ms = job->finished_ms ? job->finished_ms : now_ms;
	int failed = TEXT(ret, ",\"durations\":{\"totalSecs\":");

	failed |= write_integer(ret, seconds_between(job->created_ms, end_ms));
	if (job->started_ms) {
		failed |= write_integer_member(ret, "schedulingSecs",
		                               seconds_between(job->created_ms, job->started_ms));
		failed |= write_integer_member(ret, "runningSecs",
		                               seconds_between(job->started_ms, end_ms));
	}
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

/* Account names need no escaping, neither in JSON nor in a URL. */
static int write_avatar(struct buffer *ret, const char *base_url, const char *name)
{
	int failed = TEXT(ret, ",\"avatarUrl\":\"");

	failed |= json_escape(ret, base_url, strlen(base_url));
	failed |= TEXT(ret, "/avatars/");
	failed |= write_plain(ret, name);
	failed |= TEXT(ret, ".svg\"");
	return failed;
}

int job_json_write_people(struct buffer *ret, const struct job_record *job, const char *base_url)
{
	bool is_org = job->namespace_type == ACCOUNT_ORG;
	int failed = TEXT(ret, ",\"owner\":{\"id\":\"");

	failed |= write_plain(ret, job->namespace_id);
	failed |= buffer_add_byte(ret, '"');
	failed |= write_text_member(ret, "name", job->namespace_name);
	failed |= write_text_member(ret, "type", is_org ? "org" : "user");
	failed |= write_avatar(ret, base_url, job->namespace_name);
	failed |= TEXT(ret, "},\"createdBy\":{\"id\":\"");
	failed |= write_plain(ret, job->created_by_id);
	failed |= buffer_add_byte(ret, '"');
	failed |= write_text_member(ret, "name", job->created_by_name);
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

/* Stored as the API shows it, except for the picture, whose address depends on who asks. */
int job_json_write_initiator(struct buffer *ret, const json_t *initiator, const char *base_url)
{
	const char *type = json_get_text(initiator, "type", "");
	const char *name = json_get_text(initiator, "name", NULL);
	int failed;

	if (!json_is_object(initiator) || !type[0])
		return 0;
	failed = TEXT(ret, ",\"initiator\":{\"type\":");
	failed |= write_string(ret, type, strlen(type));
	failed |= write_text_member(ret, "id", json_get_text(initiator, "id", ""));
	if (name) {
		failed |= write_text_member(ret, "name", name);
		failed |= write_avatar(ret, base_url, name);
	}
	failed |= buffer_add_byte(ret, '}');
	return failed;
}

static int write_resource_group(struct buffer *ret, const struct job_record *job,
                                struct database *db)
{
	autojson json_t *object = NULL;
	struct resource_group group;

	if (!db || !*job->group_id || !groups_find(db, job->group_id, &group))
		return 0;
	object = resource_group_object(db, &group);
	return write_member(ret, "resourceGroup", object, NULL);
}

int job_json_write(struct buffer *ret, const struct job_record *job, const char *message,
                   const struct job_json_context *context)
{
	int failed = TEXT(ret, "{\"type\":\"job\"");

	failed |= write_text_member(ret, "id", job->id);
	failed |= write_time(ret, "createdAt", job->created_ms);
	failed |= write_time(ret, "startedAt", job->started_ms);
	failed |= write_time(ret, "finishedAt", job->finished_ms);
	failed |= write_time(ret, "updatedAt", job->updated_ms);
	failed |= job_json_write_spec(ret, job);
	failed |= TEXT(ret, ",\"status\":");
	failed |= job_json_write_status(ret, job, message);
	failed |= write_durations(ret, job, context->now_ms);
	failed |= job_json_write_people(ret, job, context->base_url);
	failed |= job_json_write_initiator(ret, job->initiator, context->base_url);
	failed |= write_resource_group(ret, job, context->db);
	failed |= write_member(ret, "hearth", context->extras, NULL);
	failed |= buffer_add_byte(ret, '}');
	return failed ? -1 : 0;
}
