/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain folder as a volume: plain files and folders, nothing else. To the job all files belong to
 * it; on disk they belong to hearth's user. Of a mode only "may be run" is kept.
 */
#include "hub/mount_folder.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define HIDDEN_PREFIX ".hearth-"

struct folder *folder_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

struct node *folder_node(const struct folder *f, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? node_root(f->nodes) : (struct node *)(uintptr_t)ino;
}

struct mount_handle *folder_handle(const struct fuse_file_info *fi)
{
	return (struct mount_handle *)(uintptr_t)fi->fh;
}

static bool is_removed(const struct folder *f)
{
	struct stat st;

	return fstat(f->mount->folder_fd, &st) == 0 && st.st_nlink == 0;
}

int folder_open_path(const struct folder *f, const char *path, int flags, int *ret_fd)
{
	const struct open_how how = {
	        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	                   RESOLVE_NO_XDEV,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, f->mount->folder_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOENT && is_removed(f))
		return ESTALE;
	return errno == ELOOP || errno == EXDEV ? ENOENT : errno;
}

/* A file without a name, but open: by another descriptor of it. */
static int reopen(const struct mount_handle *handle, int flags, int *ret_fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", handle->fd);
	*ret_fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0 ? errno : 0;
}

int folder_open_node(const struct folder *f, const struct node *node, int flags, int *ret_fd,
                     struct stat *ret_st)
{
	char path[NODE_PATH_MAX + 1];
	autoclose int fd = -1;
	struct stat st;
	int code = node_path(node, NULL, path);

	if (code == ESTALE && node->handles)
		code = reopen(node->handles, flags, &fd);
	else if (code == 0)
		code = folder_open_path(f, path, flags, &fd);
	if (code)
		return code == ENOENT ? ESTALE : code;
	if (fstat(fd, &st) < 0)
		return errno;
	/* A removed folder can still be opened by who holds it, as we do. */
	if (st.st_ino != node->inode || (S_ISDIR(st.st_mode) && st.st_nlink == 0))
		return ESTALE;
	if (ret_st)
		*ret_st = st;
	*ret_fd = take_fd(&fd);
	return 0;
}

void folder_correct(const struct folder *f, struct node *node, const struct stat *st)
{
	if (node->told_size == st->st_size && node->told_mtime.tv_sec == st->st_mtim.tv_sec &&
	    node->told_mtime.tv_nsec == st->st_mtim.tv_nsec)
		return;
	node->told_size = -1;
	(void)fuse_lowlevel_notify_inval_inode(f->mount->session, (uintptr_t)node, -1, 0);
}

void folder_show(const struct folder *f, struct node *node, struct stat *st)
{
	node->told_size = st->st_size;
	node->told_mtime = st->st_mtim;
	st->st_uid = f->mount->owner_uid;
	st->st_gid = f->mount->owner_gid;
	st->st_mode =
	        S_ISDIR(st->st_mode) ? S_IFDIR | 0755 : S_IFREG | folder_file_mode(st->st_mode);
}

bool folder_is_hidden(const char *name)
{
	return strncmp(name, HIDDEN_PREFIX, sizeof(HIDDEN_PREFIX) - 1) == 0;
}

int folder_check_name(const char *name)
{
	size_t len = strlen(name);

	if (len > NAME_MAX)
		return ENAMETOOLONG;
	if (!utf8_is_valid(name, len))
		return EINVAL;
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return EINVAL;
	}
	return folder_is_hidden(name) ? EPERM : 0;
}

mode_t folder_file_mode(mode_t wanted)
{
	return wanted & 0111 ? 0755 : 0644;
}

int folder_entry(struct folder *f, struct node *parent, const char *name, const struct stat *st,
                 struct fuse_entry_param *ret)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return ENOENT;
	struct node *node = node_get(f->nodes, parent, name, st);
	*ret = (struct fuse_entry_param){
	        .ino = (uintptr_t)node,
	        .attr = *st,
	        .attr_timeout = FOLDER_VALID_S,
	        .entry_timeout = FOLDER_VALID_S,
	};
	folder_show(f, node, &ret->attr);
	return 0;
}

int folder_lookup(struct folder *f, struct node *parent, const char *name,
                  struct fuse_entry_param *ret)
{
	char path[NODE_PATH_MAX + 1];
	autoclose int fd = -1;
	struct stat st;
	int code;

	if (folder_is_hidden(name))
		return ENOENT;
	code = node_path(parent, name, path);
	if (code == 0)
		code = folder_open_path(f, path, O_PATH, &fd);
	if (code)
		return code;
	return fstat(fd, &st) < 0 ? errno : folder_entry(f, parent, name, &st, ret);
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct folder *f = folder_of(req);
	struct fuse_entry_param entry;
	int code = folder_lookup(f, folder_node(f, parent), name, &entry);

