/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many changes of a bucket: every new file is complete and flushed before the first one gets its
 * name. So a full disk changes nothing, and whoever is killed on the way leaves each file old or
 * new.
 */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct add {
	const char *path; /* of the request; "" if it has none */
	json_t *object;
	struct files_built built;
	struct error err; /* E_NONE: built, then placed */
};

struct removal {
	const char *path;
	bool is_done, is_deleted;
	struct error err; /* it is there and stays */
};

struct batch {
	struct files_folders folders;
	struct files_store store;
	struct files_temp temp;
	struct add *adds;
	struct removal *removals;
	size_t n_adds, n_removals;
	const char **sorted_adds; /* paths, as far as they are built */
	size_t n_sorted;
};

/* What a later add would hit, too, is no matter of this path. */
static bool is_fatal(const struct error *err)
{
	return err->code == E_UNAVAILABLE;
}

static int build_all(struct batch *batch, struct error *err)
{
	bool is_flushed = batch->n_adds <= FILES_FLUSH_ALONE;

	for (size_t i = 0; i < batch->n_adds; i++) {
		struct add *add = &batch->adds[i];
		if (bucket_path_check(add->path, &add->err) == 0)
			(void)files_build(&batch->store, &batch->temp, add->object, is_flushed,
			                  &add->built, &add->err);
		if (is_fatal(&add->err)) {
			*err = add->err;
			return -1;
		}
	}
	if (!is_flushed && syncfs(batch->temp.fd) < 0)
		return files_fail_io(err, errno, "new files cannot be flushed");
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_adds(struct batch *batch)
{
	batch->sorted_adds = xcalloc(batch->n_adds + 1, sizeof(char *));
	for (size_t i = 0; i < batch->n_adds; i++) {
		if (batch->adds[i].err.code == E_NONE)
			batch->sorted_adds[batch->n_sorted++] = batch->adds[i].path;
	}
	if (batch->n_sorted > 0)
		qsort(batch->sorted_adds, batch->n_sorted, sizeof(char *), compare_paths);
}

/* Is some add below `path`, as a folder? */
static bool has_add_below(const struct batch *batch, const char *path)
{
	autofree char *folder = xasprintf("%s/", path);
	size_t low = 0, high = batch->n_sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(batch->sorted_adds[middle], folder) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < batch->n_sorted &&
	       strncmp(batch->sorted_adds[low], folder, strlen(folder)) == 0;
}

/* Is some folder around `path` an add? */
static bool has_add_above(const struct batch *batch, const char *path)
{
	autofree char *folder = xstrdup(path);
	char *slash;

	while ((slash = strrchr(folder, '/'))) {
		*slash = '\0';
		const char *key = folder;
		if (bsearch(&key, batch->sorted_adds, batch->n_sorted, sizeof(char *),
		            compare_paths))
			return true;
	}
	return false;
}

static void remove_one(struct batch *batch, struct removal *removal)
{
	struct error ignored = ERROR_INIT;

	removal->is_done = true;
	if (bucket_path_check(removal->path, &ignored) < 0)
		return;
	errno = 0;
	removal->is_deleted = files_folders_remove(&batch->folders, removal->path);
	if (!removal->is_deleted &&
	    (errno == EACCES || errno == EPERM || errno == EROFS || errno == EIO))
		(void)fail_errno(&removal->err, E_FORBIDDEN, errno,
		                 "the file cannot be removed (what was put there by hand must "
		                 "belong to the server's user, and its folder too)");
}

/* A file that becomes a folder, or a folder that becomes a file: what is in the way goes first. */
static void remove_what_is_in_the_way(struct batch *batch)
{
	bool has_removed = false;

	for (size_t i = 0; i < batch->n_removals && batch->n_sorted > 0; i++) {
		struct removal *removal = &batch->removals[i];
		if (!has_add_below(batch, removal->path) && !has_add_above(batch, removal->path))
			continue;
		remove_one(batch, removal);
		has_removed = true;
	}
	if (has_removed)
		files_folders_prune(&batch->folders);
}

static void place_all(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_adds; i++) {
		struct add *add = &batch->adds[i];
		if (add->err.code == E_NONE)
			(void)files_folders_place(&batch->folders, &batch->temp,
			                          add->built.temp_name, add->path,
			                          &add->built.facts, &add->err);
	}
}

