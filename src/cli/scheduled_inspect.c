/* SPDX-License-Identifier: Apache-2.0 */
/* hearth scheduled inspect and history: everything about schedules, their next runs and their past.
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_command.h"
#include "cli/schedule_view.h"

#include <string.h>

struct inspection {
	json_t *schedules, *rows;
	char *space; /* of the first id that said one, or --namespace */
};

static int fetch_one(struct hub *hub, const char *text, struct inspection *inspection,
                     struct error *err)
{
	struct job_ref ref = {0};
	const char *space;
	json_t *schedule = NULL;
	if (job_ref_parse(text, inspection->space, &ref, err) < 0)
		return -1;
	if (!inspection->space)
		inspection->space = xstrdup(ref.space);
	int rc = hub_namespace(hub, inspection->space, &space, err);
	if (rc == 0) {
		autofree char *path = hub_path("/api/scheduled-jobs/%s/%s", space, ref.id);
		rc = hub_ask(hub, "GET", path, NULL, &schedule, err);
	}
	job_ref_clear(&ref);
	if (rc < 0)
		return -1;
	(void)json_array_append_new(inspection->schedules, schedule);
	return 0;
}

/* Times in JSON are for programs, as in the rest of the object. */
static void add_rows(struct inspection *inspection, bool with_next_runs)
{
	size_t i;
	json_t *schedule;
	json_array_foreach(inspection->schedules, i, schedule)
	{
		json_t *row = schedule_view_named(schedule);
		json_t *runs = json_object_get(schedule, "nextRuns");
		if (with_next_runs && runs)
			(void)json_object_set(row, "next_runs", runs);
		(void)json_array_append_new(inspection->rows, row);
	}
}

static void tell_next_runs(struct invocation *in, const json_t *schedule, bool is_alone)
{
	const json_t *runs = json_object_get(schedule, "nextRuns");
	bool is_suspended = json_get_bool(schedule, "suspend", false);
	size_t i;
	json_t *run;
	output_text(&in->out, "Next %zu runs%s%s%s (UTC):", json_array_size(runs),
	            is_alone ? "" : " of ", is_alone ? "" : json_get_text(schedule, "id", ""),
	            is_suspended ? ", if it were resumed" : "");
	json_array_foreach(runs, i, run)
	{
		autojson json_t *shown = schedule_view_time(json_string_value(run));
		output_text(&in->out, "  %s", json_string_value(shown));
	}
}

static void show(struct invocation *in, struct inspection *inspection)
{
	size_t i;
	json_t *schedule;
	add_rows(inspection, in->out.mode == OUTPUT_JSON);
	output_table(&in->out, inspection->rows, NULL, 0, "id");
	json_array_foreach(inspection->schedules, i, schedule)
	        tell_next_runs(in, schedule, json_array_size(inspection->schedules) == 1);
}

int scheduled_inspect_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct inspection inspection = {
	        .schedules = json_array(),
	        .rows = json_array(),
	        .space = xstrdup(options_text(&in->options, "namespace")),
	};
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	for (size_t i = 0; rc == 0 && i < in->options.n_arguments; i++)
		rc = fetch_one(hub, in->options.arguments[i], &inspection, &err);
	if (rc == 0)
		show(in, &inspection);
	json_decref(inspection.schedules);
	json_decref(inspection.rows);
	free(inspection.space);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

static int fetch_history(struct job_command *job, int64_t limit, json_t *ret_rows,
                         struct error *err)
{
	autofree char *next =
	        hub_path("/api/scheduled-jobs/%s/%s/history", job->space, job->ref.id);
	while (next && (limit == 0 || (int64_t)json_array_size(ret_rows) < limit)) {
		autojson json_t *page = NULL;
		autofree char *after = NULL;
		size_t i;
		json_t *tick;
		if (hub_ask_page(job->hub, next, &page, &after, err) < 0)
			return -1;
		json_array_foreach(page, i, tick) if (limit == 0 || (int64_t)json_array_size(
		                                                            ret_rows) < limit)(void)
		        json_array_append_new(ret_rows, schedule_view_tick(tick));
		free(next);
		next = take_ptr(&after);
	}
	return 0;
}

int scheduled_history_command(struct invocation *in)
{
	static const char *const columns[] = {"due", "outcome", "job", "reason"};
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *rows = json_array();
	int64_t limit = options_integer(&in->options, "limit", 100);
	if (job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	int rc = fetch_history(&job, limit < 0 ? 0 : limit, rows, &err);
	job_command_close(&job);
	if (rc < 0)
		return output_fail(&err);
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "job");
	return 0;
}
