/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder in place of a Hub: DIR/models/ORG/NAME is the revision main, NAME@REVISION beside it
 * another one. Commits are hashes of listings, and a client that was told one comes back with it:
 * then the folder is looked for that has it now.
 */
#include "api/mirror_private.h"

#include "api/answer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FOLDERS_MAX 64

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static char *mirror_folder(const struct api *api, const struct hub_path *path)
{
	return xasprintf("%s/%s/%s", api->configuration->hub_mirror, path->type, path->name);
}

static bool name_is_plain(const char *name)
{
	const char *slash = strchr(name, '/');
	struct error ignored = ERROR_INIT;

	if (!slash)
		return false;
	autofree char *ns = xstrndup(name, (size_t)(slash - name));
	return bucket_name_check(ns, &ignored) == 0 && bucket_name_check(slash + 1, &ignored) == 0;
}

bool mirror_has(const struct api *api, const struct hub_path *path)
{
	const char *mirror = api->configuration->hub_mirror;

	if (!mirror || !*mirror || !path->type || path->kind == HUB_OTHER ||
	    !name_is_plain(path->name))
		return false;
	autofree char *folder = mirror_folder(api, path);
	return is_folder(folder);
}

bool mirror_flag(const struct http_request *request, const char *name)
{
	const char *value = http_query(request, name);

	return value && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static void call_free(struct mirror_call *call)
{
	for (size_t i = 0; call->folders && call->folders[i]; i++)
		free(call->folders[i]);
	free(call->folders);
	hub_path_clear(&call->path);
	free(call);
}

static bool revision_is_commit(const char *revision)
{
	return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

/* The folder of main and those of all other revisions. */
static void call_find_all(struct mirror_call *call)
{
	const char *slash = strchr(call->path.name, '/') + 1;
	autofree char *parent =
	        xasprintf("%s/%s/%.*s", call->api->configuration->hub_mirror, call->path.type,
	                  (int)(slash - call->path.name), call->path.name);
	autodir DIR *dir = opendir(parent);
	size_t count = 1, len = strlen(slash);
	const struct dirent *entry;

	while (dir && count < FOLDERS_MAX && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, slash, len) == 0 && entry->d_name[len] == '@')
			call->folders[count++] = xasprintf("%s%s", parent, entry->d_name);
	}
}

static void call_find_folders(struct mirror_call *call)
{
	const char *revision = call->path.revision;
	autofree char *base = mirror_folder(call->api, &call->path);
	autofree char *other = xasprintf("%s@%s", base, revision);

	call->folders = xcalloc(FOLDERS_MAX + 1, sizeof(*call->folders));
	if (strcmp(revision, "main") == 0) {
		call->folders[0] = take_ptr(&base);
	} else if (!strchr(revision, '/') && is_folder(other)) {
		call->folders[0] = take_ptr(&other);
	} else if (revision_is_commit(revision)) {
		call->is_by_commit = true;
		call->folders[0] = take_ptr(&base);
		call_find_all(call);
	}
}

static json_t *mirror_siblings(const struct mirror_call *call)
{
	bool has_blobs = mirror_flag(call->request, "blobs");
	json_t *siblings = json_array();

	for (size_t i = 0; i < call->listing->count; i++) {
		const struct mirror_file *file = &call->listing->files[i];
		json_t *sibling = json_pack("{s:s}", "rfilename", file->path);

		if (!sibling) /* a name that is no UTF-8 cannot be told */
			continue;
		if (has_blobs) {
			json_object_set_new(sibling, "size", json_integer(file->size));
			json_object_set_new(sibling, "blobId", json_string(file->etag));
		}
		json_array_append_new(siblings, sibling);
	}
	return siblings;
}

static void mirror_info(struct mirror_call *call)
{
	const char *name = call->path.name;
	autofree char *author = xstrndup(name, strcspn(name, "/"));
	char modified[CLOCK_TEXT_SIZE];
	json_t *info;

	clock_format_iso(call->listing->newest_ms, modified);
	info = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:[], s:i, s:i, s:s, s:s, s:o}",
	                 "_id", "000000000000000000000000", "id", name, "author", author, "sha",
	                 call->listing->commit, "private", 0, "gated", 0, "disabled", 0, "tags",
	                 "downloads", 0, "likes", 0, "lastModified", modified, "createdAt",
	                 modified, "siblings", mirror_siblings(call));
	if (strcmp(call->path.type, "models") == 0)
		json_object_set_new(info, "modelId", json_string(name));
	http_respond_json(call->request, 200, info);
}

static void mirror_refs(struct mirror_call *call)
{
	http_respond_json(call->request, 200,
	                  json_pack("{s:[{s:s, s:s, s:s}], s:[], s:[]}", "branches", "name", "main",
	                            "ref", "refs/heads/main", "targetCommit", call->listing->commit,
	                            "converts", "tags"));
}

/* False: not yet. */
static bool mirror_answer_kind(struct mirror_call *call)
{
	switch (call->path.kind) {
	case HUB_INFO:
		mirror_info(call);
		break;
	case HUB_TREE:
		mirror_tree(call);
		break;
	case HUB_PATHS_INFO:
		mirror_paths_info(call);
		break;
	case HUB_REFS:
		mirror_refs(call);
		break;
	case HUB_RESOLVE:
		return mirror_resolve(call);
	case HUB_AUTH_CHECK:
	case HUB_OTHER:
		http_respond_json(call->request, 200, json_object());
		break;
	}
	return true;
}

static void call_no_revision(struct mirror_call *call)
{
	hub_refuse(call->request, E_NOT_FOUND, "RevisionNotFound",
	           "The mirror of this server has no revision %s of %s", call->path.revision,
	           call->path.name);
}

static void call_cancelled(void *arg)
{
	((struct mirror_call *)arg)->request = NULL;
}

static void call_listed(void *arg, const struct mirror_listing *listing, const struct error *err);

static void call_list(struct mirror_call *call)
{
	mirror_list(call->api, call->folders[call->at], call_listed, call);
}

/* False: the call goes on. */
static bool call_answer(struct mirror_call *call, const struct error *err)
{
	bool is_another = !err && call->is_by_commit &&
	                  strcmp(call->listing->commit, call->path.revision) != 0;

	if (is_another && call->folders[++call->at]) {
		call_list(call);
		return false;
	}
	http_on_cancel(call->request, NULL, NULL);
	if (err) {
		answer_error(call->request, err);
	} else if (is_another) {
		call_no_revision(call);
	} else if (!mirror_answer_kind(call)) {
		call->has_listed_again = true;
		mirror_forget(call->api, call->folders[call->at]);
		http_on_cancel(call->request, call_cancelled, call);
		call_list(call);
		return false;
	}
	return true;
}

static void call_listed(void *arg, const struct mirror_listing *listing, const struct error *err)
{
	struct mirror_call *call = arg;

	call->listing = listing;
	if (!call->request || call_answer(call, err))
		call_free(call);
}

void mirror_answer(struct api *api, struct http_request *request, struct hub_path *path)
{
	struct mirror_call *call = xcalloc(1, sizeof(*call));

	call->api = api;
	call->request = request;
	call->path = *path;
	call_find_folders(call);
	if (!call->folders[0]) {
		call_no_revision(call);
		call_free(call);
		return;
	}
	http_on_cancel(request, call_cancelled, call);
	mirror_list(api, call->folders[0], call_listed, call);
}
