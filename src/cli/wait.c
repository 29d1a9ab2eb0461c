/* SPDX-License-Identifier: Apache-2.0 */
/* hearth wait: until jobs are over. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/duration.h"
#include "cli/hub.h"
#include "cli/job_ref.h"
#include "cli/job_view.h"
#include "cli/job_wait.h"
#include "cli/terminal.h"

#include <string.h>

static void show_status(void *arg, const json_t *job)
{
	const struct invocation *in = arg;
	const char *message = job_view_message(job);
	if (in->out.mode != OUTPUT_HUMAN)
		return;
	autofree char *text =
	        xasprintf("Waiting for job %s (%s%s%s)", json_get_text(job, "id", ""),
	                  job_view_stage(job), message ? ": " : "", message ? message : "");
	terminal_status(text);
}

static bool is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int parse_all(struct invocation *in, struct job_ref *refs, struct error *err)
{
	const char *space = options_text(&in->options, "namespace");
	for (size_t i = 0; i < in->options.n_arguments; i++) {
		if (job_ref_parse(in->options.arguments[i], space, &refs[i], err) < 0)
			return -1;
		if (!is_same(refs[i].space, refs[0].space))
			return fail(err, E_INVALID,
			            "All Job IDs must be in the same namespace, got: %s, %s",
			            refs[0].space ? refs[0].space : "None",
			            refs[i].space ? refs[i].space : "None");
	}
	return 0;
}

static int wait_all(struct invocation *in, struct hub *hub, const struct job_ref *refs,
                    int64_t deadline_ms, json_t *rows, struct error *err)
{
	const struct job_wait_watcher watcher = {show_status, in};
	const char *space;
	if (hub_namespace(hub, refs[0].space, &space, err) < 0)
		return -1;
	for (size_t i = 0; i < in->options.n_arguments; i++) {
		autojson json_t *job = NULL;
		if (job_wait(hub, space, refs[i].id, deadline_ms, &watcher, &job, err) < 0)
			return -1;
		if (!job)
			return fail(err, E_UNAVAILABLE,
			            "Timed out after %s waiting for Job(s) to finish.",
			            options_text(&in->options, "timeout"));
		(void)json_array_append_new(rows, json_pack("{s:s, s:s, s:s?}", "id",
		                                            json_get_text(job, "id", ""), "stage",
		                                            job_view_stage(job), "message",
		                                            job_view_message(job)));
	}
	return 0;
}

static int report(struct invocation *in, const json_t *rows)
{
	autobuffer struct buffer failed = BUFFER_INIT(1u << 20);
	size_t i, n_failed = 0;
	json_t *row;
	terminal_status_clear();
	output_table(&in->out, rows, NULL, 0, NULL);
	json_array_foreach(rows, i, row)
	{
		const char *stage = json_get_text(row, "stage", "");
		if (strcmp(stage, "COMPLETED") == 0)
			continue;
		(void)buffer_printf(&failed, "%s%s (%s)", n_failed++ ? ", " : "",
		                    json_get_text(row, "id", ""), stage);
	}
	if (n_failed == 0)
		return 0;
	return output_error("%zu of %zu Job(s) did not complete successfully: %s", n_failed,
	                    json_array_size(rows), buffer_text(&failed));
}

int wait_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	size_t n = in->options.n_arguments;
	autofree struct job_ref *refs = xcalloc(n, sizeof *refs);
	autojson json_t *rows = json_array();
	const char *timeout = options_text(&in->options, "timeout");
	int64_t seconds = 0;
	int rc = parse_all(in, refs, &err);
	if (rc == 0 && timeout)
		rc = duration_parse_wait(timeout, &seconds, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	terminal_catch_interrupt();
	if (rc == 0)
		rc = wait_all(in, hub, refs, timeout ? clock_monotonic_ms() + seconds * 1000 : -1,
		              rows, &err);
	for (size_t i = 0; i < n; i++)
		job_ref_clear(&refs[i]);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : report(in, rows);
}
