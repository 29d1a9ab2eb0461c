/* SPDX-License-Identifier: Apache-2.0 */
/* hearth bucket rm: files of a bucket. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/bucket_hub.h"
#include "cli/bucket_tree.h"
#include "cli/confirm.h"
#include "cli/path_filter.h"

#include <string.h>

struct removal {
	struct bucket_uri bucket;
	json_t *paths;
	int64_t bytes;
};

static int collect(struct invocation *in, struct hub *hub, struct removal *removal,
                   struct error *err)
{
	autojson json_t *entries = NULL;
	struct path_filter *filter = NULL;
	size_t i;
	json_t *entry;
	if (path_filter_new(&in->options, false, &filter, err) < 0)
		return -1;
	int rc = bucket_hub_tree(hub, &removal->bucket, true, &entries, err);
	json_array_foreach(entries, i, entry)
	{
		const char *path = json_get_text(entry, "path", "");
		if (strcmp(json_get_text(entry, "type", "file"), "file") != 0 ||
		    !path_filter_matches(filter, path))
			continue;
		removal->bytes += json_get_int(entry, "size", 0);
		(void)json_array_append_new(removal->paths, json_string(path));
	}
	path_filter_free(filter);
	return rc;
}

static void print_paths(struct invocation *in, const struct removal *removal, const char *before)
{
	size_t i;
	json_t *path;
	json_array_foreach(removal->paths, i, path)
	        output_text(&in->out, "%s%s", before, json_string_value(path));
}

static int remove_many(struct invocation *in, struct hub *hub, struct removal *removal,
                       struct error *err)
{
	const char *id = removal->bucket.id;
	char size[BUCKET_SIZE_TEXT];
	if (collect(in, hub, removal, err) < 0)
		return -1;
	size_t count = json_array_size(removal->paths);
	if (count == 0) {
		output_text(&in->out, "No files to remove.");
		return 0;
	}
	bucket_size_format(removal->bytes, true, size);
	if (options_flag(&in->options, "dry-run")) {
		autofree char *before = xasprintf("delete: " BUCKET_URI_PREFIX "%s/", id);
		print_paths(in, removal, before);
		output_text(&in->out, "(dry run) %zu file(s) totaling %s would be removed.", count,
		            size);
		return 0;
	}
	if (!options_flag(&in->options, "yes"))
		print_paths(in, removal, "  ");
	if (!confirm(in, "Remove %zu file(s) totaling %s from '%s'?", count, size, id))
		return 1;
	if (bucket_hub_delete(hub, &removal->bucket, removal->paths, err) < 0)
		return -1;
	autofree char *message =
	        xasprintf("Removed %zu file(s) totaling %s from '%s'", count, size, id);
	output_result(&in->out, message,
	              json_pack("{s:s, s:I, s:s}", "bucket_id", id, "files_deleted",
	                        (json_int_t)count, "size", size));
	return 0;
}

/* The server takes the removal of what is not there for done; whoever mistypes should hear of it.
 */
static int look_for(struct hub *hub, const struct removal *removal, bool *ret_is_there,
                    struct error *err)
{
	const char *path = removal->bucket.path;
	autojson json_t *entries = NULL;
	size_t i;
	json_t *entry;
	if (bucket_hub_tree(hub, &removal->bucket, false, &entries, err) < 0)
		return -1;
	*ret_is_there = false;
	json_array_foreach(entries, i, entry)
	{
		if (strcmp(json_get_text(entry, "path", ""), path) == 0 &&
		    strcmp(json_get_text(entry, "type", ""), "file") == 0)
			*ret_is_there = true;
	}
	if (*ret_is_there || json_array_size(entries) == 0)
		return 0;
	return fail(err, E_INVALID, "%s is a folder; use --recursive to remove its files", path);
}

static int remove_one(struct invocation *in, struct hub *hub, const struct removal *removal,
                      struct error *err)
{
	const char *path = removal->bucket.path, *id = removal->bucket.id;
	bool is_there;
	if (options_flag(&in->options, "dry-run")) {
		output_text(&in->out, "delete: " BUCKET_URI_PREFIX "%s/%s", id, path);
		output_text(&in->out, "(dry run) 1 file would be removed.");
		return 0;
	}
	if (look_for(hub, removal, &is_there, err) < 0)
		return -1;
	if (!is_there) {
		output_text(&in->out, "No files to remove.");
		return 0;
	}
	(void)json_array_append_new(removal->paths, json_string(path));
	if (!confirm(in, "Remove '%s' from '%s'?", path, id))
		return 1;
	if (bucket_hub_delete(hub, &removal->bucket, removal->paths, err) < 0)
		return -1;
	output_result(&in->out, "File removed",
	              json_pack("{s:s, s:s}", "path", path, "bucket_id", id));
	return 0;
}

static int check(struct invocation *in, const struct removal *removal, struct error *err)
{
	const struct bucket_uri *bucket = &removal->bucket;
	bool is_recursive = options_flag(&in->options, "recursive");
	if (!*bucket->path && !is_recursive)
		return fail(err, E_INVALID,
		            "No file path specified. To remove files, provide a path (e.g. "
		            "'%s/FILE') or use --recursive to remove all files. To delete the "
		            "entire bucket, use `hearth bucket delete %s`.",
		            bucket->id, bucket->id);
	if (!is_recursive &&
	    (options_text(&in->options, "include") || options_text(&in->options, "exclude")))
		return fail(err, E_INVALID, "--include and --exclude require --recursive.");
	return 0;
}

int bucket_remove_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct removal removal = {.paths = json_array()};
	int rc = bucket_uri_parse(in->options.arguments[0], &removal.bucket, &err);
	if (rc == 0)
		rc = check(in, &removal, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = options_flag(&in->options, "recursive") ? remove_many(in, hub, &removal, &err)
		                                             : remove_one(in, hub, &removal, &err);
	hub_free(hub);
	bucket_uri_clear(&removal.bucket);
	json_decref(removal.paths);
	return rc < 0 ? output_fail(&err) : rc;
}
