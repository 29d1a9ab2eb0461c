/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of the cache and their way into the job's root. All of them belong to jobs: they are
 * opened without following links, and what is not as it should be is made anew.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/overlay.h"
#include "container/root_files.h"
#include "container/uv_cache_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Buckets of uv's cache that belong to one key, with room for versions to come. */
static const struct bucket {
	const char *name;
	int versions;
} own_buckets[] = {{"environments-v", 8}, {"interpreter-v", 12}};

/* uv links from environments to unpacked packages by relative paths, which have to lead there from
 * a key's folder, too. */
#define ARCHIVE_VERSIONS 8

struct owner {
	uint32_t uid, gid;
};

static int open_owned(int dir_fd, const char *name, const struct owner *owner, int *ret_fd,
                      struct error *err)
{
	autoclose int fd = -1;

	if (file_open_subdir(dir_fd, name, 0755, &fd, err))
		return -1;
	if (fchown(fd, owner->uid, owner->gid))
		return fail_errno(err, E_INTERNAL, errno, "cannot own the folder %s", name);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int make_links(const struct uv_cache *cache, int cache_fd, struct error *err)
{
	const char *base = strrchr(cache->target, '/') + 1;

	for (size_t i = 0; i < sizeof(own_buckets) / sizeof(own_buckets[0]); i++) {
		for (int version = 0; version < own_buckets[i].versions; version++) {
			char name[48];
			struct stat st;
			autofree char *to = NULL;

			(void)snprintf(name, sizeof(name), "%s%d", own_buckets[i].name, version);
			if (fstatat(cache_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
				if (S_ISLNK(st.st_mode))
					continue;
				if (overlay_remove_tree(cache_fd, name, err))
					return -1;
			}
			to = xasprintf("../../%s-key/%s", base, name);
			if (symlinkat(to, cache_fd, name) && errno != EEXIST)
				return fail_errno(err, E_INTERNAL, errno, "cannot make the link %s",
				                  name);
		}
	}
	return 0;
}

static int make_environments(const struct uv_cache *cache, int keys_fd, const struct owner *owner,
                             struct error *err)
{
	autoclose int fd = -1;

	if (open_owned(keys_fd, cache->folder, owner, &fd, err))
		return -1;
	for (size_t i = 0; i < sizeof(own_buckets) / sizeof(own_buckets[0]); i++) {
		for (int version = 0; version < own_buckets[i].versions; version++) {
			char name[48];
			autoclose int bucket_fd = -1;

			(void)snprintf(name, sizeof(name), "%s%d", own_buckets[i].name, version);
			if (open_owned(fd, name, owner, &bucket_fd, err))
				return -1;
		}
	}
	for (int version = 0; version < ARCHIVE_VERSIONS; version++) {
		char name[48], to[64];

		(void)snprintf(name, sizeof(name), "archive-v%d", version);
		(void)snprintf(to, sizeof(to), "../../cache/%s", name);
		if (symlinkat(to, fd, name) && errno != EEXIST)
			return fail_errno(err, E_INTERNAL, errno, "cannot make the link %s", name);
	}
	return 0;
}

static int make_folders(const struct uv_cache *cache, const struct owner *owner, int *ret_fd,
                        struct error *err)
{
	char name[32];
	autoclose int data_fd = -1, cache_fd = -1, python_fd = -1, keys_fd = -1;

	(void)snprintf(name, sizeof(name), "data.%u", owner->uid);
	if (open_owned(cache->folder_fd, name, owner, &data_fd, err) ||
	    open_owned(data_fd, "cache", owner, &cache_fd, err) ||
	    open_owned(data_fd, "python", owner, &python_fd, err) ||
	    open_owned(data_fd, "keys", owner, &keys_fd, err) || make_links(cache, cache_fd, err) ||
	    (cache->is_builder && make_environments(cache, keys_fd, owner, err)))
		return -1;
	*ret_fd = take_fd(&data_fd);
	return 0;
}

/* TARGET for the mount and TARGET-key, a link into it. */
static int make_target(const struct uv_cache *cache, const struct uv_cache_view *view, int *ret_fd,
                       struct error *err)
{
	const char *base = strrchr(cache->target, '/') + 1;
	autofree char *parent = xstrndup(
	        cache->target, (size_t)(base - cache->target > 1 ? base - cache->target - 1 : 1));
	autofree char *link = xasprintf("%s-key", base);
	autofree char *to = xasprintf("%s/keys/%s", base, cache->folder);
	autoclose int parent_fd = -1;

	if (root_files_make_dir(view->root_fd, cache->target, view->first_id + view->uid, err) ||
	    file_open_in_root(view->root_fd, parent, O_PATH | O_DIRECTORY, 0, &parent_fd, err))
		return -1;
	if (symlinkat(to, parent_fd, link))
		return fail_errno(err, E_INTERNAL, errno, "cannot make the link %s", link);
	return file_open_in_root(view->root_fd, cache->target, O_PATH | O_DIRECTORY, 0, ret_fd,
	                         err);
}

int uv_cache_mount(struct uv_cache *cache, const struct uv_cache_view *view, struct error *err)
{
	struct owner owner = {view->uid, view->gid};
	struct mount_attr attr = {
	        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
	        .userns_fd = (uint64_t)view->user_namespace_fd,
	};
	autoclose int data_fd = -1, target_fd = -1;

	if (make_folders(cache, &owner, &data_fd, err) || make_target(cache, view, &target_fd, err))
		return -1;
	autoclose int tree =
	        open_tree(data_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "the file system of the state folder cannot map ids");
	if (move_mount(tree, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount at %s", cache->target);
	return 0;
}
