/* SPDX-License-Identifier: Apache-2.0 */
/* Short looks at a bucket: some files, or how much is in it; and removing and flushing whole
 * folders. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "hub/bucket_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int stat_one(int bucket_fd, const char *path, struct error *err)
{
	struct error ignored = ERROR_INIT;
	struct stat status;
	autoclose int fd = -1;

	if (bucket_path_check(path, &ignored) < 0 ||
	    bucket_open(bucket_fd, path, O_PATH | O_NOFOLLOW, &fd, &ignored) < 0 ||
	    fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	struct files_facts facts = files_facts_of(&status);
	return files_emit(files_line(path, &facts), err);
}

int files_stat(json_t *request, struct error *err)
{
	autoclose int bucket_fd = -1;
	json_t *paths = NULL, *value;
	size_t i;

	if (files_get_array(request, "paths", &paths, err) < 0 ||
	    files_open_folder(request, "bucket", &bucket_fd, err) < 0)
		return -1;
	json_array_foreach(paths, i, value)
	{
		if (!json_is_string(value))
			return fail(err, E_INVALID, "'paths' must have texts");
		if (stat_one(bucket_fd, json_string_value(value), err) < 0)
			return -1;
	}
	return 0;
}

struct usage {
	int64_t size, files;
};

/* Takes `dir_fd`. What vanishes on the way is not counted. */
static void count(int take_dir_fd, struct usage *usage)
{
	autodir DIR *dir = fdopendir(take_dir_fd);
	struct dirent *entry;
	struct stat status;

	if (!dir) {
		(void)close(take_dir_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(status.st_mode)) {
			usage->size += status.st_size;
			usage->files++;
		} else if (S_ISDIR(status.st_mode)) {
			int fd = openat(dirfd(dir), entry->d_name,
			                O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			if (fd >= 0)
				count(fd, usage);
		}
	}
}

int files_usage(json_t *request, struct error *err)
{
	struct usage usage = {0};
	int bucket_fd = -1;

	if (files_open_folder(request, "bucket", &bucket_fd, err) < 0)
		return -1;
	count(bucket_fd, &usage);
	return files_emit(json_pack("{s:I, s:I}", "size", (json_int_t)usage.size, "files",
	                            (json_int_t)usage.files),
	                  err);
}

int files_wipe(json_t *request, struct error *err)
{
	const char *path = NULL;

	if (files_get_text(request, "folder", &path, err) < 0)
		return -1;
	const char *slash = strrchr(path, '/');
	if (path[0] != '/' || slash == path || slash[1] == '\0' || strstr(path, "/../") ||
	    !strcmp(slash, "/.."))
		return fail(err, E_INVALID,
		            "'folder' must be an absolute path of at least two components without "
		            "'..'");
	if (file_remove_tree(AT_FDCWD, path, err) < 0)
		return -1;
	return files_emit(json_object(), err);
}

int files_sync(json_t *request, struct error *err)
{
	autoclose int fd = -1;

	if (files_open_folder(request, "folder", &fd, err) < 0)
		return -1;
	if (syncfs(fd) < 0)
		return files_fail_io(err, errno, "the folder cannot be flushed");
	return files_emit(json_object(), err);
}
