/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary files of one run, in a folder "run-…" of its own that is locked (flock) while the run
 * lives. A killed run loses the lock with its life; whoever comes next takes it and removes the
 * folder.
 */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RUN_PREFIX "run-"
#define ATTEMPTS_MAX 100
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define COPY_PIECE (8 * 1024 * 1024)

static void remove_stale(int tmp_fd)
{
	int fd = openat(tmp_fd, ".", FOLDER_FLAGS);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct error ignored = ERROR_INIT;
		if (strncmp(entry->d_name, RUN_PREFIX, strlen(RUN_PREFIX)) != 0)
			continue;
		autoclose int run_fd = openat(tmp_fd, entry->d_name, FOLDER_FLAGS);
		if (run_fd >= 0 && flock(run_fd, LOCK_EX | LOCK_NB) == 0)
			(void)file_remove_tree(tmp_fd, entry->d_name, &ignored);
	}
}

/* False: another run took the new folder for a dead one's, and removes it. */
static bool make_run(struct files_temp *temp)
{
	unsigned long long random;
	struct stat status;

	random_fill(&random, sizeof(random));
	(void)snprintf(temp->name, sizeof(temp->name), RUN_PREFIX "%016llx", random);
	if (mkdirat(temp->tmp_fd, temp->name, 0700) < 0)
		return false;
	autoclose int fd = openat(temp->tmp_fd, temp->name, FOLDER_FLAGS);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &status) < 0 ||
	    status.st_nlink == 0)
		return false;
	temp->fd = take_fd(&fd);
	return true;
}

int files_temp_open(json_t *request, struct files_temp *ret, struct error *err)
{
	*ret = (struct files_temp){.tmp_fd = -1, .fd = -1};
	if (files_open_folder(request, "tmp", &ret->tmp_fd, err) < 0)
		return -1;
	remove_stale(ret->tmp_fd);
	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		errno = 0;
		if (make_run(ret))
			return 0;
		if (errno == ENOSPC || errno == EDQUOT || errno == EROFS || errno == EACCES)
			break;
	}
	return files_fail_io(err, errno, "the folder for temporary files cannot be used");
}

void files_temp_close(struct files_temp *temp)
{
	struct error ignored = ERROR_INIT;

	if (temp->fd >= 0) {
		(void)file_remove_tree(temp->tmp_fd, temp->name, &ignored);
		(void)close(temp->fd);
	}
	if (temp->tmp_fd >= 0)
		(void)close(temp->tmp_fd);
	temp->fd = temp->tmp_fd = -1;
}

static void next_name(struct files_temp *temp, char ret_name[FILES_TEMP_NAME])
{
	(void)snprintf(ret_name, FILES_TEMP_NAME, "%u", temp->next++);
}

int files_temp_create(struct files_temp *temp, char ret_name[FILES_TEMP_NAME], int *ret_fd,
                      struct error *err)
{
	next_name(temp, ret_name);
	int fd = openat(temp->fd, ret_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	                0640);
	if (fd < 0)
		return files_fail_io(err, errno, "a temporary file cannot be made");
	*ret_fd = fd;
	return 0;
}

static int copy_by_hand(int from_fd, int to_fd, int64_t from, int64_t size, struct error *err)
{
	static char piece[256 * 1024];

	while (from < size) {
		int64_t left = size - from;
		size_t len = left < (int64_t)sizeof(piece) ? (size_t)left : sizeof(piece);
		if (!file_read_at(from_fd, piece, len, from))
			return fail(err, E_CONFLICT,
			            "the file to copy became shorter while it was read");
		if (files_write_all(to_fd, piece, len, err) < 0)
			return -1;
		from += (int64_t)len;
	}
	return 0;
}

int files_copy(int from_fd, int to_fd, int64_t size, struct error *err)
{
	loff_t from = 0;

	if (ioctl(to_fd, FICLONE, from_fd) == 0)
		return 0;
	while (from < size) {
		int64_t left = size - from;
		ssize_t n = copy_file_range(from_fd, &from, to_fd, NULL,
		                            left < COPY_PIECE ? (size_t)left : COPY_PIECE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT))
			return files_fail_io(err, errno, "a file cannot be written");
		if (n <= 0) /* not between these file systems */
			return copy_by_hand(from_fd, to_fd, from, size, err);
	}
	return 0;
}

int files_temp_take_body(struct files_temp *temp, char ret_name[FILES_TEMP_NAME], int *ret_fd,
                         struct error *err)
{
	char path[40];
	struct stat status;

	if (fstat(FILES_BODY_FD, &status) < 0 || !S_ISREG(status.st_mode))
		return fail(err, E_INVALID, "descriptor %d must be the body, a plain file",
		            FILES_BODY_FD);
	next_name(temp, ret_name);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", FILES_BODY_FD);
	/* One that has a name is somebody's file. */
	if (status.st_nlink == 0 &&
	    linkat(AT_FDCWD, path, temp->fd, ret_name, AT_SYMLINK_FOLLOW) == 0) {
		int fd = openat(temp->fd, ret_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		(void)unlinkat(temp->fd, ret_name, 0);
	}
	autoclose int fd = -1;
	if (files_temp_create(temp, ret_name, &fd, err) < 0 ||
	    files_copy(FILES_BODY_FD, fd, status.st_size, err) < 0)
		return -1;
	*ret_fd = take_fd(&fd);
	return 0;
}
