/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of the mirror: folders are made out of the paths of files, which are in order. */
#include "api/mirror_private.h"

#include "api/answer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "net/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000

static void entry_expand(const struct mirror_call *call, json_t *entry)
{
	char date[CLOCK_TEXT_SIZE];

	clock_format_iso(call->listing->newest_ms, date);
	json_object_set_new(entry, "lastCommit",
	                    json_pack("{s:s, s:s, s:s}", "id", call->listing->commit, "title",
	                              "mirrored", "date", date));
}

json_t *mirror_entry(const struct mirror_call *call, const struct mirror_file *file,
                     bool is_expanded)
{
	json_t *entry = json_pack("{s:s, s:s, s:I, s:s}", "type", "file", "oid", file->etag, "size",
	                          (json_int_t)file->size, "path", file->path);

	if (entry && is_expanded)
		entry_expand(call, entry);
	return entry;
}

json_t *mirror_directory(const struct mirror_call *call, const char *path, size_t len,
                         bool is_expanded)
{
	char digest[DIGEST_SIZE], oid[MIRROR_COMMIT_SIZE];
	json_t *entry;

	digest_of(path, len, digest);
	(void)snprintf(oid, sizeof(oid), "%.40s", digest_hex(digest));
	entry = json_pack("{s:s, s:s, s:i, s:s%}", "type", "directory", "oid", oid, "size", 0,
	                  "path", path, len);
	if (entry && is_expanded)
		entry_expand(call, entry);
	return entry;
}

bool mirror_is_directory(const struct mirror_listing *listing, const char *path)
{
	autofree char *prefix = xasprintf("%s/", path);
	size_t len = strlen(prefix), low = 0, high = listing->count;

	if (!*path)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(listing->files[middle].path, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < listing->count && strncmp(listing->files[low].path, prefix, len) == 0;
}

struct walk {
	const struct mirror_call *call;
	bool is_recursive, is_expanded;
	size_t prefix_len;
	long skip, limit;
	const char *folder; /* the last one that was told, in a path of a file */
	size_t folder_len;
	json_t *entries;
};

/* False: the page is full. */
static bool walk_add(struct walk *walk, json_t *(*make)(struct walk *, const void *, size_t),
                     const void *what, size_t len)
{
	if (walk->skip > 0) {
		walk->skip--;
		return true;
	}
	if (walk->limit == 0)
		return false;
	walk->limit--;
	json_array_append_new(walk->entries, make(walk, what, len));
	return true;
}

static json_t *make_file(struct walk *walk, const void *file, size_t len)
{
	return mirror_entry(walk->call, file, walk->is_expanded);
}

static json_t *make_directory(struct walk *walk, const void *path, size_t len)
{
	return mirror_directory(walk->call, path, len, walk->is_expanded);
}

/* Folders between the prefix and the file that the file before did not share. */
static bool walk_folders(struct walk *walk, const char *path)
{
	for (const char *slash = strchr(path + walk->prefix_len, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);
		bool is_told = walk->folder && walk->folder_len >= len &&
		               strncmp(walk->folder, path, len) == 0 &&
		               (walk->folder_len == len || walk->folder[len] == '/');

		if (!is_told) {
			if (!walk_add(walk, make_directory, path, len))
				return false;
			walk->folder = path;
			walk->folder_len = len;
		}
		if (!walk->is_recursive)
			return true;
	}
	return true;
}

static bool walk_file(struct walk *walk, const struct mirror_file *file)
{
	bool is_below = strchr(file->path + walk->prefix_len, '/') != NULL;

	if (!walk_folders(walk, file->path))
		return false;
	return (is_below && !walk->is_recursive) || walk_add(walk, make_file, file, 0);
}

static void tree_add_link(const struct mirror_call *call, long next, long limit)
{
	struct http_request *request = call->request;
	autofree char *link =
	        xasprintf("<%s%s?recursive=%s&expand=%s&limit=%ld&cursor=%ld>; rel=\"next\"",
	                  http_base_url(request, call->api->configuration->public_url),
	                  http_path(request), mirror_flag(request, "recursive") ? "true" : "false",
	                  mirror_flag(request, "expand") ? "true" : "false", limit, next);

	http_add_header(request, "Link", link);
}

static long query_number(const struct http_request *request, const char *name, long fallback,
                         long max)
{
	const char *text = http_query(request, name);
	long value = text ? strtol(text, NULL, 10) : fallback;

	return value < 0 ? fallback : value > max ? max : value;
}

void mirror_tree(struct mirror_call *call)
{
	const struct mirror_listing *listing = call->listing;
	autofree char *prefix = *call->path.path ? xasprintf("%s/", call->path.path) : xstrdup("");
	long skip = query_number(call->request, "cursor", 0, 100000000);
	long limit = query_number(call->request, "limit", LIMIT_DEFAULT, LIMIT_MAX);
	struct walk walk = {.call = call,
	                    .is_recursive = mirror_flag(call->request, "recursive"),
	                    .is_expanded = mirror_flag(call->request, "expand"),
	                    .prefix_len = strlen(prefix),
	                    .skip = skip,
	                    .limit = limit ? limit : LIMIT_DEFAULT};

	limit = walk.limit;
	if (!mirror_is_directory(listing, call->path.path)) {
		hub_refuse(call->request, E_NOT_FOUND, "EntryNotFound",
		           "%s does not exist on \"%s\"", call->path.path, call->path.revision);
		return;
	}
	walk.entries = json_array();
	for (size_t i = 0; i < listing->count; i++) {
		if (strncmp(listing->files[i].path, prefix, walk.prefix_len) != 0 ||
		    walk_file(&walk, &listing->files[i]))
			continue;
		tree_add_link(call, skip + limit, limit);
		break;
	}
	http_respond_json(call->request, 200, walk.entries);
}

static void paths_add(struct mirror_call *call, const char *path, bool is_expanded, json_t *ret)
{
	const struct mirror_file *file = mirror_listing_find(call->listing, path);

	if (file)
		json_array_append_new(ret, mirror_entry(call, file, is_expanded));
	else if (*path && mirror_is_directory(call->listing, path))
		json_array_append_new(ret, mirror_directory(call, path, strlen(path), is_expanded));
}

/* "paths=a&paths=b&expand=true", as older clients send it. */
static void paths_of_form(struct mirror_call *call, const char *body, json_t *ret)
{
	struct uri_pair pair;

	while ((body = uri_next_pair(body, &pair))) {
		autofree char *value = xmalloc(pair.value_len + 1);

		if (pair.name_len == 5 && strncmp(pair.name, "paths", 5) == 0 &&
		    uri_decode(pair.value, pair.value_len, true, value) >= 0)
			paths_add(call, value, false, ret);
	}
}

void mirror_paths_info(struct mirror_call *call)
{
	const char *type = http_header(call->request, "Content-Type");
	autojson json_t *body = NULL, *ret = json_array();
	struct error err = ERROR_INIT;
	const json_t *paths, *path;
	size_t i, len;

	if (type && strstr(type, "x-www-form-urlencoded")) {
		paths_of_form(call, http_body(call->request, &len), ret);
	} else if (http_body_json(call->request, &body, &err) < 0) {
		answer_error(call->request, &err);
		return;
	}
	paths = json_object_get(body, "paths");
	if (json_is_string(paths))
		paths_add(call, json_string_value(paths), json_get_bool(body, "expand", false),
		          ret);
	json_array_foreach(paths, i, path)
	{
		if (json_is_string(path))
			paths_add(call, json_string_value(path),
			          json_get_bool(body, "expand", false), ret);
	}
	http_respond_json(call->request, 200, json_incref(ret));
}
