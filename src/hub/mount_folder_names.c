/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of a folder volume: what makes, removes and renames names, and what lists them. */
#include "hub/mount_folder.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define CREATE_FLAGS (O_ACCMODE | O_EXCL | O_SYNC | O_DSYNC)

/* The folder in which a name is to be made, if it may be made at all. */
static int open_for_name(const struct folder *f, const struct node *parent, const char *name,
                         int *ret_fd)
{
	char path[NODE_PATH_MAX + 1];
	int code = folder_check_name(name);

	if (!code)
		code = node_path(parent, name, path);
	return code ? code : folder_open_node(f, parent, O_PATH | O_DIRECTORY, ret_fd, NULL);
}

/* A new file; *ret_st is its state. An existing one is opened unless O_EXCL. */
static int make_file(struct folder *f, const struct node *parent, const char *name, mode_t mode,
                     int flags, int *ret_fd, struct stat *ret_st)
{
	autoclose int parent_fd = -1, fd = -1;
	int code = open_for_name(f, parent, name, &parent_fd);

	if (code)
		return code;
	fd = openat(parent_fd, name,
	            (flags & CREATE_FLAGS) | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	            folder_file_mode(mode));
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return errno == ELOOP ? EPERM : folder_write_failed(f, errno);
	f->has_written = true;
	*ret_fd = take_fd(&fd);
	return 0;
}

void folder_create(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode,
                   struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	struct node *parent = folder_node(f, parent_ino);
	struct fuse_entry_param entry;
	struct mount_handle *handle;
	autoclose int fd = -1;
	struct stat st;
	int code = make_file(f, parent, name, mode, fi->flags, &fd, &st);

	if (!code && (fi->flags & O_TRUNC))
		code = folder_truncate(f, fd, 0);
	if (!code && fstat(fd, &st) < 0)
		code = errno;
	if (!code)
		code = folder_entry(f, parent, name, &st, &entry);
	if (code) {
		fuse_reply_err(req, code);
		return;
	}
	handle = handle_new(folder_node(f, entry.ino), take_fd(&fd), fi->flags);
	fi->fh = (uintptr_t)handle;
	if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
		handle_free(handle);
		node_forget(f->nodes, folder_node(f, entry.ino), 1);
	}
}

static void reply_made(fuse_req_t req, struct folder *f, struct node *parent, const char *name,
                       int code)
{
	struct fuse_entry_param entry;

	if (!code)
		code = folder_lookup(f, parent, name, &entry);
	if (code)
		fuse_reply_err(req, code);
	else if (fuse_reply_entry(req, &entry) == -ENOENT)
		node_forget(f->nodes, folder_node(f, entry.ino), 1);
}

void folder_mknod(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode,
                  dev_t device)
{
	struct folder *f = folder_of(req);
	struct node *parent = folder_node(f, parent_ino);
	autoclose int fd = -1;
	struct stat st;

	(void)device;
	if (!S_ISREG(mode))
		fuse_reply_err(req, EPERM);
	else
		reply_made(req, f, parent, name,
		           make_file(f, parent, name, mode, O_RDONLY | O_EXCL, &fd, &st));
}

/* Links could lead out of the bucket once somebody else reads it. */
void folder_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

void folder_mkdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode)
{
	struct folder *f = folder_of(req);
	struct node *parent = folder_node(f, parent_ino);
	autoclose int parent_fd = -1;
	int code = open_for_name(f, parent, name, &parent_fd);

	(void)mode;
	if (!code && mkdirat(parent_fd, name, 0755) < 0)
		code = folder_write_failed(f, errno);
	f->has_written = true;
	reply_made(req, f, parent, name, code);
}

/* Bytes that go away with the name: those of a file that nobody has open. */
static int64_t bytes_of(const struct folder *f, int parent_fd, const struct node *parent,
                        const char *name)
{
	const struct node *node = node_find(f->nodes, parent, name);
	struct stat st;

	if ((node && node->handles) || fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode) || st.st_nlink > 1)
		return 0;
	return st.st_size;
}

static void remove_name(fuse_req_t req, fuse_ino_t parent_ino, const char *name, int flags)
{
	struct folder *f = folder_of(req);
	struct node *parent = folder_node(f, parent_ino), *node;
	autoclose int parent_fd = -1;
	int code = folder_is_hidden(name)
	                   ? ENOENT
	                   : folder_open_node(f, parent, O_PATH | O_DIRECTORY, &parent_fd, NULL);
	int64_t bytes = code ? 0 : bytes_of(f, parent_fd, parent, name);

	if (!code && unlinkat(parent_fd, name, flags) < 0)
		code = errno;
	if (!code) {
		node = node_find(f->nodes, parent, name);
		folder_quota_changed(f, bytes, 0);
		if (node)
			node_detach(f->nodes, node);
	}
	fuse_reply_err(req, code);
}

void folder_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

void folder_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, AT_REMOVEDIR);
}