	if (code)
		fuse_reply_err(req, code);
	else if (fuse_reply_entry(req, &entry) == -ENOENT) /* asked no more */
		node_forget(f->nodes, folder_node(f, entry.ino), 1);
}

static void forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	const struct folder *f = folder_of(req);

	node_forget(f->nodes, folder_node(f, ino), lookups);
	fuse_reply_none(req);
}

static void forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	const struct folder *f = folder_of(req);

	for (size_t i = 0; i < count; i++)
		node_forget(f->nodes, folder_node(f, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static int node_stat(const struct folder *f, const struct node *node, struct stat *ret)
{
	autoclose int fd = -1;

	if (node->handles)
		return fstat(node->handles->fd, ret) < 0 ? errno : 0;
	return folder_open_node(f, node, O_PATH, &fd, ret);
}

static void reply_attr(fuse_req_t req, const struct folder *f, struct node *node, struct stat *st)
{
	folder_show(f, node, st);
	fuse_reply_attr(req, st, FOLDER_VALID_S);
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct folder *f = folder_of(req);
	struct node *node = folder_node(f, ino);
	struct stat st;
	int code = node_stat(f, node, &st);

	(void)fi;
	if (code)
		fuse_reply_err(req, code);
	else
		reply_attr(req, f, node, &st);
}

static int set_times(int fd, const struct stat *wanted, int to_set)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		times[0] = wanted->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		times[1] = wanted->st_mtim;
	return futimens(fd, times) < 0 ? errno : 0;
}

/* Owners are accepted and forgotten. */
static int set_attributes(struct folder *f, int fd, const struct node *node,
                          const struct stat *wanted, int to_set)
{
	int code = 0;

	if (to_set & FUSE_SET_ATTR_SIZE)
		code = folder_truncate(f, fd, wanted->st_size);
	if (!code && (to_set & FUSE_SET_ATTR_MODE) && !node->is_folder &&
	    fchmod(fd, folder_file_mode(wanted->st_mode)) < 0)
		code = errno;
	if (!code && (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)))
		code = set_times(fd, wanted, to_set);
	return code;
}

static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *wanted, int to_set,
                    struct fuse_file_info *fi)
{
	struct folder *f = folder_of(req);
	struct node *node = folder_node(f, ino);
	autoclose int own_fd = -1;
	int code = 0, fd = fi ? folder_handle(fi)->fd : -1;
	struct stat st;

	if (fd < 0) {
		int flags = to_set & FUSE_SET_ATTR_SIZE ? O_WRONLY : O_RDONLY;
		code = folder_open_node(f, node, flags | O_NONBLOCK, &own_fd, NULL);
		fd = own_fd;
	}
	if (!code)
		code = set_attributes(f, fd, node, wanted, to_set);
	if (!code && fstat(fd, &st) < 0)
		code = errno;
	f->has_written = true;
	if (code)
		fuse_reply_err(req, code);
	else
		reply_attr(req, f, node, &st);
}

static int folder_source_open(struct mount *mount, void **ret_state, struct error *err)
{
	struct folder *f;
	struct stat st;

	if (fstat(mount->folder_fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(err, E_INVALID, "descriptor 4 is not a folder");
	f = xcalloc(1, sizeof(*f));
	f->mount = mount;
	f->nodes = node_table_new(st.st_ino);
	if (folder_quota_open(f, err) < 0)
		return -1;
	*ret_state = f;
	return 0;
}

static int folder_source_close(void *state, struct error *err)
{
	struct folder *f = state;
	int failed = f->has_written && syncfs(f->mount->folder_fd) < 0;

	if (failed)
		fail_errno(err, E_INTERNAL, errno,
		           "What the job wrote to %s could not be put on disk",
		           json_get_text(f->mount->request, "target", ""));
	node_table_free(f->nodes, handle_free);
	free(f->full_text);
	free(f->quota_text);
	free(f);
	return failed ? -1 : 0;
}

static const struct fuse_lowlevel_ops folder_operations = {
        .lookup = lookup,
        .forget = forget,
        .forget_multi = forget_multi,
        .getattr = getattr,
        .setattr = setattr,
        .mknod = folder_mknod,
        .symlink = folder_symlink,
        .mkdir = folder_mkdir,
        .unlink = folder_unlink,
        .rmdir = folder_rmdir,
        .rename = folder_rename,
        .create = folder_create,
        .open = folder_open_file,
        .read = folder_read,
        .write = folder_write,
        .fsync = folder_fsync,
        .release = folder_release,
        .fallocate = folder_fallocate,
        .lseek = folder_lseek,
        .copy_file_range = folder_copy_range,
        .opendir = folder_opendir,
        .readdir = folder_readdir,
        .readdirplus = folder_readdirplus,
        .releasedir = folder_releasedir,
        .fsyncdir = folder_fsyncdir,
        .statfs = folder_statfs,
};

const struct mount_source mount_folder = {
        .operations = &folder_operations,
        .open = folder_source_open,
        .close = folder_source_close,
};
