/* SPDX-License-Identifier: Apache-2.0 */
/* hearth queue: who waits, in which order, for how long; and holding one's own jobs. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/duration.h"
#include "cli/hub.h"
#include "cli/job_ref.h"

#include <string.h>

#define ROWS_MAX 1000

/* "~14m 3s", or without "~" when the server promises it. */
static json_t *start_cell(const json_t *item, int64_t now_ms)
{
	const char *start = json_get_text(item, "estimatedStart", NULL);
	char text[DURATION_TEXT_SIZE];
	if (!start)
		return json_string("");
	int64_t ms = clock_parse_iso(start) - now_ms;
	return json_sprintf("%s%s", json_is_true(json_object_get(item, "isPromised")) ? "" : "~",
	                    duration_format(ms > 0 ? ms / 1000 : 0, text));
}

static void copy(json_t *row, const char *name, const json_t *item, const char *member)
{
	json_t *value = json_object_get(item, member);
	if (value && !json_is_null(value))
		(void)json_object_set(row, name, value);
}

static json_t *row_of(const json_t *item, int64_t now_ms, bool is_json)
{
	char age[DURATION_TEXT_SIZE];
	json_t *row = json_object();
	json_t *position = json_object_get(item, "position");
	(void)json_object_set_new(row, "position",
	                          json_is_integer(position) || is_json ? json_incref(position)
	                                                               : json_string("held"));
	copy(row, "job_id", item, "id");
	copy(row, "namespace", item, "namespace");
	copy(row, "user", item, "user");
	copy(row, "flavor", item, "flavor");
	copy(row, "priority", item, "priority");
	(void)json_object_set_new(
	        row, "waiting",
	        json_string(duration_format(json_get_int(item, "ageSeconds", 0), age)));
	(void)json_object_set_new(row, is_json ? "starts_in" : "starts in",
	                          start_cell(item, now_ms));
	copy(row, "message", item, "message");
	copy(row, "hold", item, "hold");
	copy(row, "age_seconds", item, "ageSeconds");
	copy(row, "estimated_start", item, "estimatedStart");
	copy(row, "is_promised", item, "isPromised");
	return row;
}

static int fetch(const struct invocation *in, int64_t limit, json_t **ret, struct error *err)
{
	struct hub *hub;
	if (limit < 1 || limit > ROWS_MAX)
		return fail(err, E_INVALID, "--limit must be a number from 1 to %d", ROWS_MAX);
	if (hub_open(options_text(&in->options, "token"), &hub, err) < 0)
		return -1;
	autofree char *path = xasprintf("/api/queue?limit=%lld", (long long)limit);
	int rc = hub_ask(hub, "GET", path, NULL, ret, err);
	hub_free(hub);
	return rc;
}

int queue_command(struct invocation *in)
{
	static const char *const columns[] = {"position", "job_id",    "namespace",
	                                      "user",     "flavor",    "priority",
	                                      "waiting",  "starts in", "message"};
	struct error err = ERROR_INIT;
	autojson json_t *items = NULL;
	autojson json_t *rows = json_array();
	int64_t limit = options_integer(&in->options, "limit", 100), now_ms = clock_now_ms();
	if (fetch(in, limit, &items, &err) < 0)
		return output_fail(&err);
	size_t i;
	json_t *item;
	json_array_foreach(items, i, item)(void)
	        json_array_append_new(rows, row_of(item, now_ms, in->out.mode == OUTPUT_JSON));
	if (json_array_size(rows) == 0 && in->out.mode != OUTPUT_JSON) {
		output_text(&in->out, "No jobs are waiting.");
		return 0;
	}
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "job_id");
	if ((int64_t)json_array_size(rows) == limit)
		output_hint(&in->out, "Output truncated to %lld jobs. Use `--limit N` for more.",
		            (long long)limit);
	return 0;
}

static int change_one(struct hub *hub, const struct invocation *in, const char *text,
                      const char *what, struct error *err)
{
	struct job_ref ref = {0};
	const char *space = NULL;
	if (job_ref_parse(text, options_text(&in->options, "namespace"), &ref, err) < 0)
		return -1;
	int rc = hub_namespace(hub, ref.space ? ref.space : options_text(&in->options, "namespace"),
	                       &space, err);
	if (rc == 0) {
		autofree char *path = hub_path("/api/jobs/%s/%s/%s", space, ref.id, what);
		rc = hub_ask(hub, "POST", path, NULL, NULL, err);
	}
	job_ref_clear(&ref);
	return rc;
}

static int change(struct invocation *in, const char *what, const char *message)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < in->options.n_arguments; i++) {
		const char *text = in->options.arguments[i];
		rc = change_one(hub, in, text, what, &err);
		if (rc == 0)
			output_result(&in->out, message, json_pack("{s:s}", "id", text));
	}
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

int queue_hold_command(struct invocation *in)
{
	return change(in, "hold", "Job held");
}

int queue_release_command(struct invocation *in)
{
	return change(in, "release", "Job released");
}
