/* SPDX-License-Identifier: Apache-2.0 */
/* Lists both sides and compares them. */
#include "cli/sync_plan.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/local_tree.h"
#include "cli/terminal.h"

#include <string.h>

#define WINDOW_MS 1000

/* {"size","mtime"} by path */
struct sides {
	const struct sync_options *options;
	json_t *local, *remote;
};

int sync_plan_init(struct sync_plan *plan, const char *source, const char *dest, struct error *err)
{
	bool is_from_bucket = bucket_uri_is(source), is_to_bucket = bucket_uri_is(dest);
	if (is_from_bucket && is_to_bucket)
		return fail(err, E_INVALID,
		            "Remote to remote sync is not supported. One path must be local.");
	if (!is_from_bucket && !is_to_bucket)
		return fail(err, E_INVALID,
		            "One of source or dest must be a bucket path (hf://buckets/...).");
	*plan = (struct sync_plan){.is_upload = is_to_bucket};
	if (bucket_uri_parse(is_to_bucket ? dest : source, &plan->bucket, err) < 0)
		return -1;
	plan->source = xstrdup(source);
	plan->dest = xstrdup(dest);
	const char *folder = is_to_bucket ? source : dest;
	size_t len = strlen(folder);
	while (len > 1 && folder[len - 1] == '/')
		len--;
	plan->folder = xstrndup(folder, len);
	plan->operations = json_array();
	char now[CLOCK_TEXT_SIZE];
	plan->timestamp = xasprintf("%.23s+00:00", clock_format_iso(clock_now_ms(), now));
	return 0;
}

void sync_plan_clear(struct sync_plan *plan)
{
	free(plan->source);
	free(plan->dest);
	free(plan->timestamp);
	free(plan->folder);
	bucket_uri_clear(&plan->bucket);
	json_decref(plan->operations);
	*plan = (struct sync_plan){0};
}

static bool is_wanted(const struct sides *sides, const char *path)
{
	return !sides->options->filter || path_filter_matches(sides->options->filter, path);
}

static void add_file(json_t *side, const char *path, int64_t size, int64_t mtime_ms)
{
	(void)json_object_set_new(
	        side, path,
	        json_pack("{s:I, s:I}", "size", (json_int_t)size, "mtime", (json_int_t)mtime_ms));
}

static void add_local(void *arg, const struct local_file *file)
{
	struct sides *sides = arg;
	if (is_wanted(sides, file->path))
		add_file(sides->local, file->path, file->size, file->mtime_ms);
}

/* The path below the prefix; a prefix that is a file is that file. */
static const char *relative_path(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);
	if (len == 0)
		return path;
	if (path[len] == '/')
		return path + len + 1;
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static int list_remote(const struct sync_plan *plan, struct hub *hub, struct sides *sides,
                       struct error *err)
{
	autojson json_t *entries = NULL;
	size_t i;
	json_t *entry;
	if (bucket_hub_tree(hub, &plan->bucket, true, &entries, err) < 0) {
		/* There may be none yet: then the first upload says so. */
		if (!plan->is_upload || err->code != E_NOT_FOUND)
			return -1;
		*err = ERROR_INIT;
		return 0;
	}
	json_array_foreach(entries, i, entry)
	{
		if (strcmp(json_get_text(entry, "type", "file"), "file") != 0)
			continue;
		const char *path =
		        relative_path(json_get_text(entry, "path", ""), plan->bucket.path);
		if (!bucket_path_is_safe(path))
			return fail(err, E_INVALID,
			            "The server names a file '%s', which is no "
			            "path below a folder",
			            path);
		int64_t mtime_ms = bucket_hub_mtime(entry);
		if (is_wanted(sides, path))
			add_file(sides->remote, path, json_get_int(entry, "size", 0),
			         mtime_ms < 0 ? 0 : mtime_ms);
	}
	return 0;
}

/* Only what exists remotely matters, unless the rest is to be deleted. */
static void stat_local(const struct sync_plan *plan, struct sides *sides)
{
	const char *path;
	json_t *unused;
	json_object_foreach(sides->remote, path, unused)
	{
		autofree char *full = bucket_path_join(plan->folder, path);
		struct local_file file;
		if (local_file_stat(full, &file))
			add_file(sides->local, path, file.size, file.mtime_ms);
	}
}

static int list_both(const struct sync_plan *plan, struct hub *hub, struct sides *sides,
                     struct error *err)
{
	if (sides->options->shows_status)
		terminal_status("Scanning local directory and bucket");
	if (list_remote(plan, hub, sides, err) < 0)
		return -1;
	if (plan->is_upload || (sides->options->deletes && local_is_folder(plan->folder)))
		return local_tree_each(plan->folder, add_local, sides, err);
	stat_local(plan, sides);
	return 0;
}

