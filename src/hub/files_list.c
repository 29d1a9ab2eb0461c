/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing, in order of whole paths as bytes. A folder stands twice in its parent's order: as "name"
 * for itself and as "name/" for what is below, which comes after "name-x" and before "name0".
 */
#include "hub/files.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY)

struct listing {
	bool is_recursive, has_directories;
	const char *after;
	json_int_t limit, emitted;
	bool is_full; /* there is more */
	char path[BUCKET_PATH_MAX + 1];
};

struct entries {
	char **names; /* folders to walk into end with '/'; folders to show begin with '/' */
	size_t count, capacity;
};

static void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->names[i]);
	free(entries->names);
}

static void entries_add(struct entries *entries, char *take_name)
{
	if (entries->count == entries->capacity) {
		entries->capacity = entries->capacity ? 2 * entries->capacity : 64;
		entries->names = xrealloc(entries->names, entries->capacity * sizeof(char *));
	}
	entries->names[entries->count++] = take_name;
}

static int compare_entries(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return strcmp(x + (x[0] == '/'), y + (y[0] == '/'));
}

/* Is all of it before what the caller has already? */
static bool is_passed(const struct listing *listing, size_t folder_len, const char *name,
                      bool is_walk)
{
	const char *after = listing->after;

	if (!after)
		return false;
	int order = strncmp(after, listing->path, folder_len);
	if (order != 0)
		return order > 0;
	after += folder_len;
	if (!is_walk)
		return strcmp(name, after) <= 0;
	size_t len = strlen(name);
	return strncmp(name, after, len) < 0;
}

static int type_of(int dir_fd, const struct dirent *entry)
{
	struct stat status;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dir_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return S_ISREG(status.st_mode) ? DT_REG : S_ISDIR(status.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static void collect_entry(const struct listing *listing, int dir_fd, size_t folder_len,
                          const struct dirent *entry, struct entries *entries)
{
	struct error ignored = ERROR_INIT;
	const char *name = entry->d_name;
	size_t len = strlen(name);

	/* Not ours to show: temporary files, names that are no text, links, devices. */
	if (strchr(name, '/') || bucket_path_check(name, &ignored) < 0 ||
	    folder_len + len > BUCKET_PATH_MAX)
		return;
	int type = type_of(dir_fd, entry);
	if (type == DT_REG && !is_passed(listing, folder_len, name, false))
		entries_add(entries, xstrdup(name));
	if (type != DT_DIR)
		return;
	if (listing->has_directories && !is_passed(listing, folder_len, name, false))
		entries_add(entries, xasprintf("/%s", name));
	autofree char *walk = xasprintf("%s/", name);
	if (listing->is_recursive && !is_passed(listing, folder_len, walk, true))
		entries_add(entries, take_ptr(&walk));
}

static int collect(const struct listing *listing, int fd, size_t folder_len,
                   struct entries *entries, struct error *err)
{
	int dir_fd = openat(fd, ".", FOLDER_FLAGS | O_CLOEXEC);
	autodir DIR *dir = dir_fd >= 0 ? fdopendir(dir_fd) : NULL;
	struct dirent *entry;

	if (!dir)
		return fail_errno(err, E_INTERNAL, errno,
		                  "a folder of the bucket cannot be listed");
	while ((errno = 0, entry = readdir(dir)))
		collect_entry(listing, dir_fd, folder_len, entry, entries);
	if (errno)
		return fail_errno(err, E_INTERNAL, errno,
		                  "a folder of the bucket cannot be listed");
	if (entries->count > 0)
		qsort(entries->names, entries->count, sizeof(char *), compare_entries);
	return 0;
}

/* Whether there was room for it. */
static bool has_room(struct listing *listing)
{
	listing->is_full = listing->emitted >= listing->limit;
	listing->emitted++;
	return !listing->is_full;
}

static int show_file(struct listing *listing, int fd, const char *name, struct error *err)
{
	struct stat status;

	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode) ||
	    !has_room(listing))
		return 0;
	struct files_facts facts = files_facts_of(&status);
	return files_emit(files_line(listing->path, &facts), err);
}

