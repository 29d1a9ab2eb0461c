/* SPDX-License-Identifier: Apache-2.0 */
/* Saves, loads and executes plans. */
#include "cli/sync_plan.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/input_file.h"
#include "cli/terminal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PLAN_MAX (512u << 20)

static int64_t total_size(const struct sync_plan *plan)
{
	int64_t total = 0;
	size_t i;
	json_t *operation;
	json_array_foreach(plan->operations, i, operation)
	{
		const char *action = json_get_text(operation, "action", "");
		if (strcmp(action, "upload") == 0 || strcmp(action, "download") == 0)
			total += json_get_int(operation, "size", 0);
	}
	return total;
}

static void write_line(FILE *to, const json_t *value)
{
	autofree char *text = json_dumps(value, JSON_ENSURE_ASCII);
	fprintf(to, "%s\n", text);
}

void sync_plan_write(const struct sync_plan *plan, FILE *to)
{
	autojson json_t *header =
	        json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}}", "type", "header",
	                  "source", plan->source, "dest", plan->dest, "timestamp", plan->timestamp,
	                  "summary", "uploads", (json_int_t)sync_plan_count(plan, "upload"),
	                  "downloads", (json_int_t)sync_plan_count(plan, "download"), "deletes",
	                  (json_int_t)sync_plan_count(plan, "delete"), "skips",
	                  (json_int_t)sync_plan_count(plan, "skip"), "total_size",
	                  (json_int_t)total_size(plan));
	size_t i;
	json_t *operation;
	write_line(to, header);
	json_array_foreach(plan->operations, i, operation) write_line(to, operation);
}

static int read_operations(struct sync_plan *plan, const char *text, struct error *err)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		autojson json_t *value = NULL;
		if (len > 0 && json_parse(text, len, "a line of the plan", &value, err) < 0)
			return -1;
		text += len + (text[len] == '\n');
		if (strcmp(json_get_text(value, "type", ""), "operation") != 0)
			continue;
		if (!bucket_path_is_safe(json_get_text(value, "path", "")))
			return fail(err, E_INVALID,
			            "The plan names '%s', which is no path below a "
			            "folder",
			            json_get_text(value, "path", ""));
		(void)json_array_append(plan->operations, value);
	}
	return 0;
}

int sync_plan_read(const char *path, struct sync_plan *ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(PLAN_MAX);
	autojson json_t *header = NULL;
	if (input_file_read(path, &text, err) < 0)
		return -1;
	const char *lines = buffer_text(&text);
	size_t len = strcspn(lines, "\n");
	if (len == 0)
		return fail(err, E_INVALID, "Empty plan file: %s", path);
	if (json_parse(lines, len, "the plan's header", &header, err) < 0)
		return -1;
	if (strcmp(json_get_text(header, "type", ""), "header") != 0)
		return fail(err, E_INVALID, "Invalid plan file: expected header as first line");
	if (sync_plan_init(ret, json_get_text(header, "source", ""),
	                   json_get_text(header, "dest", ""), err) < 0)
		return -1;
	return read_operations(ret, lines + len + (lines[len] == '\n'), err);
}

static int64_t plan_mtime(const json_t *operation)
{
	const char *text = json_get_text(operation, "remote_mtime", "");
	autofree char *plain = xasprintf("%.*sZ", (int)strcspn(text, "+"), text);
	return clock_parse_iso(plain);
}

struct run {
	const struct sync_plan *plan;
	struct hub *hub;
	bool prints, shows_status;
	size_t done, count;
	json_t *deleted; /* remote paths */
};

static void tell(const struct run *run, const char *verb, const json_t *operation)
{
	if (run->prints)
		printf("  %s: %s (%s)\n", verb, json_get_text(operation, "path", ""),
		       json_get_text(operation, "reason", ""));
	if (run->shows_status) {
		autofree char *text = xasprintf("%s %zu/%zu: %s", verb, run->done, run->count,
		                                json_get_text(operation, "path", ""));
		terminal_status(text);
	}
}

/* The file, then the folders above it that are empty now. */
static int delete_local(const struct sync_plan *plan, const char *path, struct error *err)
{
	autofree char *full = bucket_path_join(plan->folder, path);
	if (unlink(full) < 0 && errno != ENOENT)
		return fail_errno(err, E_INVALID, errno, "cannot remove %s", full);
	size_t root = strlen(plan->folder);
	for (char *slash; (slash = strrchr(full, '/')) && (size_t)(slash - full) > root;) {
		*slash = '\0';
		if (rmdir(full) < 0)
			break;
	}
	return 0;
}

static int do_delete(struct run *run, const json_t *operation, struct error *err)
{
	const char *path = json_get_text(operation, "path", "");
	tell(run, "Deleting", operation);
	if (!run->plan->is_upload)
		return delete_local(run->plan, path, err);
	autofree char *remote = bucket_path_join(run->plan->bucket.path, path);
	(void)json_array_append_new(run->deleted, json_string(remote));
	return 0;
}

static int do_transfer(struct run *run, const json_t *operation, struct error *err)
{
	const struct sync_plan *plan = run->plan;
	const char *path = json_get_text(operation, "path", "");
	autofree char *local = bucket_path_join(plan->folder, path);
	autofree char *remote = bucket_path_join(plan->bucket.path, path);
	run->done++;
	tell(run, plan->is_upload ? "Uploading" : "Downloading", operation);
	if (plan->is_upload)
		return bucket_hub_upload_file(run->hub, &plan->bucket, remote, local, err);
	return bucket_hub_download_file(run->hub, &plan->bucket, remote, local,
	                                plan_mtime(operation), err);
}

static int execute_all(struct run *run, struct error *err)
{
	size_t i;
	json_t *operation;
	json_array_foreach(run->plan->operations, i, operation)
	{
		const char *action = json_get_text(operation, "action", "");
		int rc = 0;
		if (terminal_interrupted())
			return fail(err, E_CONFLICT, "Interrupted");
		if (strcmp(action, "skip") == 0 && run->prints)
			tell(run, "Skipping", operation);
		else if (strcmp(action, "delete") == 0)
			rc = do_delete(run, operation, err);
		else if (strcmp(action, run->plan->is_upload ? "upload" : "download") == 0)
			rc = do_transfer(run, operation, err);
		if (rc < 0)
			return -1;
	}
	if (json_array_size(run->deleted) > 0)
		return bucket_hub_delete(run->hub, &run->plan->bucket, run->deleted, err);
	return 0;
}

int sync_plan_execute(const struct sync_plan *plan, struct hub *hub, bool prints, bool shows_status,
                      struct error *err)
{
	autojson json_t *deleted = json_array();
	struct run run = {
	        .plan = plan,
	        .hub = hub,
	        .prints = prints,
	        .shows_status = shows_status,
	        .count = (size_t)(sync_plan_count(plan, "upload") +
	                          sync_plan_count(plan, "download")),
	        .deleted = deleted,
	};
	int rc = execute_all(&run, err);
	terminal_status_clear();
	return rc;
}