static json_t *iso_time(const json_t *file)
{
	int64_t ms = json_get_int(file, "mtime", 0);
	char text[CLOCK_TEXT_SIZE];
	clock_format_iso(ms, text);
	if (ms % 1000 == 0)
		return json_sprintf("%.19s+00:00", text);
	return json_sprintf("%.23s000+00:00", text);
}

struct comparison {
	const char *action; /* "upload" or "download" */
	const char *source_newer, *dest_newer;
	const json_t *source, *dest; /* NULL: not there */
};

/* Sets *ret_reason, returns whether to act. */
static bool compare_both(const struct comparison *c, const struct sync_options *o,
                         const char **ret_reason)
{
	int64_t newer_ms = json_get_int(c->source, "mtime", 0) - json_get_int(c->dest, "mtime", 0);
	bool size_differs = json_get_int(c->source, "size", 0) != json_get_int(c->dest, "size", 0);
	bool is_newer = newer_ms > WINDOW_MS;
	if (o->ignores_existing) {
		*ret_reason = "exists on receiver (--ignore-existing)";
		return false;
	}
	if (o->ignores_sizes) {
		*ret_reason = is_newer                ? c->source_newer
		              : newer_ms < -WINDOW_MS ? c->dest_newer
		                                      : "same mtime";
		return is_newer;
	}
	if (o->ignores_times) {
		*ret_reason = size_differs ? "size differs" : "same size";
		return size_differs;
	}
	*ret_reason = size_differs ? "size differs" : is_newer ? c->source_newer : "identical";
	return size_differs || is_newer;
}

/* NULL: nothing to do, and nothing to say. */
static const char *decide(const struct comparison *c, const struct sync_options *o,
                          const char **ret_reason)
{
	if (c->source && c->dest)
		return compare_both(c, o, ret_reason) ? c->action : "skip";
	if (c->source) {
		*ret_reason = o->existing ? "new file (--existing)" : "new file";
		return o->existing ? "skip" : c->action;
	}
	*ret_reason = "not in source (--delete)";
	return o->deletes ? "delete" : NULL;
}

static void add_operation(struct sync_plan *plan, const struct sides *sides, const char *path)
{
	const json_t *local = json_object_get(sides->local, path);
	const json_t *remote = json_object_get(sides->remote, path);
	struct comparison c = {
	        .action = plan->is_upload ? "upload" : "download",
	        .source_newer = plan->is_upload ? "local newer" : "remote newer",
	        .dest_newer = plan->is_upload ? "remote newer" : "local newer",
	        .source = plan->is_upload ? local : remote,
	        .dest = plan->is_upload ? remote : local,
	};
	const char *reason, *action = decide(&c, sides->options, &reason);
	if (!action)
		return;
	const json_t *sized = c.source ? c.source : c.dest;
	json_t *operation = json_pack("{s:s, s:s, s:s, s:s, s:I}", "type", "operation", "action",
	                              action, "path", path, "reason", reason, "size",
	                              (json_int_t)json_get_int(sized, "size", 0));
	if (local)
		(void)json_object_set_new(operation, "local_mtime", iso_time(local));
	if (remote)
		(void)json_object_set_new(operation, "remote_mtime", iso_time(remote));
	(void)json_array_append_new(plan->operations, operation);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void compare_all(struct sync_plan *plan, const struct sides *sides)
{
	size_t count = 0;
	autofree const char **paths =
	        xcalloc(json_object_size(sides->local) + json_object_size(sides->remote) + 1,
	                sizeof *paths);
	const char *path;
	json_t *unused;
	json_object_foreach(sides->local, path, unused) paths[count++] = path;
	json_object_foreach(sides->remote, path, unused) if (!json_object_get(sides->local, path))
	        paths[count++] = path;
	qsort(paths, count, sizeof *paths, by_text);
	for (size_t i = 0; i < count; i++)
		add_operation(plan, sides, paths[i]);
}

int sync_plan_compute(struct sync_plan *plan, struct hub *hub, const struct sync_options *options,
                      struct error *err)
{
	autojson json_t *local = json_object();
	autojson json_t *remote = json_object();
	struct sides sides = {options, local, remote};
	int rc = list_both(plan, hub, &sides, err);
	terminal_status_clear();
	if (rc < 0)
		return -1;
	compare_all(plan, &sides);
	return 0;
}

int64_t sync_plan_count(const struct sync_plan *plan, const char *action)
{
	int64_t count = 0;
	size_t i;
	json_t *operation;
	json_array_foreach(plan->operations, i, operation) count +=
	        strcmp(json_get_text(operation, "action", ""), action) == 0;
	return count;
}
