/* SPDX-License-Identifier: Apache-2.0 */
/* hearth ps: jobs with filters, page by page until enough are there. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"
#include "cli/job_view.h"
#include "cli/list_filter.h"

#include <ctype.h>
#include <string.h>

struct filters {
	char *path;            /* the request */
	struct buffer message; /* "status=RUNNING, label=env=prod" */
};

static void add_filter(struct filters *f, const char *kind, const char *value)
{
	(void)buffer_printf(&f->message, "%s%s=%s", f->message.len ? ", " : "", kind, value);
}

static void add_statuses(struct filters *f, const char *list)
{
	autofree char *copy = xstrdup(list);
	char *rest = copy, *word;
	while ((word = list_filter_word(&rest))) {
		add_filter(f, "status", word);
		for (char *c = word; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		hub_path_query(&f->path, "stage", word);
	}
}

static int add_labels(struct filters *f, const struct options *options, struct error *err)
{
	const char *name = options_text(options, "name");
	const char *text;
	for (size_t i = 0; (text = options_each(options, "label", i)); i++) {
		if (list_filter_check_label(text, name, err) < 0)
			return -1;
		add_filter(f, "label", text);
		hub_path_query(&f->path, "label", text);
	}
	if (name) {
		autofree char *label = xasprintf("name=%s", name);
		add_filter(f, "label", label);
		hub_path_query(&f->path, "label", label);
	}
	return 0;
}

static int build_filters(struct filters *f, const struct options *options, struct error *err)
{
	const char *text;
	bool is_all = options_flag(options, "all");
	if (is_all && options_flag(options, "status"))
		return fail(err, E_INVALID, "`-a`/`--all` cannot be combined with `--status`.");
	for (size_t i = 0; (text = options_each(options, "status", i)); i++)
		add_statuses(f, text);
	if (!is_all && f->message.len == 0) {
		hub_path_query(&f->path, "stage", "RUNNING");
		hub_path_query(&f->path, "stage", "SCHEDULING");
	}
	return add_labels(f, options, err);
}

/* One job more than `limit`, to know that there are more. limit 0: all. */
static int fetch(struct hub *hub, const char *path, int64_t limit, json_t *ret_jobs,
                 struct error *err)
{
	autofree char *next = xstrdup(path);
	while (next && (limit == 0 || (int64_t)json_array_size(ret_jobs) <= limit)) {
		autojson json_t *page = NULL;
		autofree char *after = NULL;
		if (hub_ask_page(hub, next, &page, &after, err) < 0)
			return -1;
		(void)json_array_extend(ret_jobs, page);
		free(next);
		next = take_ptr(&after);
	}
	return 0;
}

static void show(struct invocation *in, struct hub *hub, const json_t *jobs, int64_t limit,
                 const char *filters)
{
	static const char *const columns[] = {"job_id",  "name",   "image/space", "command",
	                                      "created", "status", "runtime"};
	autojson json_t *rows = json_array();
	size_t i, count = json_array_size(jobs);
	bool is_cut = limit > 0 && (int64_t)count > limit;
	for (i = 0; i < count && !(is_cut && (int64_t)i == limit); i++)
		(void)json_array_append_new(
		        rows, job_view_listed(json_array_get(jobs, i), hub_endpoint(hub)));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "job_id");
	if (is_cut)
		output_hint(&in->out,
		            "Output truncated to %lld Jobs. Use `--limit 0` to show all (or "
		            "`--limit N`).",
		            (long long)limit);
	if (count)
		return;
	if (*filters)
		output_text(&in->out, "No jobs matched filters: %s", filters);
	else if (!options_flag(&in->options, "all"))
		output_hint(&in->out, "No running jobs. Use `-a`/`--all` to include finished (and "
		                      "failed) jobs.");
}

static int list_jobs(struct invocation *in, struct hub *hub, struct filters *f, struct error *err)
{
	const char *space;
	autojson json_t *jobs = json_array();
	int64_t limit = options_integer(&in->options, "limit", 100);
	if (hub_namespace(hub, options_text(&in->options, "namespace"), &space, err) < 0)
		return -1;
	autofree char *base = hub_path("/api/jobs/%s", space);
	autofree char *path = xasprintf("%s%s", base, f->path);
	if (fetch(hub, path, limit < 0 ? 0 : limit, jobs, err) < 0)
		return -1;
	show(in, hub, jobs, limit < 0 ? 0 : limit, buffer_text(&f->message));
	return 0;
}

int list_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct filters f = {.path = xstrdup(""), .message = BUFFER_INIT(1u << 20)};
	if (options_flag(&in->options, "filter"))
		output_warning(
		        "`-f`/`--filter` is ignored: use `--status`, `--label` or `--name`.");
	int rc = build_filters(&f, &in->options, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = list_jobs(in, hub, &f, &err);
	hub_free(hub);
	free(f.path);
	buffer_clear(&f.message);
	return rc < 0 ? output_fail(&err) : 0;
}
