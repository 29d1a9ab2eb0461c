/* SPDX-License-Identifier: Apache-2.0 */
/* Renames and orders the fields of a job by tables, and reads the few that commands decide on. */
#include "cli/job_view.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/duration.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct view_field {
	const char *name;  /* in the API */
	const char *shown; /* in the view */
	const struct view_field
	        *fields; /* of an object, or of each object of an array; NULL: as is */
	bool is_time;
};

static const struct view_field status_fields[] = {
        {"stage", "stage"},
        {"message", "message"},
        {"exposeUrls", "expose_urls"},
        {"sshUrl", "ssh_url"},
        {0},
};

static const struct view_field durations_fields[] = {
        {"schedulingSecs", "scheduling_secs"},
        {"runningSecs", "running_secs"},
        {"totalSecs", "total_secs"},
        {0},
};

static const struct view_field owner_fields[] = {
        {"id", "id"},
        {"name", "name"},
        {"type", "type"},
        {0},
};

static const struct view_field initiator_fields[] = {
        {"type", "type"},
        {"id", "id"},
        {"name", "name"},
        {0},
};

static const struct view_field volume_fields[] = {
        {"type", "type"},
        {"source", "source"},
        {"mountPath", "mount_path"},
        {"revision", "revision"},
        {"readOnly", "read_only"},
        {"path", "path"},
        {0},
};

static const struct view_field job_fields[] = {
        {"id", "id"},
        {"createdAt", "created_at", .is_time = true},
        {"startedAt", "started_at", .is_time = true},
        {"finishedAt", "finished_at", .is_time = true},
        {"dockerImage", "docker_image"},
        {"spaceId", "space_id"},
        {"command", "command"},
        {"arguments", "arguments"},
        {"environment", "environment"},
        {"secrets", "secrets"},
        {"flavor", "flavor"},
        {"labels", "labels"},
        {"volumes", "volumes", volume_fields},
        {"status", "status", status_fields},
        {"durations", "durations", durations_fields},
        {"owner", "owner", owner_fields},
        {"initiator", "initiator", initiator_fields},
        {"network", "network"},
        {"retry", "retry"},
        {0},
};

static const struct view_field last_job_fields[] = {
        {"id", "id"},
        {"at", "at", .is_time = true},
        {0},
};

static const struct view_field schedule_status_fields[] = {
        {"lastJob", "last_job", last_job_fields},
        {"nextJobRunAt", "next_job_run_at", .is_time = true},
        {0},
};

static const struct view_field job_spec_fields[] = {
        {"dockerImage", "docker_image"},
        {"spaceId", "space_id"},
        {"command", "command"},
        {"arguments", "arguments"},
        {"environment", "environment"},
        {"secrets", "secrets"},
        {"flavor", "flavor"},
        {"timeout", "timeout"},
        {"arch", "arch"},
        {"labels", "labels"},
        {"volumes", "volumes", volume_fields},
        {"retry", "retry"},
        {0},
};

static const struct view_field schedule_fields[] = {
        {"id", "id"},
        {"createdAt", "created_at", .is_time = true},
        {"jobSpec", "job_spec", job_spec_fields},
        {"schedule", "schedule"},
        {"suspend", "suspend"},
        {"suspendReason", "suspend_reason"},
        {"concurrency", "concurrency"},
        {"status", "status", schedule_status_fields},
        {"owner", "owner", owner_fields},
        {0},
};

/* "2025-07-22T16:06:25.079Z" → "2025-07-22T16:06:25.079000+00:00"; no fraction when it is zero. */
static json_t *view_time(const char *text)
{
	size_t len = strlen(text);
	if (len < 20 || text[len - 1] != 'Z')
		return json_string(text);
	char fraction[7] = "000000";
	if (text[19] == '.')
		for (size_t i = 0; i < 6 && isdigit((unsigned char)text[20 + i]); i++)
			fraction[i] = text[20 + i];
	autofree char *shown = strcmp(fraction, "000000") == 0
	                               ? xasprintf("%.19s+00:00", text)
	                               : xasprintf("%.19s.%s+00:00", text, fraction);
	return json_string(shown);
}

static json_t *without_nulls(const json_t *value)
{
	if (json_is_array(value)) {
		json_t *list = json_array();
		size_t i;
		json_t *item;
		json_array_foreach(value, i, item)(void)
		        json_array_append_new(list, without_nulls(item));
		return list;
	}
	if (!json_is_object(value))
		return json_incref((json_t *)value);
	json_t *object = json_object();
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)value, key, item) if (!json_is_null(item))(void)
	        json_object_set_new(object, key, without_nulls(item));
	return object;
}

static json_t *view_object(const json_t *object, const struct view_field *fields);

