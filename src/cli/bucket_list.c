/* SPDX-License-Identifier: Apache-2.0 */
/* hearth bucket ls and du: buckets of a namespace, files of a bucket, and how much they take. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/bucket_hub.h"
#include "cli/bucket_tree.h"

#include <string.h>

static int fetch_buckets(struct hub *hub, const char *space, const char *search, json_t *ret,
                         struct error *err)
{
	autofree char *next = hub_path("/api/buckets/%s", space);
	if (search)
		hub_path_query(&next, "search", search);
	while (next) {
		autojson json_t *page = NULL;
		autofree char *after = NULL;
		if (hub_ask_page(hub, next, &page, &after, err) < 0)
			return -1;
		(void)json_array_extend(ret, page);
		free(next);
		next = take_ptr(&after);
	}
	return 0;
}

static json_t *bucket_row(const json_t *bucket, bool is_readable)
{
	char size[BUCKET_SIZE_TEXT];
	json_t *bytes = json_object_get(bucket, "size");
	return json_pack(
	        "{s:O?, s:O?, s:o, s:O?, s:O?}", "id", json_object_get(bucket, "id"), "private",
	        json_object_get(bucket, "private"), "size",
	        is_readable ? json_string(bucket_size_format(json_integer_value(bytes), true, size))
	                    : json_incref(bytes),
	        "total_files", json_object_get(bucket, "totalFiles"), "created_at",
	        json_object_get(bucket, "createdAt"));
}

static int list_buckets(struct invocation *in, struct hub *hub, const char *argument,
                        struct error *err)
{
	static const char *const columns[] = {"id", "private", "size", "total_files", "created_at"};
	if (options_flag(&in->options, "tree"))
		return fail(err, E_INVALID, "Cannot use --tree when listing buckets.");
	if (options_flag(&in->options, "recursive"))
		return fail(err, E_INVALID, "Cannot use --recursive when listing buckets.");
	if (argument && strncmp(argument, BUCKET_URI_PREFIX, strlen(BUCKET_URI_PREFIX)) == 0)
		argument += strlen(BUCKET_URI_PREFIX);
	autofree char *space =
	        xstrndup(argument ? argument : "me", argument ? strcspn(argument, "/") : 2);
	autojson json_t *buckets = json_array();
	autojson json_t *rows = json_array();
	size_t i;
	json_t *bucket;
	if (fetch_buckets(hub, space, options_text(&in->options, "search"), buckets, err) < 0)
		return -1;
	json_array_foreach(buckets, i, bucket)(void) json_array_append_new(
	        rows, bucket_row(bucket, options_flag(&in->options, "human-readable")));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "id");
	return 0;
}

static int list_files(struct invocation *in, struct hub *hub, const char *argument,
                      struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	autojson json_t *entries = NULL;
	struct bucket_listing listing = {
	        .is_readable = options_flag(&in->options, "human-readable"),
	        .is_tree = options_flag(&in->options, "tree"),
	        .is_recursive = options_flag(&in->options, "recursive"),
	};
	if (options_text(&in->options, "search"))
		return fail(err, E_INVALID, "Cannot use --search when listing files.");
	if (listing.is_tree && in->out.mode == OUTPUT_JSON)
		return fail(err, E_INVALID, "Cannot use --tree with --format json.");
	if (bucket_uri_parse(argument, &bucket, err) < 0 ||
	    bucket_hub_tree(hub, &bucket, listing.is_recursive, &entries, err) < 0)
		return -1;
	bucket_listing_print(&in->out, &listing, entries);
	return 0;
}

/* "namespace", "hf://buckets/namespace/" or a bucket. */
static bool is_bucket_id(const char *argument)
{
	if (strncmp(argument, BUCKET_URI_PREFIX, strlen(BUCKET_URI_PREFIX)) == 0)
		argument += strlen(BUCKET_URI_PREFIX);
	const char *slash = strchr(argument, '/');
	return slash && slash[1];
}

int bucket_list_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	const char *argument = in->options.n_arguments ? in->options.arguments[0] : NULL;
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = argument && is_bucket_id(argument) ? list_files(in, hub, argument, &err)
		                                        : list_buckets(in, hub, argument, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

static int measure(struct hub *hub, const char *argument, json_t *rows, struct error *err)
{
	struct bucket_uri bucket autouri = {0};
	autojson json_t *entries = NULL;
	int64_t bytes = 0, files = 0;
	size_t i;
	json_t *entry;
	if (bucket_uri_parse(argument, &bucket, err) < 0 ||
	    bucket_hub_tree(hub, &bucket, true, &entries, err) < 0)
		return -1;
	json_array_foreach(entries, i, entry)
	{
		if (strcmp(json_get_text(entry, "type", "file"), "file") != 0)
			continue;
		bytes += json_get_int(entry, "size", 0);
		files++;
	}
	(void)json_array_append_new(rows, json_pack("{s:I, s:I, s:s}", "size", (json_int_t)bytes,
	                                            "files", (json_int_t)files, "path", argument));
	return 0;
}

int bucket_du_command(struct invocation *in)
{
	static const char *const columns[] = {"size", "files", "path"};
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	autojson json_t *rows = json_array();
	int rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	for (size_t i = 0; rc == 0 && i < in->options.n_arguments; i++)
		rc = measure(hub, in->options.arguments[i], rows, &err);
	if (rc < 0 && hub)
		bucket_hub_suggest(hub, in->options.arguments, in->options.n_arguments, &err);
	hub_free(hub);
	if (rc < 0)
		return output_fail(&err);
	size_t i;
	json_t *row;
	char size[BUCKET_SIZE_TEXT];
	if (options_flag(&in->options, "human-readable"))
		json_array_foreach(rows, i, row)(void) json_object_set_new(
		        row, "size",
		        json_string(bucket_size_format(json_get_int(row, "size", 0), true, size)));
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "size");
	return 0;
}
