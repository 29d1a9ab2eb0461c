/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry at a time. Things are made first and found in the way second (O_EXCL and its kin),
 * which spares a look-up for nearly all entries. Order for files: content, owner, mode, xattrs,
 * time: each of these calls may undo a later one.
 */
#include "image/unpack_entry.h"

#include "base/cleanup.h"
#include "image/unpack_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

#define ENTRY_ID_MAX 65535
#define ENTRY_MAKE_TRIES 2

/* Where an entry goes. */
struct entry_place {
	const char *path; /* clean */
	int parent_fd;    /* borrowed from the tree */
	const char *base;
	bool was_whiteout; /* something of lower layers is hidden here */
};

static struct timespec unpack_entry_mtime(struct archive_entry *entry)
{
	long nsec = archive_entry_mtime_nsec(entry);

	return (struct timespec){archive_entry_mtime(entry),
	                         nsec >= 0 && nsec < 1000000000 ? nsec : 0};
}

static int unpack_entry_check_owner(struct archive_entry *entry, const char *path,
                                    struct error *err)
{
	char shown[UNPACK_PATH_SHOWN];
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	if (uid < 0 || uid > ENTRY_ID_MAX || gid < 0 || gid > ENTRY_ID_MAX)
		return fail(err, E_INVALID,
		            "The layer's '%s' belongs to user %lld and group %lld; ids above %d "
		            "cannot be mapped into a job",
		            unpack_path_shown(path, shown), (long long)uid, (long long)gid,
		            ENTRY_ID_MAX);
	return 0;
}

/* Of what else a layer may carry, only this makes sense in a job of another user namespace. */
static bool unpack_entry_keeps_xattr(const char *name)
{
	if (strcmp(name, "security.capability") == 0)
		return true;
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0;
}

/* A file system without xattrs, or one that refuses a damaged value, is no reason to fail. */
static int unpack_entry_set_xattrs(struct archive_entry *entry, int fd, const char *path,
                                   struct error *err)
{
	const char *name;
	const void *value;
	size_t size;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		if (!name || !unpack_entry_keeps_xattr(name))
			continue;
		if (fsetxattr(fd, name, value, size, 0) < 0 && errno == ENOSPC)
			return unpack_tree_fail(err, errno, "written", path);
	}
	return 0;
}

/* Owner, mode, xattrs of an open file or folder. */
static int unpack_entry_set_meta(struct archive_entry *entry, int fd, mode_t made_with,
                                 bool owner_is_root, const char *path, struct error *err)
{
	uid_t uid = (uid_t)archive_entry_uid(entry);
	gid_t gid = (gid_t)archive_entry_gid(entry);
	mode_t mode = archive_entry_perm(entry) & 07777;

	if ((!owner_is_root || uid != 0 || gid != 0) && fchown(fd, uid, gid) < 0)
		return unpack_tree_fail(err, errno, "given to its owner", path);
	if (mode != made_with && fchmod(fd, mode) < 0)
		return unpack_tree_fail(err, errno, "given its mode", path);
	return unpack_entry_set_xattrs(entry, fd, path, err);
}

/* After EEXIST: clear the place. */
static int unpack_entry_make_room(struct unpack_entry_context *c, struct entry_place *place,
                                  struct error *err)
{
	bool was_whiteout;

	if (unpack_tree_remove(c->tree, place->parent_fd, place->base, &was_whiteout, err) < 0)
		return -1;
	place->was_whiteout = place->was_whiteout || was_whiteout;
	return 0;
}

