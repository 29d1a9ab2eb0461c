/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's private mounts. */
#include "container/stage.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

int stage_build(struct error *err)
{
	static const char *const folders[] = {STAGE_ROOT, STAGE_LAYERS, STAGE_OWN, STAGE_RUNTIME};

	/* Nothing of ours reaches the host, but what the host unmounts is not held here. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return fail_errno(err, E_INTERNAL, errno, "cannot make the mounts private");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount /proc");
	if (mount("hearth", STAGE_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64m"))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount a tmpfs over " STAGE_DIR);
	/* crun refuses to run where both versions of cgroups are visible. */
	(void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (mkdir(folders[i], 0755))
			return fail_errno(err, E_INTERNAL, errno, "cannot make %s", folders[i]);
	}
	return 0;
}

int stage_bind_file(int fd, const char *name, struct error *err)
{
	struct mount_attr attr = {
	        .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
	};
	char path[128];

	(void)snprintf(path, sizeof(path), STAGE_DIR "/%s", name);
	autoclose int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	autoclose int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (file < 0 || tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	    move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH))
		return fail_errno(err, E_INTERNAL, errno, "cannot show a file as %s", path);
	return 0;
}