static int walk(struct listing *listing, int fd, size_t folder_len, struct error *err);

static int show(struct listing *listing, int fd, size_t folder_len, const char *name,
                struct error *err)
{
	bool is_shown_folder = name[0] == '/';
	size_t len = strlen(name);

	name += is_shown_folder;
	len -= is_shown_folder;
	memcpy(listing->path + folder_len, name, len + 1);
	if (is_shown_folder) {
		if (!has_room(listing))
			return 0;
		return files_emit(json_pack("{s:s, s:b}", "path", listing->path, "directory", 1),
		                  err);
	}
	if (name[len - 1] != '/')
		return show_file(listing, fd, name, err);
	autofree char *plain = xstrndup(name, len - 1);
	struct error ignored = ERROR_INIT;
	autoclose int below_fd = -1;
	if (bucket_open(fd, plain, FOLDER_FLAGS, &below_fd, &ignored) < 0)
		return 0; /* gone in the meantime */
	return walk(listing, below_fd, folder_len + len, err);
}

static int walk(struct listing *listing, int fd, size_t folder_len, struct error *err)
{
	struct entries entries = {0};
	int rc = collect(listing, fd, folder_len, &entries, err);

	for (size_t i = 0; rc == 0 && i < entries.count && !listing->is_full; i++)
		rc = show(listing, fd, folder_len, entries.names[i], err);
	entries_clear(&entries);
	return rc;
}

static int list_prefix(struct listing *listing, int bucket_fd, const char *prefix,
                       struct error *err)
{
	struct error open_err = ERROR_INIT;
	struct stat status;
	autoclose int fd = -1;
	size_t len = strlen(prefix);

	while (len > 0 && prefix[len - 1] == '/')
		len--;
	if (len == 0)
		return walk(listing, bucket_fd, 0, err);
	autofree char *path = xstrndup(prefix, len);
	if (bucket_path_check(path, err) < 0)
		return -1;
	if (bucket_open(bucket_fd, path, O_PATH | O_NOFOLLOW, &fd, &open_err) < 0 ||
	    fstat(fd, &status) < 0)
		return 0;
	memcpy(listing->path, path, len + 1);
	if (S_ISREG(status.st_mode)) {
		if (listing->after && strcmp(path, listing->after) <= 0)
			return 0;
		struct files_facts facts = files_facts_of(&status);
		return has_room(listing) ? files_emit(files_line(path, &facts), err) : 0;
	}
	autoclose int dir_fd = -1;
	if (!S_ISDIR(status.st_mode) ||
	    bucket_open(bucket_fd, path, FOLDER_FLAGS, &dir_fd, &open_err) < 0)
		return 0;
	listing->path[len] = '/';
	listing->path[len + 1] = '\0';
	return walk(listing, dir_fd, len + 1, err);
}

int files_list(json_t *request, struct error *err)
{
	autoclose int bucket_fd = -1;
	struct listing *listing = xcalloc(1, sizeof(*listing));
	autofree struct listing *freed = listing;

	listing->is_recursive = json_get_bool(request, "recursive", false);
	listing->has_directories = json_get_bool(request, "directories", false);
	listing->after = json_get_text(request, "after", NULL);
	listing->limit = json_get_int(request, "limit", INT64_MAX);
	if (listing->limit < 1)
		return fail(err, E_INVALID, "'limit' must be at least 1");
	if (files_open_folder(request, "bucket", &bucket_fd, err) < 0 ||
	    list_prefix(listing, bucket_fd, json_get_text(request, "prefix", ""), err) < 0)
		return -1;
	return listing->is_full ? files_emit(json_pack("{s:b}", "more", 1), err) : 0;
}
