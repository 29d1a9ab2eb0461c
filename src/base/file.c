/* SPDX-License-Identifier: Apache-2.0 */
/* Files relative to a directory descriptor: atomic replacement, safe look-up, trees. */
#include "base/file.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define TREE_DEPTH_MAX 4096

static int make_parents(char *path, mode_t mode, struct error *err)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		int rc = mkdir(path, mode);
		int made_errno = errno;
		*p = '/';
		if (rc < 0 && made_errno != EEXIST)
			return fail_errno(err, E_INTERNAL, made_errno,
			                  "cannot make the parents of %s", path);
	}
	return 0;
}

int file_open_dir(const char *path, mode_t mode, int *ret_fd, struct error *err)
{
	int fd = open(path, DIR_FLAGS);
	if (fd < 0 && errno == ENOENT && path[0]) {
		autofree char *copy = xstrdup(path);
		if (make_parents(copy, mode, err) < 0)
			return -1;
		if (mkdir(path, mode) < 0 && errno != EEXIST)
			return fail_errno(err, E_INTERNAL, errno, "cannot make the folder %s",
			                  path);
		fd = open(path, DIR_FLAGS);
	}
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the folder %s", path);
	*ret_fd = fd;
	return 0;
}

int file_open_subdir(int dir_fd, const char *name, mode_t mode, int *ret_fd, struct error *err)
{
	if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
		return fail_errno(err, E_INTERNAL, errno, "cannot make the folder %s", name);
	int fd = openat(dir_fd, name, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the folder %s", name);
	*ret_fd = fd;
	return 0;
}

void file_spread_subdirs(int dir_fd)
{
	int flags;

	if (ioctl(dir_fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
		return;
	flags |= FS_TOPDIR_FL;
	(void)ioctl(dir_fd, FS_IOC_SETFLAGS, &flags);
}

int file_open_in_root(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd,
                      struct error *err)
{
	struct open_how how = {
	        .flags = (unsigned)(flags | O_CLOEXEC),
	        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;
	do
		fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}

int file_read(int dir_fd, const char *name, struct buffer *ret, struct error *err)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "cannot open %s", name);
	char chunk[16 * 1024];
	size_t before = ret->len;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return buffer_add(ret, "", 0);
		if (n > 0 && buffer_add(ret, chunk, (size_t)n) == 0)
			continue;
		ret->len = before;
		if (n < 0)
			return fail_errno(err, E_INTERNAL, errno, "cannot read %s", name);
		return fail(err, E_TOO_LARGE, "%s is larger than %zu bytes", name, ret->max);
	}
}

bool file_read_at(int fd, void *data, size_t len, int64_t offset)
{
	char *p = data;
	while (len > 0) {
		ssize_t n = pread(fd, p, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		offset += n;
		len -= (size_t)n;
	}
	return true;
}

int file_write_all(int fd, const void *data, size_t len, struct error *err)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, errno == ENOSPC ? E_UNAVAILABLE : E_INTERNAL, errno,
			                  "cannot write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_atomic(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                      bool durable, struct error *err)
{
	/* Hidden and random: two writers never meet, readers of the folder skip it. */
	unsigned long long random;
	random_fill(&random, sizeof(random));
	autofree char *temporary = xasprintf(".%s.%016llx", name, random);
	autoclose int fd = openat(dir_fd, temporary,
	                          O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make %s", name);
	if (file_write_all(fd, data, len, err) < 0)
		goto broken;
	if (durable && fdatasync(fd) < 0) {
		fail_errno(err, E_INTERNAL, errno, "cannot make it durable");
		goto broken;
	}
	if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		fail_errno(err, E_INTERNAL, errno, "cannot replace it");
		goto broken;
	}
	return durable ? file_sync_dir(dir_fd, err) : 0;
broken:
	(void)unlinkat(dir_fd, temporary, 0);
	return error_prefix(err, "%s", name);
}

static int remove_tree(int dir_fd, const char *name, int depth, struct error *err);

static int empty_dir(int fd, int depth, struct error *err)
{
	autodir DIR *dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return fail_errno(err, E_INTERNAL, errno, "cannot list a folder");
	}
	struct dirent *entry;
	while ((errno = 0, entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (remove_tree(dirfd(dir), entry->d_name, depth + 1, err) < 0)
			return -1;
	}
	return errno ? fail_errno(err, E_INTERNAL, errno, "cannot list a folder") : 0;
}

static int remove_tree(int dir_fd, const char *name, int depth, struct error *err)
{
	if (depth > TREE_DEPTH_MAX)
		return fail(err, E_INTERNAL, "cannot remove %s: it is nested too deeply", name);
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail_errno(err, E_INTERNAL, errno, "cannot remove %s", name);
	int fd = openat(dir_fd, name, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, DIR_FLAGS | O_NOFOLLOW);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open %s", name);
	if (empty_dir(fd, depth, err) < 0)
		return -1;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail_errno(err, E_INTERNAL, errno, "cannot remove %s", name);
	return 0;
}

int file_remove_tree(int dir_fd, const char *name, struct error *err)
{
	return remove_tree(dir_fd, name, 0, err);
}

int file_lock(int dir_fd, const char *name, int *ret_fd, struct error *err)
{
	autoclose int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return fail(err, E_CONFLICT, "%s is held by another process", name);
		return fail_errno(err, E_INTERNAL, errno, "cannot lock %s", name);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int file_sync_dir(int dir_fd, struct error *err)
{
	if (fsync(dir_fd) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make a folder durable");
	return 0;
}
