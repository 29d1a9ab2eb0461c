/* SPDX-License-Identifier: Apache-2.0 */
/* hearth inspect: everything about one or more jobs. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "cli/duration.h"
#include "cli/hub.h"
#include "cli/job_ref.h"
#include "cli/job_view.h"

#include <inttypes.h>

/* What goes beyond `hf`: in JSON a member, for people lines below the table. */
static void add_extras(const struct invocation *in, const json_t *job, json_t *row)
{
	const char *reason = json_get_text(json_object_get(job, "status"), "cancelReason", NULL);
	json_t *extras = json_object_get(job, "hearth");
	if (in->out.mode != OUTPUT_JSON)
		return;
	if (reason)
		(void)json_object_set_new(json_object_get(row, "status"), "cancel_reason",
		                          json_string(reason));
	if (extras)
		(void)json_object_set(row, "hearth", extras);
}

/* What the narrow columns of the table cut: how it stands, why, and until when it may run. As `hf`
 * where the server is another. */
static void print_state(const struct invocation *in, const json_t *job)
{
	const json_t *status = json_object_get(job, "status");
	const json_t *limit = json_object_get(json_object_get(job, "hearth"), "timeLimit");
	const char *id = json_get_text(job, "id", ""), *ends = json_get_text(limit, "endsAt", NULL);
	const char *message = json_get_text(status, "message", "");
	char left[DURATION_TEXT_SIZE];

	if (!json_object_get(job, "hearth"))
		return;
	output_text(&in->out, "%s: %s%s%s", id, json_get_text(status, "stage", ""),
	            *message ? ": " : "", message);
	if (ends)
		output_text(&in->out, "%s: time limit at %s, in %s", id, ends,
		            duration_format(json_get_int(limit, "secondsLeft", 0), left));
}

/* "$0.0167 so far for 60.123 s (at $0.01 an hour), at most $0.30 until its time limit" */
static void print_cost(const struct invocation *in, const json_t *job)
{
	const json_t *cost = json_object_get(json_object_get(job, "hearth"), "cost");
	const char *reason = json_get_text(json_object_get(job, "status"), "cancelReason", NULL);
	char used[QUANTITY_TEXT_SIZE], most[QUANTITY_TEXT_SIZE], hour[QUANTITY_TEXT_SIZE];
	int64_t micro_usd = json_get_int(cost, "microUsd", 0);
	int64_t estimate = json_get_int(cost, "estimatedMicroUsd", 0);
	int64_t ms = json_get_int(cost, "usedMilliseconds", 0);
	const char *id = json_get_text(job, "id", "");
	if (reason)
		output_text(&in->out, "%s: cancelled by the server: %s", id, reason);
	if (!cost)
		return;
	autofree char *until = xstrdup("");
	if (estimate > micro_usd) {
		free(until);
		until = xasprintf(", at most %s until its time limit",
		                  quantity_format_usd(estimate, most));
	}
	output_text(&in->out, "%s: cost %s for %" PRId64 ".%03" PRId64 " s (%s an hour)%s", id,
	            quantity_format_usd(micro_usd, used), ms / 1000, ms % 1000,
	            quantity_format_usd(json_get_int(cost, "microUsdPerHour", 0), hour), until);
}

static int fetch_one(const struct invocation *in, struct hub *hub, const struct job_ref *ref,
                     json_t *rows, json_t *jobs, struct error *err)
{
	const char *space;
	autojson json_t *job = NULL;
	if (hub_namespace(hub, ref->space, &space, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/jobs/%s/%s", space, ref->id);
	if (hub_ask(hub, "GET", path, NULL, &job, err) < 0)
		return -1;
	json_t *row = job_view_named(job, hub_endpoint(hub));
	add_extras(in, job, row);
	(void)json_array_append_new(rows, row);
	(void)json_array_append(jobs, job);
	return 0;
}

/* The namespace of the first qualified id applies to the unqualified ones, in any order. */
static int parse_all(struct invocation *in, struct job_ref *refs, char **space, struct error *err)
{
	const char *given = options_text(&in->options, "namespace");
	*space = xstrdup(given);
	for (size_t i = 0; i < in->options.n_arguments; i++) {
		if (job_ref_parse(in->options.arguments[i], *space, &refs[i], err) < 0)
			return -1;
		if (!*space)
			*space = xstrdup(refs[i].space);
	}
	for (size_t i = 0; i < in->options.n_arguments; i++)
		if (!refs[i].space)
			refs[i].space = xstrdup(*space);
	return 0;
}

int inspect_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	size_t n = in->options.n_arguments;
	autofree struct job_ref *refs = xcalloc(n, sizeof *refs);
	autofree char *space = NULL;
	autojson json_t *rows = json_array(), *jobs = json_array();
	int rc = parse_all(in, refs, &space, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = fetch_one(in, hub, &refs[i], rows, jobs, &err);
	if (rc == 0)
		output_table(&in->out, rows, NULL, 0, "id");
	for (size_t i = 0; rc == 0 && in->out.mode == OUTPUT_HUMAN && i < n; i++) {
		print_state(in, json_array_get(jobs, i));
		print_cost(in, json_array_get(jobs, i));
	}
	for (size_t i = 0; i < n; i++)
		job_ref_clear(&refs[i]);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}
