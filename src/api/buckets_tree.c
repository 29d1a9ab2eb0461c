/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a bucket: tree and paths-info (hub-jobs-api 7.4, 7.5). */
#include "api/buckets.h"

#include "api/handlers.h"
#include "api/page_link.h"
#include "api/query_number.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TREE_LIMIT 1000
#define TREE_LIMIT_MAX 5000
#define PATHS_MAX 2000

struct tree {
	struct buckets_call call;
	struct buffer json;
	char *last;
	int64_t last_uploaded_ms;
	enum bucket_order order;
	bool has_too_much;
};

json_t *buckets_entry_json(const struct bucket_entry *entry)
{
	const struct bucket_file *file = entry->file;
	char mtime[CLOCK_TEXT_SIZE], uploaded[CLOCK_TEXT_SIZE];
	int64_t ms, below_ms;
	json_t *json;

	if (!file)
		return json_pack("{s:s,s:s}", "type", "directory", "path", entry->path);
	/* Before 1970 the remainder would be negative. */
	below_ms = (file->mtime_ns % 1000000 + 1000000) % 1000000;
	ms = (file->mtime_ns - below_ms) / 1000000;
	json = json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:s}", "type", "file", "path", entry->path,
	                 "size", (json_int_t)file->size, "xetHash", file->hash, "mtime",
	                 clock_format_iso(ms, mtime), "mtimeNanos", (json_int_t)below_ms,
	                 "uploadedAt", clock_format_iso(file->uploaded_ms, uploaded));
	if (file->content_type)
		json_object_set_new(json, "contentType", json_string(file->content_type));
	return json;
}

static struct tree *tree_new(struct api *api, struct http_request *request)
{
	struct tree *tree = xcalloc(1, sizeof(*tree));

	buckets_call_init(&tree->call, api, request);
	tree->json = BUFFER_INIT(BUCKETS_PAGE_MAX);
	(void)buffer_add_byte(&tree->json, '[');
	return tree;
}

static void tree_entry(void *arg, const struct bucket_entry *entry)
{
	struct tree *tree = arg;
	autojson json_t *json = NULL;
	autofree char *text = NULL;

	if (!tree->call.request)
		return;
	json = buckets_entry_json(entry);
	text = json_to_text(json);
	if ((tree->json.len > 1 && buffer_add_byte(&tree->json, ',') < 0) ||
	    buffer_add_text(&tree->json, text) < 0)
		tree->has_too_much = true;
	free(tree->last);
	tree->last = xstrdup(entry->path);
	tree->last_uploaded_ms = entry->file ? entry->file->uploaded_ms : 0;
}

/* A path may hold anything; digits are safe in a URL. By upload: "MILLISECONDS:PATH". */
static void tree_add_link(struct tree *tree)
{
	struct http_request *request = tree->call.request;
	autobuffer struct buffer link = BUFFER_INIT(32768), cursor = BUFFER_INIT(8192);
	autofree char *last = NULL;

	if (tree->order == BUCKET_BY_UPLOAD)
		last = xasprintf("%" PRId64 ":%s", tree->last_uploaded_ms, tree->last);
	else
		last = xstrdup(tree->last);
	for (const char *c = last; *c; c++)
		(void)buffer_printf(&cursor, "%02x", (unsigned char)*c);
	if (page_link_write(&link,
	                    http_base_url(request, tree->call.api->configuration->public_url),
	                    http_path(request), http_raw_query(request), buffer_text(&cursor)) == 0)
		http_add_header(request, "Link", buffer_text(&link));
}

static void tree_done(void *arg, bool has_more, const struct error *err)
{
	struct tree *tree = arg;

	buckets_call_end(&tree->call);
	if (!tree->call.request) {
		/* nobody waits any more */
	} else if (err) {
		answer_error(tree->call.request, err);
	} else if (tree->has_too_much || buffer_add_byte(&tree->json, ']') < 0) {
		answer_fail(tree->call.request, E_TOO_LARGE,
		            "The listing is too long; ask for fewer entries with limit");
	} else {
		if (has_more && tree->last)
			tree_add_link(tree);
		answer_json(tree->call.request, 200, &tree->json);
	}
	buffer_clear(&tree->json);
	free(tree->last);
	free(tree);
}

static char *tree_read_cursor(struct http_request *request)
{
	const char *digits = http_query(request, "cursor");
	size_t len = digits ? strlen(digits) / 2 : 0;
	char *path;

	if (len == 0 || strspn(digits, "0123456789abcdef") != 2 * len || digits[2 * len])
		return NULL;
	path = xcalloc(1, len + 1);
	for (size_t i = 0; i < len; i++) {
		char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};

		path[i] = (char)strtol(pair, NULL, 16);
	}
	return path;
}

