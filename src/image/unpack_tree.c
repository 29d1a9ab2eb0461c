/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every look-up of more than one component goes through openat2(RESOLVE_IN_ROOT): even without the
 * namespaces around this process a layer could not leave its folder. The last component is always
 * used with a descriptor of its parent and never followed.
 */
#include "image/unpack_tree.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/unpack_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define TREE_LINKS_MAX 32
#define TREE_TIMES_MAX 2000000
#define TREE_TIMES_BYTES_MAX (INT64_C(256) << 20)

struct tree_time {
	char *path;
	struct timespec mtime;
};

struct unpack_tree {
	int root_fd;
	int parent_fd; /* of parent_path; -1: none */
	bool parent_is_setgid;
	char parent_path[PATH_MAX];
	struct tree_time *times;
	size_t n_times, cap_times;
	int64_t times_bytes;
};

struct unpack_tree *unpack_tree_new(int root_fd)
{
	struct unpack_tree *tree = xcalloc(1, sizeof(*tree));

	tree->root_fd = root_fd;
	tree->parent_fd = -1;
	return tree;
}

void unpack_tree_free(struct unpack_tree *tree)
{
	if (!tree)
		return;
	unpack_tree_forget(tree);
	for (size_t i = 0; i < tree->n_times; i++)
		free(tree->times[i].path);
	free(tree->times);
	free(tree);
}

void unpack_tree_forget(struct unpack_tree *tree)
{
	if (tree->parent_fd >= 0)
		close(tree->parent_fd);
	tree->parent_fd = -1;
}

bool unpack_tree_parent_is_setgid(const struct unpack_tree *tree)
{
	return tree->parent_is_setgid;
}

bool unpack_tree_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int unpack_tree_fail(struct error *err, int errno_value, const char *doing, const char *path)
{
	char shown[UNPACK_PATH_SHOWN];

	if (errno_value == ENOSPC || errno_value == EDQUOT)
		return fail(err, E_UNAVAILABLE,
		            "The disk is full: no room to unpack the layer's '%s'; remove images "
		            "(hearth image prune) or make room in the state folder",
		            unpack_path_shown(path, shown));
	return fail_errno(err, E_INVALID, errno_value, "The layer's '%s' cannot be %s",
	                  unpack_path_shown(path, shown), doing);
}

static int unpack_tree_open_dir(const struct unpack_tree *tree, const char *path, int flags)
{
	struct open_how how = {
	        .flags = (uint64_t)(flags | O_DIRECTORY | O_CLOEXEC),
	        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, tree->root_fd, path[0] ? path : ".", &how, sizeof(how));
}

static int unpack_tree_set_opaque(int dir_fd)
{
	return fsetxattr(dir_fd, "user.overlay.opaque", "y", 1, 0);
}

int unpack_tree_make_opaque(struct unpack_tree *tree, int parent_fd, const char *name,
                            struct error *err)
{
	autoclose int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || unpack_tree_set_opaque(fd) < 0)
		return unpack_tree_fail(err, errno, "made opaque", name);
	return 0;
}

static int unpack_tree_make_dirs(struct unpack_tree *tree, const char *path, int depth,
                                 struct error *err);

/* A link that leads to something missing in this layer (it may exist in a lower one): make what it
 * leads to, so that the merged view has the file where the link says. */
static int unpack_tree_make_link_target(struct unpack_tree *tree, int parent_fd, const char *base,
                                        const char *parent, int depth, struct error *err)
{
	char target[PATH_MAX], joined[2 * PATH_MAX], clean[PATH_MAX];
	ssize_t len = readlinkat(parent_fd, base, target, sizeof(target) - 1);

	if (len < 0)
		return unpack_tree_fail(err, errno, "read", base);
	target[len] = '\0';
	if (target[0] == '/')
		snprintf(joined, sizeof(joined), "%s", target);
	else
		snprintf(joined, sizeof(joined), "%s/%s", parent, target);
	if (unpack_path_clean(joined, clean, err) < 0)
		return -1;
	return unpack_tree_make_dirs(tree, clean, depth + 1, err);
}

/* `path` is not a folder yet; its parent is. */
static int unpack_tree_make_dir(struct unpack_tree *tree, const char *path, int depth,
                                struct error *err)
{
	char parent[PATH_MAX];
	const char *base;
	struct stat st;
	autoclose int fd = -1;

	if (unpack_tree_find_parent(tree, path, &fd, &base, err) < 0)
		return -1;
	if (fstatat(fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT || mkdirat(fd, base, 0755) < 0)
			return unpack_tree_fail(err, errno, "made", path);
		return 0;
	}
	if (S_ISLNK(st.st_mode)) {
		memcpy(parent, path, (size_t)(base - path));
		parent[base - path] = '\0';
		return unpack_tree_make_link_target(tree, fd, base, parent, depth, err);
	}
	if (!unpack_tree_is_whiteout(&st))
		return unpack_tree_fail(err, ENOTDIR, "used as a folder", path);
	if (unlinkat(fd, base, 0) < 0 || mkdirat(fd, base, 0755) < 0)
		return unpack_tree_fail(err, errno, "made", path);
	return unpack_tree_make_opaque(tree, fd, base, err);
}

static int unpack_tree_make_dirs(struct unpack_tree *tree, const char *path, int depth,
                                 struct error *err)
{
	char prefix[PATH_MAX];

