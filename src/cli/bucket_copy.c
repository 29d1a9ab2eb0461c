/* SPDX-License-Identifier: Apache-2.0 */
/* hearth bucket cp: one file up or down (- is standard input or output), or files between buckets.
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/bucket_hub.h"
#include "cli/local_tree.h"

#include <string.h>
#include <unistd.h>

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static void tell(struct invocation *in, const char *what, const char *from, const char *to)
{
	output_result(&in->out, what, json_pack("{s:s, s:s}", "src", from, "dst", to));
}

static int download(struct invocation *in, struct hub *hub, const char *src, const char *dst,
                    struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	if (bucket_uri_parse(src, &bucket, err) < 0)
		return -1;
	if (!*bucket.path || bucket.is_folder)
		return fail(err, E_INVALID,
		            "Source path must include a file name, not just a bucket or directory "
		            "path. Use `hearth bucket sync` to copy directories.");
	if (dst && strcmp(dst, "-") == 0)
		return bucket_hub_download(hub, &bucket, bucket.path, STDOUT_FILENO, err);
	const char *name = last_name(bucket.path);
	bool is_into = dst && (local_is_folder(dst) || dst[strlen(dst) - 1] == '/');
	autofree char *local =
	        !dst      ? xstrdup(name)
	        : is_into ? xasprintf("%s%s%s", dst, dst[strlen(dst) - 1] == '/' ? "" : "/", name)
	                  : xstrdup(dst);
	if (bucket_hub_download_file(hub, &bucket, bucket.path, local, -1, err) < 0)
		return -1;
	tell(in, "Downloaded", src, local);
	return 0;
}

static int upload(struct invocation *in, struct hub *hub, const char *src, const char *dst,
                  struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	bool is_stdin = strcmp(src, "-") == 0;
	struct local_file file;
	if (bucket_uri_parse(dst, &bucket, err) < 0)
		return -1;
	if (is_stdin && (!*bucket.path || bucket.is_folder))
		return fail(err, E_INVALID,
		            "Stdin upload requires a full destination path including filename.");
	if (!is_stdin && local_is_folder(src))
		return fail(err, E_INVALID,
		            "Source must be a file, not a directory. Use `hearth "
		            "bucket sync` for directories.");
	if (!is_stdin && !local_file_stat(src, &file))
		return fail(err, E_NOT_FOUND, "Source file not found: %s", src);
	autofree char *path = !*bucket.path || bucket.is_folder
	                              ? bucket_path_join(bucket.path, last_name(src))
	                              : xstrdup(bucket.path);
	if (is_stdin ? bucket_hub_upload(hub, &bucket, path, STDIN_FILENO, -1, -1, err) < 0
	             : bucket_hub_upload_file(hub, &bucket, path, src, err) < 0)
		return -1;
	autofree char *uri = xasprintf(BUCKET_URI_PREFIX "%s/%s", bucket.id, path);
	tell(in, "Uploaded", is_stdin ? "stdin" : src, uri);
	return 0;
}

/* Where a file of the source goes: a single file like cp(1), a folder's files below the target. */
static char *target_path(const struct bucket_uri *from, const struct bucket_uri *to,
                         const char *path)
{
	bool is_single = strcmp(path, from->path) == 0;
	if (is_single && *to->path && !to->is_folder)
		return xstrdup(to->path);
	if (is_single)
		return bucket_path_join(to->path, last_name(path));
	return bucket_path_join(to->path, path + strlen(from->path) + (*from->path != '\0'));
}

static int copy(struct invocation *in, struct hub *hub, const char *src, const char *dst,
                struct error *err)
{
	struct bucket_uri from autouri = {0}, to autouri = {0};
	autojson json_t *entries = NULL;
	autobuffer struct buffer lines = BUFFER_INIT(16u << 20);
	size_t i;
	json_t *entry;
	if (bucket_uri_parse(src, &from, err) < 0 || bucket_uri_parse(dst, &to, err) < 0 ||
	    bucket_hub_tree(hub, &from, true, &entries, err) < 0)
		return -1;
	if (json_array_size(entries) == 0)
		return fail(err, E_NOT_FOUND, "There is no file %s", src);
	json_array_foreach(entries, i, entry)
	{
		autofree char *path = target_path(&from, &to, json_get_text(entry, "path", ""));
		autojson json_t *line =
		        json_pack("{s:s, s:s, s:O?, s:s, s:s}", "type", "copyFile", "path", path,
		                  "xetHash", json_object_get(entry, "xetHash"), "sourceRepoType",
		                  "bucket", "sourceRepoId", from.id);
		autofree char *text = json_to_text(line);
		if (buffer_printf(&lines, "%s\n", text) < 0)
			return fail(err, E_TOO_LARGE, "too many files for one call of cp");
	}
	autofree char *url = hub_path("/api/buckets/%s/%s/batch", to.space, to.name);
	if (hub_send(hub, "POST", url, "application/x-ndjson", lines.data, lines.len, NULL, err) <
	    0)
		return -1;
	tell(in, "Copied", src, dst);
	return 0;
}

static int dispatch(struct invocation *in, struct hub *hub, struct error *err)
{
	const char *src = in->options.arguments[0];
	const char *dst = in->options.n_arguments > 1 ? in->options.arguments[1] : NULL;
	bool is_from = bucket_uri_is(src), is_to = dst && bucket_uri_is(dst);
	if (is_from && is_to)
		return copy(in, hub, src, dst, err);
	if (is_from)
		return download(in, hub, src, dst, err);
	if (is_to)
		return upload(in, hub, src, dst, err);
	if (!dst)
		return fail(err, E_INVALID,
		            "Missing destination. Provide a bucket hf://buckets/... URI as DST.");
	return fail(err, E_INVALID, "One of SRC or DST must be a bucket (hf://buckets/...) URI.");
}

int bucket_copy_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = dispatch(in, hub, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}
