/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes are made anew: the host's belong to its groups, and a container with ids of its own could
 * open none of them. What the kernel sees is the number, and that is the host node's now, not the
 * specification's, which may be older than the last boot.
 */
#include "container/devices_private.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PERMISSIONS 0777

static int check_numbers(const json_t *node, const struct stat *st, struct error *err)
{
	const char *path = json_get_text(node, "hostPath", "");
	const char *type = json_get_text(node, "type", S_ISBLK(st->st_mode) ? "b" : "c");
	int64_t number_major = json_get_int(node, "major", 0);
	int64_t number_minor = json_get_int(node, "minor", 0);

	if ((type[0] == 'b') != S_ISBLK(st->st_mode))
		return fail(err, E_INVALID,
		            "%.200s is no %s device, as its CDI specification says; it has to be "
		            "made again",
		            path, type[0] == 'b' ? "block" : "character");
	/* Without a major number the specification leaves it to us. */
	if (number_major != 0 &&
	    (number_major != major(st->st_rdev) || number_minor != minor(st->st_rdev)))
		return fail(
		        err, E_INVALID,
		        "%.200s is the device %u:%u now, but %lld:%lld in its CDI specification, "
		        "which has to be made again",
		        path, major(st->st_rdev), minor(st->st_rdev), (long long)number_major,
		        (long long)number_minor);
	return 0;
}

static int read_node(const json_t *node, struct device_node *ret, struct error *err)
{
	const char *path = json_get_text(node, "hostPath", "");
	const char *permissions = json_get_text(node, "permissions", "rwm");
	struct stat st;

	if (stat(path, &st))
		return fail(err, E_NOT_FOUND, "the device is gone: the host has no %.200s (%s)",
		            path, strerror(errno));
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(err, E_INVALID, "%.200s is no device node on the host", path);
	if (check_numbers(node, &st, err))
		return -1;
	*ret = (struct device_node){
	        .path = xstrdup(json_get_text(node, "path", "")),
	        .number = st.st_rdev,
	        .mode = (st.st_mode & S_IFMT) |
	                ((mode_t)json_get_int(node, "fileMode", st.st_mode) & PERMISSIONS),
	        .can_read = strchr(permissions, 'r'),
	        .can_write = strchr(permissions, 'w'),
	};
	return 0;
}

int device_nodes_read(struct devices *devices, struct error *err)
{
	const json_t *list = json_object_get(devices->edits, "deviceNodes");
	size_t i;
	json_t *node;

	devices->nodes = xcalloc(json_array_size(list) + 1, sizeof(*devices->nodes));
	json_array_foreach(list, i, node)
	{
		if (read_node(node, &devices->nodes[i], err))
			return -1;
		devices->n_nodes++;
	}
	return 0;
}

int device_nodes_make(const struct devices *devices, uint32_t uid, uint32_t gid, struct error *err)
{
	if (mkdir(DEVICES_STAGE, 0755) ||
	    mount("hearth", DEVICES_STAGE, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=1m"))
		return fail_errno(err, E_INTERNAL, errno, "cannot mount a tmpfs for devices");
	for (size_t i = 0; i < devices->n_nodes; i++) {
		const struct device_node *node = &devices->nodes[i];
		autofree char *path = xasprintf(DEVICES_STAGE "/node%zu", i);
		if (mknod(path, node->mode, node->number) || lchown(path, uid, gid) ||
		    chmod(path, node->mode & PERMISSIONS))
			return fail_errno(err, E_INTERNAL, errno,
			                  "cannot make the device node %.200s", node->path);
	}
	return 0;
}