static int unpack_entry_write_all(int fd, const char *data, size_t size, int64_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

static int unpack_entry_copy_data(struct unpack_entry_context *c, int fd, int64_t file_size,
                                  const char *path, struct error *err)
{
	struct archive *tar = unpack_stream_tar(c->stream);
	int64_t end = 0;
	const void *data;
	size_t size;
	la_int64_t offset;
	int rc;

	while ((rc = archive_read_data_block(tar, &data, &size, &offset)) == ARCHIVE_OK) {
		if (offset < 0 || offset > file_size || (int64_t)size > file_size - offset)
			return unpack_tree_fail(err, EFBIG, "written", path);
		if (unpack_entry_write_all(fd, data, size, offset) < 0)
			return unpack_tree_fail(err, errno, "written", path);
		end = offset + (int64_t)size;
		c->result->bytes += (int64_t)size;
	}
	if (rc != ARCHIVE_EOF)
		return unpack_stream_fail(c->stream, err);
	if (end < file_size && ftruncate(fd, file_size) < 0)
		return unpack_tree_fail(err, errno, "written", path);
	return 0;
}

static int unpack_entry_check_size(const struct unpack_entry_context *c, int64_t size,
                                   const char *path, struct error *err)
{
	char shown[UNPACK_PATH_SHOWN];

	if (size >= 0 && size <= c->max_bytes - c->result->bytes)
		return 0;
	return fail(err, E_TOO_LARGE,
	            "The layer is larger than %lld bytes when unpacked, at '%s' (setting "
	            "images.layer_limit)",
	            (long long)c->max_bytes, unpack_path_shown(path, shown));
}

static int unpack_entry_file(struct unpack_entry_context *c, struct archive_entry *entry,
                             struct entry_place *place, struct error *err)
{
	mode_t made_with = archive_entry_perm(entry) & 0777;
	int64_t size = archive_entry_size(entry);
	autoclose int fd = -1;

	if (unpack_entry_check_size(c, size, place->path, err) < 0)
		return -1;
	for (int i = 0; i < ENTRY_MAKE_TRIES && fd < 0; i++) {
		fd = openat(place->parent_fd, place->base,
		            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, made_with);
		if (fd < 0 && errno != EEXIST)
			break;
		if (fd < 0 && unpack_entry_make_room(c, place, err) < 0)
			return -1;
	}
	if (fd < 0)
		return unpack_tree_fail(err, errno, "made", place->path);
	if (unpack_entry_copy_data(c, fd, size, place->path, err) < 0 ||
	    unpack_entry_set_meta(entry, fd, made_with, !unpack_tree_parent_is_setgid(c->tree),
	                          place->path, err) < 0)
		return -1;
	struct timespec mtime = unpack_entry_mtime(entry), times[2] = {mtime, mtime};

	(void)futimens(fd, times);
	return 0;
}

/* Make it, or find it: a folder stays where it is, anything else makes room. */
static int unpack_entry_make_folder(struct unpack_entry_context *c, struct entry_place *place,
                                    struct error *err)
{
	struct stat st;

	if (mkdirat(place->parent_fd, place->base, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return unpack_tree_fail(err, errno, "made", place->path);
	if (fstatat(place->parent_fd, place->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	if (unpack_entry_make_room(c, place, err) < 0)
		return -1;
	if (mkdirat(place->parent_fd, place->base, 0700) < 0)
		return unpack_tree_fail(err, errno, "made", place->path);
	return place->was_whiteout
	               ? unpack_tree_make_opaque(c->tree, place->parent_fd, place->base, err)
	               : 0;
}

static int unpack_entry_folder(struct unpack_entry_context *c, struct archive_entry *entry,
                               struct entry_place *place, struct error *err)
{
	if (unpack_entry_make_folder(c, place, err) < 0)
		return -1;
	autoclose int fd = openat(place->parent_fd, place->base,
	                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return unpack_tree_fail(err, errno, "opened", place->path);
	unpack_tree_defer_time(c->tree, place->path, unpack_entry_mtime(entry));
	int rc = unpack_entry_set_meta(entry, fd, (mode_t)-1, false, place->path, err);

	unpack_tree_forget(c->tree);
	return rc;
}

/* Owner and time of what is not opened: links and fifos. */
static int unpack_entry_set_meta_at(struct archive_entry *entry, const struct entry_place *place,
                                    struct error *err)
{
	struct timespec mtime = unpack_entry_mtime(entry), times[2] = {mtime, mtime};

	if (fchownat(place->parent_fd, place->base, (uid_t)archive_entry_uid(entry),
	             (gid_t)archive_entry_gid(entry), AT_SYMLINK_NOFOLLOW) < 0)
		return unpack_tree_fail(err, errno, "given to its owner", place->path);
	(void)utimensat(place->parent_fd, place->base, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int unpack_entry_symlink(struct unpack_entry_context *c, struct archive_entry *entry,
                                struct entry_place *place, struct error *err)
{
	const char *target = archive_entry_symlink(entry);
	int rc = -1;

	if (!target)
		target = archive_entry_symlink_utf8(entry);
	if (!target || !target[0])
		return unpack_tree_fail(err, EINVAL, "made a link to nothing", place->path);
	for (int i = 0; i < ENTRY_MAKE_TRIES && rc < 0; i++) {
		rc = symlinkat(target, place->parent_fd, place->base);
		if (rc < 0 && errno != EEXIST)
			break;
		if (rc < 0 && unpack_entry_make_room(c, place, err) < 0)
			return -1;
	}
	if (rc < 0)
		return unpack_tree_fail(err, errno, "made", place->path);
	return unpack_entry_set_meta_at(entry, place, err);
}

static int unpack_entry_fifo(struct unpack_entry_context *c, struct archive_entry *entry,
                             struct entry_place *place, struct error *err)
{
	if (unpack_entry_make_room(c, place, err) < 0)
		return -1;
	if (mkfifoat(place->parent_fd, place->base, archive_entry_perm(entry) & 0777) < 0)
		return unpack_tree_fail(err, errno, "made", place->path);
	return unpack_entry_set_meta_at(entry, place, err);
}

/* Hard links refer into their own layer: overlayfs cannot link across layers, nor can other
 * runtimes. */
static int unpack_entry_hardlink(struct unpack_entry_context *c, const char *target_name,
                                 struct entry_place *place, struct error *err)
{
	char target[PATH_MAX], shown[UNPACK_PATH_SHOWN];
	autoclose int target_fd = -1;
	const char *target_base;
	struct stat st;

	if (unpack_path_clean(target_name, target, err) < 0)
		return -1;
	if (strcmp(target, place->path) == 0)
		return 0;
	if (!target[0] ||
	    unpack_tree_find_parent(c->tree, target, &target_fd, &target_base, err) < 0 ||
	    fstatat(target_fd, target_base, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode) ||
	    unpack_tree_is_whiteout(&st))
		return fail(err, E_INVALID,
		            "The layer has a hard link to '%s', which is no file of "
		            "this layer",
		            unpack_path_shown(target_name, shown));
	if (unpack_entry_make_room(c, place, err) < 0)
		return -1;
	if (linkat(target_fd, target_base, place->parent_fd, place->base, 0) < 0)
		return unpack_tree_fail(err, errno, "linked", place->path);
	return 0;
}

static int unpack_entry_make(struct unpack_entry_context *c, struct archive_entry *entry,
                             struct entry_place *place, struct error *err)
{
	const char *hardlink = archive_entry_hardlink(entry);

	if (!hardlink)
		hardlink = archive_entry_hardlink_utf8(entry);
	if (hardlink)
		return unpack_entry_hardlink(c, hardlink, place, err);
	if (unpack_entry_check_owner(entry, place->path, err) < 0)
		return -1;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return unpack_entry_file(c, entry, place, err);
	case AE_IFDIR:
		return unpack_entry_folder(c, entry, place, err);
	case AE_IFLNK:
		return unpack_entry_symlink(c, entry, place, err);
	case AE_IFIFO:
		return unpack_entry_fifo(c, entry, place, err);
	default: /* devices: a job gets a /dev of its own */
		return 0;
	}
}

static int unpack_entry_whiteout(struct unpack_entry_context *c, enum whiteout_kind kind,
                                 const char *name, const struct entry_place *place,
                                 struct error *err)
{
	char shown[UNPACK_PATH_SHOWN];

	switch (kind) {
	case WHITEOUT_NAME:
		return unpack_tree_whiteout(c->tree, place->parent_fd, name, err);
	case WHITEOUT_OPAQUE:
		/* overlayfs does not look at the mark on a layer's root */
		if (place->base == place->path) {
			c->result->is_root_opaque = true;
			return 0;
		}
		return unpack_tree_make_opaque(c->tree, place->parent_fd, ".", err);
	case WHITEOUT_BAD:
		return fail(err, E_INVALID, "The layer has a bad whiteout: '%s'",
		            unpack_path_shown(place->path, shown));
	default:
		return 0;
	}
}

int unpack_entry(struct unpack_entry_context *c, struct archive_entry *entry, struct error *err)
{
	const char *name = archive_entry_pathname(entry), *gone = NULL;
	struct entry_place place = {.was_whiteout = false};
	char path[PATH_MAX];

	if (!name)
		name = archive_entry_pathname_utf8(entry);
	if (!name)
		return fail(err, E_INVALID, "The layer has an entry without a readable name");
	if (++c->result->entries > UNPACK_ENTRIES_MAX)
		return fail(err, E_TOO_LARGE, "The layer has more than %d entries",
		            UNPACK_ENTRIES_MAX);
	if (unpack_path_clean(name, path, err) < 0)
		return -1;
	if (!path[0]) /* the root folder: its owner and mode are the job's own */
		return 0;
	place.path = path;
	if (unpack_tree_parent(c->tree, path, &place.parent_fd, &place.base, err) < 0)
		return -1;
	enum whiteout_kind kind = unpack_path_whiteout(place.base, &gone);

	if (kind != WHITEOUT_NONE)
		return unpack_entry_whiteout(c, kind, gone, &place, err);
	return unpack_entry_make(c, entry, &place, err);
}
