/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempt folders as the spawner handles them. The HTTP process makes them, so nothing about them
 * is believed: they are opened without following links, become root's before they are looked into,
 * and are refused when they hold anything unexpected.
 */
#include "server/spawner_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/attempt_folder.h"
#include "container/cgroup.h"
#include "container/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUP_WAIT_MS 10000

int spawner_folder_open(const struct spawner *s, const char *name, int *ret_fd, bool *ret_is_ours,
                        struct error *err)
{
	const struct open_how how = {
	        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
	                   RESOLVE_NO_XDEV,
	};
	autoclose int fd = (int)syscall(SYS_openat2, s->attempts_fd, name, &how, sizeof(how));
	struct stat st;

	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INVALID, errno,
		                  "the attempt folder %s cannot be opened", name);
	if (fstat(fd, &st) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the attempt folder %s", name);
	if (st.st_uid != 0 && st.st_uid != s->uid)
		return fail(err, E_FORBIDDEN, "the attempt folder %s belongs to user %u", name,
		            (unsigned)st.st_uid);
	*ret_is_ours = st.st_uid == 0 && s->uid != 0;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int spec_check(const struct spawner *s, int dir_fd, struct error *err)
{
	struct stat st;

	if (fstatat(dir_fd, "spec.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno(err, E_INVALID, errno, "the attempt folder holds no spec.json");
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || (st.st_uid != 0 && st.st_uid != s->uid))
		return fail(err, E_FORBIDDEN, "spec.json is not a plain file of the server");
	return 0;
}

static int contents_check(const struct spawner *s, int dir_fd, struct error *err)
{
	autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return fail_errno(err, E_INTERNAL, errno, "the attempt folder cannot be read");
	(void)take_fd(&fd);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, "spec.json") == 0)
			continue;
		return fail(err, E_CONFLICT,
		            "the attempt folder holds more than spec.json: it was started before");
	}
	return spec_check(s, dir_fd, err);
}

int spawner_folder_take(const struct spawner *s, int dir_fd, struct error *err)
{
	/* From here on its maker cannot change it any more. */
	if (fchown(dir_fd, 0, s->gid) < 0 || fchmod(dir_fd, 0750) < 0)
		return fail_errno(err, E_INTERNAL, errno,
		                  "the attempt folder cannot be taken over");
	return contents_check(s, dir_fd, err);
}

static int group_clean(const struct spawner *s, const char *name, struct error *err)
{
	struct cgroup *group = cgroup_find(s->configuration->cgroup_parent, name);
	int result;

	if (!group)
		return 0;
	result = cgroup_remove(group, GROUP_WAIT_MS, err);
	cgroup_free(group);
	return result;
}

/* A job that lost its monitor was not there to see that what it wrote to buckets is on disk. */
static void buckets_sync(const struct spawner *s)
{
	autofree char *path = xasprintf("%s/buckets", s->configuration->state_dir);
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && syncfs(fd) < 0)
		log_error("what a job without monitor wrote to buckets may not be on disk: %s",
		          strerror(errno));
}

int spawner_folder_clean(const struct spawner *s, const char *name, bool remove, struct error *err)
{
	autoclose int fd = -1, lock_fd = -1;
	bool is_ours = false;

	if (spawner_folder_open(s, name, &fd, &is_ours, err) < 0) {
		if (err->code != E_NOT_FOUND)
			return -1;
		return group_clean(s, name, err);
	}
	/* A monitor that was started just before hearthd died and comes only now finds the lock
	 * taken, and later no spec.json: it cannot begin what is given up here. */
	if (file_lock(fd, "lock", &lock_fd, err) < 0)
		return error_prefix(err, "the monitor of %s is alive", name);
	if (file_remove_tree(fd, "spec.json", err) < 0)
		return -1;
	if (group_clean(s, name, err) < 0)
		return -1;
	if (is_ours && !remove)
		buckets_sync(s);
	/* A folder that never became root's has no layers in it. */
	if ((is_ours || s->uid == 0) && overlay_remove(fd, err) < 0)
		return -1;
	return remove ? file_remove_tree(s->attempts_fd, name, err) : 0;
}