static int tree_read_order(struct http_request *request, struct bucket_list_query *ret,
                           struct error *err)
{
	const char *sort = http_query(request, "sort"),
	           *direction = http_query(request, "direction");

	if (sort && strcmp(sort, "path") != 0 && strcmp(sort, "uploadedAt") != 0)
		return fail(err, E_INVALID, "sort must be path or uploadedAt");
	if (direction && strcmp(direction, "asc") != 0 && strcmp(direction, "desc") != 0)
		return fail(err, E_INVALID, "direction must be asc or desc");
	ret->order = sort && *sort == 'u' ? BUCKET_BY_UPLOAD : BUCKET_BY_PATH;
	ret->is_descending = direction ? *direction == 'd' : ret->order == BUCKET_BY_UPLOAD;
	return 0;
}

static int tree_read_query(struct http_request *request, struct bucket_list_query *ret,
                           struct error *err)
{
	const char *recursive = http_query(request, "recursive");
	int64_t limit = TREE_LIMIT;

	if (!query_number(request, "limit", 1, TREE_LIMIT_MAX, &limit))
		return fail(err, E_INVALID, "limit must be a number from 1 to %d", TREE_LIMIT_MAX);
	if (recursive && strcmp(recursive, "true") != 0 && strcmp(recursive, "false") != 0 &&
	    strcmp(recursive, "1") != 0 && strcmp(recursive, "0") != 0)
		return fail(err, E_INVALID, "recursive must be true or false");
	ret->limit = (int)limit;
	ret->is_recursive = !recursive || *recursive == 't' || *recursive == '1';
	return tree_read_order(request, ret, err);
}

/* What a cursor by upload has before the path. Without it there is no such cursor: from the first.
 */
static const char *tree_take_uploaded(const char *cursor, struct bucket_list_query *query)
{
	char *end;

	if (!cursor || query->order != BUCKET_BY_UPLOAD)
		return cursor;
	query->after_uploaded_ms = strtoll(cursor, &end, 10);
	return end != cursor && *end == ':' ? end + 1 : NULL;
}

static void tree_show(struct http_request *request, struct api *api, const char *given)
{
	autofree char *prefix = xstrdup(given), *after = NULL;
	struct bucket_list_query query = {0};
	struct error err = ERROR_INIT;
	struct tree *tree;
	size_t len = strlen(prefix);

	while (len > 0 && prefix[len - 1] == '/')
		prefix[--len] = '\0';
	if (tree_read_query(request, &query, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	/* What cannot exist matches nothing. */
	if (len > 0 && bucket_path_check(prefix, &err) < 0) {
		http_respond_json(request, 200, json_array());
		return;
	}
	after = tree_read_cursor(request);
	query.prefix = prefix;
	query.after = tree_take_uploaded(after, &query);
	tree = tree_new(api, request);
	tree->order = query.order;
	bucket_list(api->buckets, &tree->call.bucket, &query, tree_entry, tree_done, tree);
}

void buckets_tree(struct http_request *request, void *context)
{
	tree_show(request, context, "");
}

void buckets_tree_below(struct http_request *request, void *context)
{
	tree_show(request, context, http_param(request, "prefix"));
}

static int paths_read(json_t *body, const char ***ret, size_t *ret_count, struct error *err)
{
	json_t *paths = json_object_get(body, "paths");
	size_t n = json_is_string(paths) ? 1 : json_array_size(paths);
	const char **list;

	if (!json_is_array(paths) && !json_is_string(paths))
		return fail(err, E_INVALID, "paths must be an array of strings");
	if (n > PATHS_MAX)
		return fail(err, E_INVALID, "paths may name at most %d files", PATHS_MAX);
	list = xcalloc(n + 1, sizeof(*list));
	*ret_count = 0;
	for (size_t i = 0; i < n; i++) {
		const char *path =
		        json_string_value(json_is_string(paths) ? paths : json_array_get(paths, i));
		struct error ignored = ERROR_INIT;

		if (!path) {
			free(list);
			return fail(err, E_INVALID, "paths[%zu] must be a string", i);
		}
		if (bucket_path_check(path, &ignored) == 0)
			list[(*ret_count)++] = path;
	}
	*ret = list;
	return 0;
}

void buckets_paths_info(struct http_request *request, void *context)
{
	struct api *api = context;
	autojson json_t *body = NULL;
	autofree const char **paths = NULL;
	struct error err = ERROR_INIT;
	struct tree *tree;
	size_t count = 0;

	if (http_body_json(request, &body, &err) < 0 ||
	    paths_read(body, &paths, &count, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	tree = tree_new(api, request);
	bucket_stat(api->buckets, &tree->call.bucket, paths, count, tree_entry, tree_done, tree);
}
