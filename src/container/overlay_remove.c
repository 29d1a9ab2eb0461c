/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes what a job has written. A job may nest folders deeper than any path or stack can follow,
 * so folders are not descended into: the folders in a folder are moved up to the top one and have
 * their turn there. Needs two descriptors and no memory, whatever the tree looks like.
 */
#include "container/overlay.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS_MAX 1000000 /* a round that removes nothing ends it earlier */

static DIR *open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		(void)close(fd);
	return dir;
}

static struct dirent *next_entry(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir)) &&
	       (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
		;
	return entry;
}

/* A removal that was interrupted may have left folders with such names. */
static bool move_up(int dir_fd, const char *name, int top_fd, unsigned long *number)
{
	char moved[32];
	int rc;

	do {
		(void)snprintf(moved, sizeof(moved), ".hearth.%lu", (*number)++);
		rc = renameat(dir_fd, name, top_fd, moved);
	} while (rc < 0 && (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR));
	return rc == 0;
}

/* Empty one folder of the top one, its folders moved beside it, and remove it. */
static bool dissolve(int top_fd, const char *name, unsigned long *number)
{
	autodir DIR *dir = open_dir(top_fd, name);
	struct dirent *entry;

	while (dir && (entry = next_entry(dir))) {
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 &&
		    unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
			(void)move_up(dirfd(dir), entry->d_name, top_fd, number);
	}
	return unlinkat(top_fd, name, AT_REMOVEDIR) == 0;
}

static bool remove_round(int top_fd, unsigned long *number, bool *ret_is_empty)
{
	autodir DIR *top = open_dir(top_fd, ".");
	struct dirent *entry;
	bool has_removed = false;

	*ret_is_empty = true;
	while (top && (entry = next_entry(top))) {
		*ret_is_empty = false;
		if (unlinkat(top_fd, entry->d_name, 0) == 0 ||
		    dissolve(top_fd, entry->d_name, number))
			has_removed = true;
	}
	return has_removed;
}

int overlay_remove_tree(int dir_fd, const char *name, struct error *err)
{
	unsigned long number = 0;
	bool is_empty = false;
	autoclose int top_fd =
	        openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (top_fd < 0 && errno == ENOENT)
		return 0;
	for (int round = 0; top_fd >= 0 && round < ROUNDS_MAX && !is_empty; round++) {
		if (!remove_round(top_fd, &number, &is_empty) && !is_empty)
			return fail(err, E_INTERNAL, "cannot empty the folder %s of a job", name);
	}
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) && errno != ENOENT)
		return fail_errno(err, E_INTERNAL, errno, "cannot remove the folder %s of a job",
		                  name);
	return 0;
}

int overlay_remove(int attempt_fd, struct error *err)
{
	return overlay_remove_tree(attempt_fd, OVERLAY_DISK, err);
}
