/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of a folder volume. Appending is by RWF_APPEND and never by O_APPEND: the kernel
 * writes back pages of a mapping through any handle of the file, at their own place.
 */
#include "hub/mount_folder.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define PASSED_FLAGS (O_ACCMODE | O_SYNC | O_DSYNC)

struct mount_handle *handle_new(struct node *node, int take_fd, int flags)
{
	struct mount_handle *handle = xcalloc(1, sizeof(*handle));

	handle->fd = take_fd;
	handle->is_append = (flags & O_APPEND) != 0;
	handle->node = node;
	handle->next = node->handles;
	node->handles = handle;
	return handle;
}

void handle_free(struct mount_handle *handle)
{
	struct mount_handle **at = &handle->node->handles;

	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	if (handle->dir)
		(void)closedir(handle->dir);
	else
		(void)close(handle->fd);
	free(handle);
}

bool folder_is_unchanged(struct node *node, const struct stat *st)
{
	bool same = node->size == st->st_size && node->mtime.tv_sec == st->st_mtim.tv_sec &&
	            node->mtime.tv_nsec == st->st_mtim.tv_nsec;

	node->size = st->st_size;
	node->mtime = st->st_mtim;
	return same;
}

int folder_truncate(struct folder *f, int fd, int64_t size)
{
	struct stat st;
	int code;

	if (fstat(fd, &st) < 0)
		return errno;
	code = folder_quota_ask(f, st.st_size, size);
	if (code)
		return code;
	if (ftruncate(fd, size) < 0)
		return folder_write_failed(f, errno);
	folder_quota_changed(f, st.st_size, size);
	return 0;
}

void folder_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	struct node *node = folder_node(f, ino);
	struct mount_handle *handle;
	autoclose int fd = -1;
	struct stat st;
	int code = folder_open_node(f, node, fi->flags & PASSED_FLAGS, &fd, &st);

	if (!code && (fi->flags & O_TRUNC))
		code = folder_truncate(f, fd, 0);
	if (code) {
		fuse_reply_err(req, code);
		return;
	}
	folder_correct(f, node, &st);
	fi->keep_cache = folder_is_unchanged(node, &st) && !(fi->flags & O_TRUNC);
	handle = handle_new(node, take_fd(&fd), fi->flags);
	fi->fh = (uintptr_t)handle;
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(handle);
}

void folder_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                 struct fuse_file_info *fi)
{
	struct fuse_bufvec source = FUSE_BUFVEC_INIT(size);

	(void)ino;
	source.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	source.buf[0].fd = folder_handle(fi)->fd;
	source.buf[0].pos = offset;
	fuse_reply_data(req, &source, FUSE_BUF_SPLICE_MOVE);
}

static ssize_t write_all(int fd, const char *data, size_t size, off_t offset, int flags)
{
	size_t done = 0;

	while (done < size) {
		struct iovec part = {(void *)(uintptr_t)(data + done), size - done};
		ssize_t n = pwritev2(fd, &part, 1, offset + (off_t)done, flags);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return done > 0 ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void folder_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                  struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	const struct mount_handle *handle = folder_handle(fi);
	bool is_append = handle->is_append && !fi->writepage;
	struct stat st = {0};
	int code = 0;
	ssize_t n;

	(void)ino;
	if (fstat(handle->fd, &st) < 0)
		code = errno;
	if (is_append)
		offset = st.st_size;
	if (!code)
		code = folder_quota_ask(f, st.st_size, offset + (off_t)size);
	if (code) {
		fuse_reply_err(req, code);
		return;
	}
	n = write_all(handle->fd, data, size, offset, is_append ? RWF_APPEND : 0);
	if (n < 0) {
		fuse_reply_err(req, folder_write_failed(f, errno));
		return;
	}
	if ((size_t)n < size) /* the next one fails with the reason */
		(void)folder_write_failed(f, ENOSPC);
	folder_quota_changed(f, st.st_size, offset + n > st.st_size ? offset + n : st.st_size);
	fuse_reply_write(req, (size_t)n);
}

void folder_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	int fd = folder_handle(fi)->fd;

	(void)ino;
	fuse_reply_err(req, (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? errno : 0);
}

void folder_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	struct mount_handle *handle = folder_handle(fi);
	struct node *node = handle->node;
	struct stat st;

	(void)ino;
	if (fstat(handle->fd, &st) == 0) {
		if (st.st_nlink == 0 && !handle->next && node->handles == handle)
			folder_quota_changed(f, st.st_size, 0);
		/* What was written by us is what the kernel has. */
		(void)folder_is_unchanged(node, &st);
	}
	handle_free(handle);
	fuse_reply_err(req, 0);
}

void folder_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                      struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	int fd = folder_handle(fi)->fd, code = 0;
	struct stat st, after;

	(void)ino;
	if (fstat(fd, &st) < 0)
		code = errno;
	else if (!(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_COLLAPSE_RANGE)))
		code = folder_quota_ask(f, st.st_size, offset + length);
	if (!code && fallocate(fd, mode, offset, length) < 0)
		code = folder_write_failed(f, errno);
	if (!code && fstat(fd, &after) == 0)
		folder_quota_changed(f, st.st_size, after.st_size);
	fuse_reply_err(req, code);
}

void folder_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
                  struct fuse_file_info *fi)
{
	off_t at = lseek(folder_handle(fi)->fd, offset, whence);

	(void)ino;
	if (at < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, at);
}

void folder_copy_range(fuse_req_t req, fuse_ino_t in, off_t in_offset, struct fuse_file_info *in_fi,
                       fuse_ino_t out, off_t out_offset, struct fuse_file_info *out_fi, size_t size,
                       int flags)
{
	struct folder *f = folder_of(req);
	int in_fd = folder_handle(in_fi)->fd, out_fd = folder_handle(out_fi)->fd, code = 0;
	struct stat from, to, after;
	ssize_t n = -1;

	(void)in;
	(void)out;
	if (fstat(in_fd, &from) < 0 || fstat(out_fd, &to) < 0) {
		code = errno;
	} else {
		off_t most = from.st_size > in_offset ? from.st_size - in_offset : 0;
		if ((off_t)size < most)
			most = (off_t)size;
		code = folder_quota_ask(f, to.st_size, out_offset + most);
	}
	if (!code) {
		n = copy_file_range(in_fd, &in_offset, out_fd, &out_offset, size, (unsigned)flags);
		code = n < 0 ? folder_write_failed(f, errno) : 0;
	}
	if (code) {
		fuse_reply_err(req, code);
		return;
	}
	if (fstat(out_fd, &after) == 0)
		folder_quota_changed(f, to.st_size, after.st_size);
	fuse_reply_write(req, (size_t)n);
}
