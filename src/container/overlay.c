/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts layers and overlay. Layers lie at STAGE_LAYERS/<n> and are named relative to that folder,
 * so that the options of mount(2), one page, have room for hundreds of them. Needs Linux 5.19
 * (overlayfs on id-mapped layers).
 */
#include "container/overlay.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "container/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MOUNT_OPTIONS_MAX 4095

static int mount_layer(const struct overlay_options *o, int layers_fd, const char *name,
                       const char *number, struct error *err)
{
	struct mount_attr attr = {
	        .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV,
	        .userns_fd = (uint64_t)o->user_namespace_fd,
	};
	autoclose int tree = open_tree(layers_fd, name,
	                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	if (tree < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "cannot open the image layer %.12s", name);
	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		return fail_errno(err, E_UNSUPPORTED, errno,
		                  "the file system of the image store cannot map ids (ext4, xfs, "
		                  "btrfs and tmpfs can, on Linux 5.19 or newer)");
	if (mkdir(number, 0755) || move_mount(tree, "", AT_FDCWD, number, MOVE_MOUNT_F_EMPTY_PATH))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount the image layer %.12s",
		                  name);
	return 0;
}

/* Mounts the layers and writes their names, topmost first. */
static int mount_layers(const struct overlay_options *o, struct buffer *options, struct error *err)
{
	autoclose int layers_fd =
	        openat(o->images_fd, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	size_t count = json_array_size(o->layers);

	if (layers_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the image store");
	(void)buffer_add_text(options, "lowerdir=");
	if (o->top && buffer_printf(options, "%s%s", o->top, count > 0 ? ":" : ""))
		return fail(err, E_INVALID, "the image has too many layers");
	for (size_t i = count; i-- > 0;) {
		char number[24];
		(void)snprintf(number, sizeof(number), "%zu", i);
		if (mount_layer(o, layers_fd, json_string_value(json_array_get(o->layers, i)),
		                number, err))
			return -1;
		if (buffer_printf(options, "%s%s", number, i > 0 ? ":" : ""))
			return fail(err, E_INVALID, "the image has too many layers");
	}
	if (count == 0 && !o->top) { /* overlayfs wants a lower layer */
		(void)mkdir("empty", 0755);
		(void)buffer_add_text(options, "empty");
	}
	return 0;
}

bool overlay_can_merge(const struct overlay_options *o, const char *name, struct stat *ret)
{
	for (size_t i = json_array_size(o->layers); i-- > 0;) {
		char path[256];
		struct stat st;
		(void)snprintf(path, sizeof(path), "layers/%s/%s",
		               json_string_value(json_array_get(o->layers, i)), name);
		if (fstatat(o->images_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(st.st_mode))
			*ret = st;
		return S_ISDIR(st.st_mode);
	}
	return true;
}

static int make_disk(const struct overlay_options *o, int *ret_disk_fd, struct error *err)
{
	autoclose int disk_fd = -1;

	if (file_open_subdir(o->attempt_fd, OVERLAY_DISK, 0700, &disk_fd, err))
		return -1;
	if (mkdirat(disk_fd, "upper", 0755) || mkdirat(disk_fd, "work", 0700))
		return fail_errno(err, E_INTERNAL, errno, "cannot make the job's upper layer");
	/* The root folder of the job is the upper one: its owner is seen. */
	if (fchownat(disk_fd, "upper", o->owner, o->owner, AT_SYMLINK_NOFOLLOW) ||
	    fchmodat(disk_fd, "upper", 0755, 0))
		return fail_errno(err, E_INTERNAL, errno, "cannot own the job's upper layer");
	*ret_disk_fd = take_fd(&disk_fd);
	return 0;
}

static int mount_overlay(struct buffer *options, int disk_fd, struct error *err)
{
	size_t len;

	if (buffer_printf(options,
	                  ",upperdir=/proc/self/fd/%d/upper,workdir=/proc/self/fd/%d/work"
	                  ",userxattr",
	                  disk_fd, disk_fd))
		return fail(err, E_INVALID, "the image has too many layers");
	len = options->len;
	/* The upper layer dies with the job: no fsync in it needs to reach the disk. */
	if (buffer_add_text(options, ",volatile") == 0 &&
	    mount("overlay", STAGE_ROOT, "overlay", MS_NODEV, options->data) == 0)
		return 0;
	options->data[len] = '\0';
	if (mount("overlay", STAGE_ROOT, "overlay", MS_NODEV, options->data))
		return fail_errno(err, E_INTERNAL, errno,
		                  "cannot mount the job's root file system (overlayfs)");
	return 0;
}

int overlay_mount(const struct overlay_options *o, int *ret_upper_fd, struct error *err)
{
	autobuffer struct buffer options = BUFFER_INIT(MOUNT_OPTIONS_MAX);
	autoclose int disk_fd = -1;

	if (make_disk(o, &disk_fd, err))
		return -1;
	if (chdir(STAGE_LAYERS))
		return fail_errno(err, E_INTERNAL, errno, "cannot enter " STAGE_LAYERS);
	if (mount_layers(o, &options, err) || mount_overlay(&options, disk_fd, err))
		return -1;
	if (chdir(STAGE_DIR))
		return fail_errno(err, E_INTERNAL, errno, "cannot enter " STAGE_DIR);
	*ret_upper_fd = openat(disk_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_upper_fd >= 0
	               ? 0
	               : fail_errno(err, E_INTERNAL, errno, "cannot open the upper layer");
}
