/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of a bucket: found and made on the way to a file, flushed and removed afterwards. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY)
#define FOLDER_MODE 0750
#define ATTEMPTS 100 /* against others that remove folders as soon as they are empty */

static void names_add(struct files_names *names, const char *name, size_t len)
{
	const char *last = names->count > 0 ? names->names[names->count - 1] : NULL;

	if (last && strlen(last) == len && memcmp(last, name, len) == 0)
		return;
	if (names->count == names->capacity) {
		names->capacity = names->capacity ? 2 * names->capacity : 16;
		names->names = xrealloc(names->names, names->capacity * sizeof(char *));
	}
	names->names[names->count++] = xstrndup(name, len);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_make_unique(struct files_names *names)
{
	size_t kept = 0;

	if (names->count > 0)
		qsort(names->names, names->count, sizeof(char *), compare_names);
	for (size_t i = 0; i < names->count; i++) {
		if (kept > 0 && strcmp(names->names[kept - 1], names->names[i]) == 0)
			free(names->names[i]);
		else
			names->names[kept++] = names->names[i];
	}
	names->count = kept;
}

static void names_clear(struct files_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct files_names){0};
}

int files_folders_open(json_t *request, struct files_folders *ret, struct error *err)
{
	*ret = (struct files_folders){.bucket_fd = -1, .last_fd = -1};
	return files_open_folder(request, "bucket", &ret->bucket_fd, err);
}

static void forget_last(struct files_folders *folders)
{
	if (folders->last_fd >= 0)
		(void)close(folders->last_fd);
	folders->last_fd = -1;
	free(folders->last_path);
	folders->last_path = NULL;
}

void files_folders_close(struct files_folders *folders)
{
	forget_last(folders);
	names_clear(&folders->touched);
	names_clear(&folders->emptied);
	if (folders->bucket_fd >= 0)
		(void)close(folders->bucket_fd);
	folders->bucket_fd = -1;
}

static int open_bucket_itself(const struct files_folders *folders, int *ret_fd, struct error *err)
{
	int fd = openat(folders->bucket_fd, ".", FOLDER_FLAGS | O_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the bucket's folder");
	*ret_fd = fd;
	return 0;
}

/* One component below `dir_fd`; `path`, `len` name it in sentences. E_NOT_FOUND: somebody has just
 * removed an empty folder. */
static int open_or_make(struct files_folders *folders, int dir_fd, const char *name,
                        const char *path, size_t len, int *ret_fd, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct stat status;

	if (bucket_open(dir_fd, name, FOLDER_FLAGS, ret_fd, &ignored) == 0)
		return 0;
	if (mkdirat(dir_fd, name, FOLDER_MODE) == 0) {
		const char *slash = memrchr(path, '/', len);
		names_add(&folders->touched, path, slash ? (size_t)(slash - path) : 0);
	} else if (errno == ENOENT) { /* `dir_fd` has been removed */
		return fail(err, E_NOT_FOUND, "the folder %.*s goes away all the time", (int)len,
		            path);
	} else if (errno != EEXIST) {
		return files_fail_io(err, errno, "the folder %.*s cannot be made", (int)len, path);
	}
	if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(status.st_mode))
		return fail(err, E_CONFLICT, "%.*s is a file, so nothing can be below it", (int)len,
		            path);
	return bucket_open(dir_fd, name, FOLDER_FLAGS, ret_fd, err);
}

static int try_to_make_folder(struct files_folders *folders, const char *path, size_t len,
                              int *ret_fd, struct error *err)
{
	autoclose int fd = -1;

	if (open_bucket_itself(folders, &fd, err) < 0)
		return -1;
	for (size_t from = 0; from < len;) {
		const char *slash = memchr(path + from, '/', len - from);
		size_t end = slash ? (size_t)(slash - path) : len;
		autofree char *name = xstrndup(path + from, end - from);
		int next_fd = -1;
		if (open_or_make(folders, fd, name, path, end, &next_fd, err) < 0)
			return -1;
		(void)close(fd);
		fd = next_fd;
		from = end + 1;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int make_folder(struct files_folders *folders, const char *path, size_t len, int *ret_fd,
                       struct error *err)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		*err = ERROR_INIT;
		if (try_to_make_folder(folders, path, len, ret_fd, err) == 0)
			return 0;
		if (err->code != E_NOT_FOUND)
			return -1;
	}
	return -1;
}

/* E_NOT_FOUND; `path` "" is the bucket. */
static int open_folder(const struct files_folders *folders, const char *path, int *ret_fd,
                       struct error *err)
{
	if (path[0] == '\0')
		return open_bucket_itself(folders, ret_fd, err);
	return bucket_open(folders->bucket_fd, path, FOLDER_FLAGS, ret_fd, err);
}

