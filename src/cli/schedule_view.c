/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of schedules and of their ticks. */
#include "cli/schedule_view.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_view.h"

#include <string.h>

json_t *schedule_view_time(const char *time)
{
	if (!time || strlen(time) < 19)
		return json_string("N/A");
	autofree char *text = xasprintf("%.19s", time);
	if (text[10] == 'T')
		text[10] = ' ';
	return json_string(text);
}

json_t *schedule_view_named(const json_t *schedule)
{
	const json_t *labels = json_object_get(json_object_get(schedule, "jobSpec"), "labels");
	const char *name = json_get_text(labels, "name", NULL);
	json_t *view = json_object();
	autojson json_t *plain = job_view_schedule(schedule);
	if (name)
		(void)json_object_set_new(view, "name", json_string(name));
	(void)json_object_update(view, plain);
	return view;
}

json_t *schedule_view_listed(const json_t *schedule)
{
	json_t *view = job_view_schedule(schedule);
	const json_t *spec = json_object_get(schedule, "jobSpec");
	const json_t *status = json_object_get(schedule, "status");
	const char *name = json_get_text(json_object_get(spec, "labels"), "name", "");
	const char *last = json_get_text(json_object_get(status, "lastJob"), "at", NULL);
	(void)json_object_set_new(view, "name", json_string(*name ? name : "N/A"));
	(void)json_object_set_new(view, "image/space",
	                          json_string(json_get_text(spec, "dockerImage", "N/A")));
	(void)json_object_set_new(view, "command", job_view_command(spec));
	(void)json_object_set_new(view, "last_run", schedule_view_time(last));
	(void)json_object_set_new(view, "next_run",
	                          schedule_view_time(json_get_text(status, "nextJobRunAt", NULL)));
	if (!json_object_get(view, "suspend"))
		(void)json_object_set_new(view, "suspend", json_false());
	return view;
}

json_t *schedule_view_tick(const json_t *tick)
{
	int64_t count = json_get_int(tick, "count", 1);
	json_t *view = json_object();
	json_t *due = schedule_view_time(json_get_text(tick, "dueAt", NULL));
	const char *reason = json_get_text(tick, "reason", "");
	autofree char *shown = xstrdup(reason);
	if (count > 1) {
		autojson json_t *until = schedule_view_time(json_get_text(tick, "untilAt", NULL));
		free(shown);
		shown = xasprintf("%lld ticks until %s: %s", (long long)count,
		                  json_string_value(until), reason);
	}
	(void)json_object_set_new(view, "due", due);
	(void)json_object_set_new(view, "outcome", json_string(json_get_text(tick, "outcome", "")));
	(void)json_object_set_new(
	        view, "job", json_string(json_get_text(json_object_get(tick, "job"), "id", "")));
	(void)json_object_set_new(view, "reason", json_string(shown));
	(void)json_object_set_new(view, "count", json_integer(count));
	return view;
}
