/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a folder. */
#include "cli/local_tree.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES_MAX (64u << 10)

struct walk {
	struct buffer path; /* where we are; the folder itself takes `skip` bytes */
	size_t skip;
	void (*fn)(void *arg, const struct local_file *file);
	void *arg;
};

bool local_file_stat(const char *path, struct local_file *ret)
{
	struct stat st;
	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return false;
	ret->size = st.st_size;
	ret->mtime_ms = st.st_mtim.tv_sec * 1000LL + st.st_mtim.tv_nsec / 1000000;
	return true;
}

bool local_is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int walk_folder(struct walk *walk, struct error *err);

static int walk_entry(struct walk *walk, const char *name, struct error *err)
{
	size_t len = walk->path.len;
	struct local_file file;
	struct stat st;
	int rc = 0;
	if (buffer_printf(&walk->path, "/%s", name) < 0)
		return fail(err, E_TOO_LARGE, "a path is longer than 64 KiB");
	const char *path = buffer_text(&walk->path);
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = walk_folder(walk, err);
	} else if (local_file_stat(path, &file)) {
		file.path = path + walk->skip;
		walk->fn(walk->arg, &file);
	}
	walk->path.len = len;
	walk->path.data[len] = '\0';
	return rc;
}

static int walk_folder(struct walk *walk, struct error *err)
{
	autodir DIR *dir = opendir(buffer_text(&walk->path));
	const struct dirent *entry;
	if (!dir)
		return fail_errno(err, E_INVALID, errno, "cannot read the folder %s",
		                  buffer_text(&walk->path));
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (walk_entry(walk, entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

int local_tree_each(const char *folder, void (*fn)(void *arg, const struct local_file *file),
                    void *arg, struct error *err)
{
	struct walk walk = {.path = BUFFER_INIT(PATH_BYTES_MAX), .fn = fn, .arg = arg};
	(void)buffer_add_text(&walk.path, folder);
	walk.skip = strlen(folder) + 1;
	int rc = walk_folder(&walk, err);
	buffer_clear(&walk.path);
	return rc;
}