static json_t *view_value(const json_t *value, const struct view_field *field)
{
	if (field->is_time && json_is_string(value))
		return view_time(json_string_value(value));
	if (!field->fields)
		return without_nulls(value);
	if (json_is_object(value))
		return view_object(value, field->fields);
	json_t *list = json_array();
	size_t i;
	json_t *item;
	json_array_foreach(value, i, item)(void)
	        json_array_append_new(list, view_object(item, field->fields));
	return list;
}

static json_t *view_object(const json_t *object, const struct view_field *fields)
{
	json_t *view = json_object();
	for (const struct view_field *f = fields; f->name; f++) {
		const json_t *value = json_object_get(object, f->name);
		bool is_empty = json_is_array(value) && json_array_size(value) == 0 && f->fields;
		if (value && !json_is_null(value) && !is_empty)
			(void)json_object_set_new(view, f->shown, view_value(value, f));
	}
	return view;
}

json_t *job_view_of(const json_t *job, const char *endpoint)
{
	json_t *view = view_object(job, job_fields);
	const json_t *expose = json_object_get(job, "expose");
	json_t *ports = json_object_get(expose, "ports");
	json_t *open = json_object_get(expose, "portsPublic");
	if (json_is_array(ports))
		(void)json_object_set(view, "expose", ports);
	if (json_is_array(open))
		(void)json_object_set(view, "expose_public", open);
	autofree char *url = xasprintf("%s/jobs/%s/%s", endpoint, job_view_owner(job),
	                               json_get_text(job, "id", ""));
	(void)json_object_set_new(view, "endpoint", json_string(endpoint));
	(void)json_object_set_new(view, "url", json_string(url));
	return view;
}

json_t *job_view_schedule(const json_t *schedule)
{
	return view_object(schedule, schedule_fields);
}

json_t *job_view_named(const json_t *job, const char *endpoint)
{
	json_t *view = job_view_of(job, endpoint);
	const char *name = json_get_text(json_object_get(job, "labels"), "name", NULL);
	if (!name)
		return view;
	json_t *named = json_object();
	(void)json_object_set_new(named, "name", json_string(name));
	(void)json_object_update(named, view);
	json_decref(view);
	return named;
}

json_t *job_view_command(const json_t *job)
{
	const json_t *words = json_object_get(job, "command");
	if (json_array_size(words) == 0)
		return json_string("N/A");
	autobuffer struct buffer text = BUFFER_INIT(64u << 20);
	size_t i;
	json_t *word;
	json_array_foreach(words, i, word)
	{
		if (i)
			(void)buffer_add_byte(&text, ' ');
		(void)buffer_add(&text, json_string_value(word), json_string_length(word));
	}
	return json_stringn(buffer_text(&text), text.len);
}

static json_t *created_text(const json_t *job)
{
	const char *time = json_get_text(job, "createdAt", NULL);
	if (!time)
		return json_string("N/A");
	autofree char *text = xasprintf("%.19s", time);
	if (strlen(text) > 10 && text[10] == 'T')
		text[10] = ' ';
	return json_string(text);
}

json_t *job_view_listed(const json_t *job, const char *endpoint)
{
	json_t *view = job_view_of(job, endpoint);
	const char *name = json_get_text(json_object_get(job, "labels"), "name", "");
	const char *image = json_get_text(job, "dockerImage", "");
	int64_t running = json_get_int(json_object_get(job, "durations"), "runningSecs", -1);
	char runtime[DURATION_TEXT_SIZE];
	(void)json_object_set_new(view, "job_id", json_string(json_get_text(job, "id", "")));
	(void)json_object_set_new(view, "name", json_string(*name ? name : "N/A"));
	(void)json_object_set_new(view, "image/space", json_string(*image ? image : "N/A"));
	(void)json_object_set_new(view, "command", job_view_command(job));
	(void)json_object_set_new(view, "created", created_text(job));
	(void)json_object_set_new(view, "status", json_string(job_view_stage(job)));
	(void)json_object_set_new(view, "runtime", json_string(duration_format(running, runtime)));
	return view;
}

const char *job_view_stage(const json_t *job)
{
	return json_get_text(json_object_get(job, "status"), "stage", "UNKNOWN");
}

const char *job_view_message(const json_t *job)
{
	const char *message = json_get_text(json_object_get(job, "status"), "message", NULL);
	return message && *message ? message : NULL;
}

const char *job_view_owner(const json_t *job)
{
	return json_get_text(json_object_get(job, "owner"), "name", "");
}

bool job_view_is_over(const json_t *job)
{
	static const char *const stages[] = {"COMPLETED", "ERROR", "CANCELED", "DELETED"};
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(job_view_stage(job), stages[i]) == 0)
			return true;
	return false;
}

int job_view_exit_code(const json_t *job)
{
	static const char words[] = "exit code: ";
	const char *message = job_view_message(job);
	const char *found = message ? strstr(message, words) : NULL;
	long code = found ? strtol(found + sizeof words - 1, NULL, 10) : 0;
	return code > 0 && code < 256 ? (int)code : 0;
}