	if (depth > TREE_LINKS_MAX)
		return unpack_tree_fail(err, ELOOP, "used as a folder", path);
	for (const char *end = path; *end;) {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		memcpy(prefix, path, (size_t)(end - path));
		prefix[end - path] = '\0';
		autoclose int fd = unpack_tree_open_dir(tree, prefix, O_PATH);

		if (fd >= 0)
			continue;
		if (errno != ENOENT && errno != ENOTDIR)
			return unpack_tree_fail(err, errno, "opened", prefix);
		if (unpack_tree_make_dir(tree, prefix, depth, err) < 0)
			return -1;
	}
	return 0;
}

/* "a/b/c" → "a/b" and "c" */
static const char *unpack_tree_split(const char *path, char parent[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(parent, path, len);
	parent[len] = '\0';
	return slash ? slash + 1 : path;
}

int unpack_tree_find_parent(struct unpack_tree *tree, const char *path, int *ret_fd,
                            const char **ret_base, struct error *err)
{
	char parent[PATH_MAX];
	const char *base = unpack_tree_split(path, parent);
	int fd = unpack_tree_open_dir(tree, parent, O_PATH);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		char shown[UNPACK_PATH_SHOWN];

		return fail(err, E_NOT_FOUND, "The layer has no '%s'",
		            unpack_path_shown(path, shown));
	}
	if (fd < 0)
		return unpack_tree_fail(err, errno, "opened", parent);
	*ret_fd = fd;
	*ret_base = base;
	return 0;
}

/* Through links a layer could build a tree deeper than any path is long, which nobody could remove
 * again. The kernel refuses to name such a folder. */
static int unpack_tree_check_depth(int dir_fd, const char *path, struct error *err)
{
	char shown[UNPACK_PATH_SHOWN], real[PATH_MAX];

	if (fchdir(dir_fd) == 0 && getcwd(real, sizeof(real)))
		return 0;
	return fail(err, E_INVALID, "The layer nests folders too deeply, at '%s'",
	            unpack_path_shown(path, shown));
}

int unpack_tree_parent(struct unpack_tree *tree, const char *path, int *ret_fd,
                       const char **ret_base, struct error *err)
{
	char parent[PATH_MAX];
	const char *base = unpack_tree_split(path, parent);
	struct stat st;

	if (tree->parent_fd < 0 || strcmp(parent, tree->parent_path) != 0) {
		unpack_tree_forget(tree);
		tree->parent_fd = unpack_tree_open_dir(tree, parent, O_PATH);
		if (tree->parent_fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
			if (unpack_tree_make_dirs(tree, parent, 0, err) < 0)
				return -1;
			tree->parent_fd = unpack_tree_open_dir(tree, parent, O_PATH);
		}
		if (tree->parent_fd < 0 || fstat(tree->parent_fd, &st) < 0)
			return unpack_tree_fail(err, errno, "opened", parent);
		if (unpack_tree_check_depth(tree->parent_fd, parent, err) < 0)
			return -1;
		tree->parent_is_setgid = st.st_mode & S_ISGID;
		memcpy(tree->parent_path, parent, strlen(parent) + 1);
	}
	*ret_fd = tree->parent_fd;
	*ret_base = base;
	return 0;
}

int unpack_tree_remove(struct unpack_tree *tree, int parent_fd, const char *base,
                       bool *ret_was_whiteout, struct error *err)
{
	struct stat st;

	*ret_was_whiteout = false;
	if (fstatat(parent_fd, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : unpack_tree_fail(err, errno, "replaced", base);
	*ret_was_whiteout = unpack_tree_is_whiteout(&st);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(parent_fd, base, 0) < 0
		               ? unpack_tree_fail(err, errno, "replaced", base)
		               : 0;
	return file_remove_tree(parent_fd, base, err);
}

int unpack_tree_whiteout(struct unpack_tree *tree, int parent_fd, const char *name,
                         struct error *err)
{
	struct stat st;

	if (mknodat(parent_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	if (errno != EEXIST)
		return unpack_tree_fail(err, errno, "whited out", name);
	/* The layer itself has such a thing: it stays (a whiteout is about lower layers only). */
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return unpack_tree_make_opaque(tree, parent_fd, name, err);
	return 0;
}

void unpack_tree_defer_time(struct unpack_tree *tree, const char *path, struct timespec mtime)
{
	size_t len = strlen(path);

	/* Beyond that, folders keep the time of unpacking: not worth a failure. */
	if (tree->n_times >= TREE_TIMES_MAX ||
	    tree->times_bytes + (int64_t)len > TREE_TIMES_BYTES_MAX)
		return;
	if (tree->n_times == tree->cap_times) {
		tree->cap_times = tree->cap_times ? 2 * tree->cap_times : 256;
		tree->times = xrealloc(tree->times, tree->cap_times * sizeof(*tree->times));
	}
	tree->times[tree->n_times++] = (struct tree_time){xstrdup(path), mtime};
	tree->times_bytes += (int64_t)len;
}

void unpack_tree_apply_times(struct unpack_tree *tree)
{
	for (size_t i = tree->n_times; i-- > 0;) {
		autoclose int fd = unpack_tree_open_dir(tree, tree->times[i].path, O_RDONLY);
		struct timespec times[2] = {tree->times[i].mtime, tree->times[i].mtime};

		if (fd >= 0)
			(void)futimens(fd, times);
	}
}
