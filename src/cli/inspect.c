/* SPDX-License-Identifier: Apache-2.0 */
/* hearth inspect: everything about one or more jobs. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"
#include "cli/job_ref.h"
#include "cli/job_view.h"

static int fetch_one(struct hub *hub, const struct job_ref *ref, json_t *rows, struct error *err)
{
	const char *space;
	autojson json_t *job = NULL;
	if (hub_namespace(hub, ref->space, &space, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/jobs/%s/%s", space, ref->id);
	if (hub_ask(hub, "GET", path, NULL, &job, err) < 0)
		return -1;
	(void)json_array_append_new(rows, job_view_named(job, hub_endpoint(hub)));
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
	autojson json_t *rows = json_array();
	int rc = parse_all(in, refs, &space, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = fetch_one(hub, &refs[i], rows, &err);
	if (rc == 0)
		output_table(&in->out, rows, NULL, 0, "id");
	for (size_t i = 0; i < n; i++)
		job_ref_clear(&refs[i]);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}