int files_folders_parent(struct files_folders *folders, const char *path, bool create, int *ret_fd,
                         const char **ret_leaf, struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	autofree char *folder = xstrndup(path, len);

	*ret_leaf = slash ? slash + 1 : path;
	if (!folders->last_path || strcmp(folders->last_path, folder) != 0) {
		struct error open_err = ERROR_INIT;
		int fd = -1;
		if (open_folder(folders, folder, &fd, &open_err) < 0) {
			if (!create) {
				*err = open_err;
				return -1;
			}
			if (make_folder(folders, folder, len, &fd, err) < 0)
				return -1;
		}
		forget_last(folders);
		folders->last_fd = fd;
		folders->last_path = take_ptr(&folder);
	}
	*ret_fd = folders->last_fd;
	return 0;
}

static int explain_rename(int dir_fd, const char *leaf, const char *path, int rename_errno,
                          struct error *err)
{
	struct stat status;

	if (fstatat(dir_fd, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))
		return fail(err, E_CONFLICT, "%s is a folder, so it cannot be a file", path);
	return files_fail_io(err, rename_errno, "%s cannot be put in its place", path);
}

int files_folders_place(struct files_folders *folders, const struct files_temp *temp,
                        const char *temp_name, const char *path, struct files_facts *ret_facts,
                        struct error *err)
{
	struct stat status;
	const char *leaf = NULL;
	int dir_fd = -1, rename_errno = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		if (files_folders_parent(folders, path, true, &dir_fd, &leaf, err) < 0)
			return -1;
		if (renameat(temp->fd, temp_name, dir_fd, leaf) == 0) {
			const char *slash = strrchr(path, '/');
			names_add(&folders->touched, path, slash ? (size_t)(slash - path) : 0);
			/* What a job has written in the meantime is not what we built: then these
			 * facts match no file. */
			if (fstatat(dir_fd, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0) {
				struct files_facts now = files_facts_of(&status);
				if (now.inode == ret_facts->inode && now.size == ret_facts->size &&
				    now.mtime_ns == ret_facts->mtime_ns)
					ret_facts->ctime_ns = now.ctime_ns;
			}
			return 0;
		}
		rename_errno = errno;
		if (rename_errno != ENOENT)
			break;
		forget_last(folders); /* somebody removed it when it was empty */
	}
	return explain_rename(dir_fd, leaf, path, rename_errno, err);
}

bool files_folders_remove(struct files_folders *folders, const char *path)
{
	struct error ignored = ERROR_INIT;
	const char *leaf = NULL, *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int dir_fd = -1;

	if (files_folders_parent(folders, path, false, &dir_fd, &leaf, &ignored) < 0 ||
	    unlinkat(dir_fd, leaf, 0) < 0)
		return false;
	names_add(&folders->touched, path, len);
	if (len > 0)
		names_add(&folders->emptied, path, len);
	return true;
}

/* The folder and those around it, as long as they are empty. */
static void prune_up(struct files_folders *folders, char *path)
{
	struct error ignored = ERROR_INIT;

	while (path[0] != '\0') {
		char *slash = strrchr(path, '/');
		const char *leaf = NULL;
		int dir_fd = -1;
		if (files_folders_parent(folders, path, false, &dir_fd, &leaf, &ignored) < 0 ||
		    unlinkat(dir_fd, leaf, AT_REMOVEDIR) < 0)
			return;
		size_t len = slash ? (size_t)(slash - path) : 0;
		names_add(&folders->touched, path, len);
		path[len] = '\0';
	}
}

void files_folders_prune(struct files_folders *folders)
{
	names_make_unique(&folders->emptied);
	/* In falling order a folder comes before those that it lies in. */
	for (size_t i = folders->emptied.count; i-- > 0;)
		prune_up(folders, folders->emptied.names[i]);
	names_clear(&folders->emptied);
	forget_last(folders); /* it may be gone */
}

int files_folders_flush(struct files_folders *folders, struct error *err)
{
	names_make_unique(&folders->touched);
	if (folders->touched.count > FILES_FLUSH_ALONE) {
		if (syncfs(folders->bucket_fd) < 0)
			return files_fail_io(err, errno, "the bucket cannot be flushed");
		return 0;
	}
	for (size_t i = 0; i < folders->touched.count; i++) {
		struct error open_err = ERROR_INIT;
		autoclose int fd = -1;
		if (open_folder(folders, folders->touched.names[i], &fd, &open_err) < 0) {
			if (open_err.code ==
			    E_NOT_FOUND) /* removed since; its parent is in the list */
				continue;
			*err = open_err;
			return -1;
		}
		if (fsync(fd) < 0)
			return files_fail_io(err, errno,
			                     "a folder of the bucket cannot be flushed");
	}
	return 0;
}