static void move_nodes(struct folder *f, struct node *from, const char *name, struct node *to,
                       const char *new_name, unsigned flags)
{
	struct node *moved = node_find(f->nodes, from, name);
	struct node *target = node_find(f->nodes, to, new_name);

	if (moved == target)
		return;
	if (flags & RENAME_EXCHANGE && moved && target) {
		node_exchange(f->nodes, moved, target);
		return;
	}
	if (target && (flags & RENAME_EXCHANGE))
		node_move(f->nodes, target, from, name);
	else if (target)
		node_detach(f->nodes, target);
	if (moved)
		node_move(f->nodes, moved, to, new_name);
}

void folder_rename(fuse_req_t req, fuse_ino_t parent_ino, const char *name,
                   fuse_ino_t new_parent_ino, const char *new_name, unsigned flags)
{
	struct folder *f = folder_of(req);
	struct node *from = folder_node(f, parent_ino), *to = folder_node(f, new_parent_ino);
	autoclose int from_fd = -1, to_fd = -1;
	int64_t replaced = 0;
	int code = folder_is_hidden(name) ? ENOENT : 0;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		code = EINVAL;
	if (!code)
		code = folder_open_node(f, from, O_PATH | O_DIRECTORY, &from_fd, NULL);
	if (!code)
		code = open_for_name(f, to, new_name, &to_fd);
	if (!code && !(flags & RENAME_EXCHANGE))
		replaced = bytes_of(f, to_fd, to, new_name);
	if (!code && renameat2(from_fd, name, to_fd, new_name, flags) < 0)
		code = folder_write_failed(f, errno);
	if (!code) {
		folder_quota_changed(f, replaced, 0);
		move_nodes(f, from, name, to, new_name, flags);
	}
	fuse_reply_err(req, code);
}

void folder_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct folder *f = folder_of(req);
	struct node *node = folder_node(f, ino);
	struct mount_handle *handle;
	autoclose int fd = -1;
	DIR *dir;
	int code = folder_open_node(f, node, O_RDONLY | O_DIRECTORY, &fd, NULL);

	if (code || !(dir = fdopendir(fd))) {
		fuse_reply_err(req, code ? code : errno);
		return;
	}
	handle = handle_new(node, take_fd(&fd), 0);
	handle->dir = dir;
	fi->fh = (uintptr_t)handle;
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_free(handle);
}

static bool is_shown(const struct mount_handle *handle, const struct dirent *entry)
{
	struct stat st;

	if (folder_is_hidden(entry->d_name))
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_REG || entry->d_type == DT_DIR;
	return fstatat(handle->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* One name into the answer; 0 when it does not fit. */
static size_t add_plain(fuse_req_t req, const struct dirent *entry, char *at, size_t room)
{
	struct stat st = {.st_ino = entry->d_ino, .st_mode = (mode_t)entry->d_type << 12};
	size_t size = fuse_add_direntry(req, at, room, entry->d_name, &st, entry->d_off);

	return size > room ? 0 : size;
}

static size_t add_known(fuse_req_t req, struct mount_handle *handle, const struct dirent *entry,
                        char *at, size_t room)
{
	struct folder *f = folder_of(req);
	struct fuse_entry_param param = {
	        .attr = {.st_ino = entry->d_ino, .st_mode = (mode_t)entry->d_type << 12}};
	bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	size_t size = fuse_add_direntry_plus(req, NULL, 0, entry->d_name, NULL, 0);
	struct stat st;

	if (size > room)
		return 0;
	if (!is_dots && fstatat(handle->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		(void)folder_entry(f, handle->node, entry->d_name, &st, &param);
	return fuse_add_direntry_plus(req, at, room, entry->d_name, &param, entry->d_off);
}

static void list(fuse_req_t req, size_t size, off_t offset, const struct fuse_file_info *fi,
                 bool is_plus)
{
	struct mount_handle *handle = folder_handle(fi);
	autofree char *text = xmalloc(size);
	size_t len = 0;
	const struct dirent *entry;

	if (offset != handle->dir_offset)
		seekdir(handle->dir, offset);
	handle->dir_offset = offset;
	for (;;) {
		size_t added;

		errno = 0;
		entry = readdir(handle->dir);
		if (!entry)
			break;
		if (is_shown(handle, entry)) {
			added = is_plus ? add_known(req, handle, entry, text + len, size - len)
			                : add_plain(req, entry, text + len, size - len);
			if (added == 0) { /* again next time */
				seekdir(handle->dir, handle->dir_offset);
				break;
			}
			len += added;
		}
		handle->dir_offset = entry->d_off;
	}
	if (len == 0 && !entry && errno)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, text, len);
}

void folder_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
	(void)ino;
	list(req, size, offset, fi, false);
}

void folder_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                        struct fuse_file_info *fi)
{
	(void)ino;
	list(req, size, offset, fi, true);
}

void folder_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free(folder_handle(fi));
	fuse_reply_err(req, 0);
}

void folder_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	(void)ino;
	(void)data_only;
	fuse_reply_err(req, fsync(folder_handle(fi)->fd) < 0 ? errno : 0);
}