static void remove_all(struct batch *batch)
{
	for (size_t i = 0; i < batch->n_removals; i++) {
		if (!batch->removals[i].is_done)
			remove_one(batch, &batch->removals[i]);
	}
	files_folders_prune(&batch->folders);
}

static int answer_all(struct batch *batch, struct error *err)
{
	for (size_t i = 0; i < batch->n_adds; i++) {
		struct add *add = &batch->adds[i];
		if (add->err.code != E_NONE) {
			if (files_emit_error(add->path, &add->err, err) < 0)
				return -1;
			continue;
		}
		json_t *line = files_line(add->path, &add->built.facts);
		files_line_add_content(line, &add->built.hash, add->built.chunks);
		if (files_emit(line, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < batch->n_removals; i++) {
		const struct removal *removal = &batch->removals[i];
		if (removal->err.code != E_NONE) {
			if (files_emit_error(removal->path, &removal->err, err) < 0)
				return -1;
			continue;
		}
		if (files_emit(json_pack("{s:s, s:b}", "path", removal->path, "deleted",
		                         removal->is_deleted),
		               err) < 0)
			return -1;
	}
	return 0;
}

static int read_batch(struct batch *batch, json_t *request, struct error *err)
{
	json_t *add = NULL, *removals = NULL, *value;
	size_t i;

	if (files_get_array(request, "add", &add, err) < 0 ||
	    files_get_array(request, "delete", &removals, err) < 0)
		return -1;
	batch->adds = xcalloc(json_array_size(add) + 1, sizeof(*batch->adds));
	batch->removals = xcalloc(json_array_size(removals) + 1, sizeof(*batch->removals));
	json_array_foreach(add, i, value)
	{
		if (!json_is_object(value))
			return fail(err, E_INVALID, "'add' must have objects");
		batch->adds[batch->n_adds++] =
		        (struct add){.object = value, .path = json_get_text(value, "path", "")};
	}
	json_array_foreach(removals, i, value)
	{
		if (!json_is_string(value))
			return fail(err, E_INVALID, "'delete' must have paths");
		batch->removals[batch->n_removals++] =
		        (struct removal){.path = json_string_value(value)};
	}
	return 0;
}

static int run_batch(struct batch *batch, json_t *request, struct error *err)
{
	if (read_batch(batch, request, err) < 0 ||
	    files_folders_open(request, &batch->folders, err) < 0)
		return -1;
	if (batch->n_adds > 0 &&
	    (files_store_open(request, &batch->store, err) < 0 ||
	     files_temp_open(request, &batch->temp, err) < 0 || build_all(batch, err) < 0))
		return -1;
	sort_adds(batch);
	remove_what_is_in_the_way(batch);
	place_all(batch);
	remove_all(batch);
	if (files_folders_flush(&batch->folders, err) < 0)
		return -1;
	return answer_all(batch, err);
}

int files_batch(json_t *request, struct error *err)
{
	struct batch batch = {.folders = {.bucket_fd = -1, .last_fd = -1},
	                      .store = {.fd = -1},
	                      .temp = {.tmp_fd = -1, .fd = -1}};
	int rc = run_batch(&batch, request, err);

	for (size_t i = 0; i < batch.n_adds; i++)
		free(batch.adds[i].built.chunks);
	free(batch.adds);
	free(batch.removals);
	free(batch.sorted_adds);
	files_temp_close(&batch.temp);
	files_store_close(&batch.store);
	files_folders_close(&batch.folders);
	return rc;
}
