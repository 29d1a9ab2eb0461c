/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a driver: opened on the host, bound onto the stage read-only, and from there into the
 * container by the runtime. Where they go is resolved in the image's root first, and a link of the
 * image at that place makes way: what the runtime gets is a path without links.
 */
#include "container/devices_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/elf_soname.h"
#include "container/root_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static bool has_option(const json_t *mount, const char *name)
{
	size_t i;
	json_t *option;

	json_array_foreach(json_object_get(mount, "options"), i, option)
	{
		if (strcmp(json_string_value(option), name) == 0)
			return true;
	}
	return false;
}

static int open_file(const json_t *mount, struct device_file *ret, struct error *err)
{
	const char *path = json_get_text(mount, "hostPath", "");
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return fail(err, E_NOT_FOUND,
		            "the host has no %.200s (%s), which the device needs; is its CDI "
		            "specification "
		            "older than the driver?",
		            path, strerror(errno));
	*ret = (struct device_file){
	        .fd = take_fd(&fd),
	        .target = xstrdup(json_get_text(mount, "containerPath", "")),
	        .is_folder = S_ISDIR(st.st_mode),
	        .is_writable = has_option(mount, "rw") && !has_option(mount, "ro"),
	        .is_recursive = has_option(mount, "rbind") && S_ISDIR(st.st_mode),
	};
	return 0;
}

int device_files_open(struct devices *devices, struct error *err)
{
	const json_t *list = json_object_get(devices->edits, "mounts");
	size_t i;
	json_t *mount;

	devices->files = xcalloc(json_array_size(list) + 1, sizeof(*devices->files));
	json_array_foreach(list, i, mount)
	{
		if (open_file(mount, &devices->files[i], err))
			return -1;
		devices->n_files++;
	}
	return 0;
}

static bool is_in_library_folder(const struct devices *devices, const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path), i;
	json_t *folder;

	json_array_foreach(json_object_get(devices->edits, "libraryFolders"), i, folder)
	{
		if (json_string_length(folder) == len &&
		    memcmp(json_string_value(folder), path, len) == 0)
			return true;
	}
	return false;
}

static bool is_taken(const struct devices *devices, const char *path)
{
	size_t i;
	json_t *link;

	for (i = 0; i < devices->n_files; i++) {
		if (strcmp(devices->files[i].target, path) == 0)
			return true;
	}
	json_array_foreach(json_object_get(devices->edits, "symlinks"), i, link)
	{
		if (strcmp(json_get_text(link, "path", ""), path) == 0)
			return true;
	}
	return false;
}

/* A descriptor by which it can be read: ours only names it. */
static int reopen(const struct device_file *file)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* What ldconfig would do in the container: libcuda.so.1 is libcuda.so.535.183.01. */
void device_files_find_names(struct devices *devices)
{
	for (size_t i = 0; i < devices->n_files; i++) {
		const struct device_file *file = &devices->files[i];
		const char *slash = strrchr(file->target, '/');
		char name[ELF_SONAME_SIZE];
		if (file->is_folder || !strstr(slash, ".so") ||
		    !is_in_library_folder(devices, file->target))
			continue;
		autoclose int fd = reopen(file);
		if (fd < 0 || !elf_soname(fd, name))
			continue;
		autofree char *path =
		        xasprintf("%.*s/%s", (int)(slash - file->target), file->target, name);
		if (!is_taken(devices, path))
			(void)json_array_append_new(
			        json_object_get(devices->edits, "symlinks"),
			        json_pack("{s:s, s:s}", "path", path, "target", slash + 1));
	}
}

static int bind_file(struct device_file *file, size_t number, struct error *err)
{
	unsigned int recursive = file->is_recursive ? AT_RECURSIVE : 0;
	struct mount_attr attr = {
	        .attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
	                    (file->is_writable ? 0 : MOUNT_ATTR_RDONLY),
	};
	autofree char *path = xasprintf(DEVICES_STAGE "/file%zu", number);
	int rc = file->is_folder ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
	autoclose int tree = open_tree(
	        file->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);

	if (rc || tree < 0 ||
	    mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attr, sizeof(attr)) ||
	    move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH))
		return fail_errno(err, E_INTERNAL, errno, "cannot show %.200s to the job",
		                  file->target);
	(void)close(take_fd(&file->fd));
	return 0;
}

int device_files_bind(struct devices *devices, struct error *err)
{
	for (size_t i = 0; i < devices->n_files; i++) {
		if (bind_file(&devices->files[i], i, err))
			return -1;
	}
	return 0;
}

/* What the runtime mounts itself. */
static bool is_of_runtime(const char *path)
{
	static const char *const folders[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t len = strlen(folders[i]);
		if (strncmp(path, folders[i], len) == 0 && (path[len] == '/' || !path[len]))
			return true;
	}
	return false;
}

/* The path in the root of what `fd` is, followed by /name. */
static int find_place(int fd, const char *name, char **ret, struct error *err)
{
	char link[64], path[PATH_MAX];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len < 0 || len == (ssize_t)sizeof(path) - 1)
		return fail(err, E_INTERNAL, "cannot find a folder of the job's root");
	path[len] = '\0';
	if (strncmp(path, STAGE_ROOT, strlen(STAGE_ROOT)) != 0)
		return fail(err, E_INTERNAL, "a folder of the job's root lies outside of it");
	if (is_of_runtime(path + strlen(STAGE_ROOT)))
		return fail(err, E_INVALID,
		            "a link of the image leads to %.200s, where no file of a device can be",
		            path + strlen(STAGE_ROOT));
	*ret = xasprintf("%s%s%s", path + strlen(STAGE_ROOT), name[0] ? "/" : "", name);
	return 0;
}

/* Make and open the folder above `path`; *ret_name is the last part. */
static int open_parent(int root_fd, const char *path, uint32_t owner, int *ret_fd,
                       const char **ret_name, struct error *err)
{
	const char *slash = strrchr(path, '/');
	autofree char *folder =
	        slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));

	*ret_name = slash + 1;
	if (root_files_make_dir(root_fd, folder, owner, err))
		return -1;
	return file_open_in_root(root_fd, folder, O_PATH | O_DIRECTORY, 0, ret_fd, err);
}

static int prepare_folder(int root_fd, struct device_file *file, uint32_t owner, struct error *err)
{
	autoclose int fd = -1;

	if (root_files_make_dir(root_fd, file->target, owner, err) ||
	    file_open_in_root(root_fd, file->target, O_PATH | O_DIRECTORY, 0, &fd, err))
		return -1;
	return find_place(fd, "", &file->place, err);
}

static int prepare_file(int root_fd, struct device_file *file, uint32_t owner, struct error *err)
{
	autoclose int parent_fd = -1;
	const char *name;
	struct stat st;

	if (open_parent(root_fd, file->target, owner, &parent_fd, &name, err))
		return -1;
	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		st.st_mode = 0;
	if (S_ISDIR(st.st_mode))
		return fail(err, E_INVALID,
		            "%.200s is a folder in the image, but the device needs a file there",
		            file->target);
	if (st.st_mode && !S_ISREG(st.st_mode) && unlinkat(parent_fd, name, 0))
		return fail_errno(err, E_INTERNAL, errno, "cannot replace %.200s of the image",
		                  file->target);
	if (!S_ISREG(st.st_mode)) {
		autoclose int fd =
		        openat(parent_fd, name,
		               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0 || fchown(fd, owner, owner))
			return fail_errno(err, E_INTERNAL, errno, "cannot make %.200s",
			                  file->target);
	}
	return find_place(parent_fd, name, &file->place, err);
}

/* A folder of the image in the place of a link stays: it may hold libraries of its own. */
static int make_link(int root_fd, const json_t *link, uint32_t owner, struct error *err)
{
	const char *path = json_get_text(link, "path", ""), *name;
	autoclose int parent_fd = -1;
	struct stat st;

	if (open_parent(root_fd, path, owner, &parent_fd, &name, err))
		return -1;
	bool is_there = fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there && S_ISDIR(st.st_mode))
		return 0;
	if ((is_there && unlinkat(parent_fd, name, 0)) ||
	    symlinkat(json_get_text(link, "target", ""), parent_fd, name) ||
	    fchownat(parent_fd, name, owner, owner, AT_SYMLINK_NOFOLLOW))
		return fail_errno(err, E_INTERNAL, errno, "cannot make the link %.200s", path);
	return 0;
}

static bool is_target(const struct devices *devices, const char *path)
{
	for (size_t i = 0; i < devices->n_files; i++) {
		if (strcmp(devices->files[i].target, path) == 0)
			return true;
	}
	return false;
}

int device_files_prepare(struct devices *devices, int root_fd, uint32_t owner, struct error *err)
{
	size_t i;
	json_t *link;

	for (i = 0; i < devices->n_files; i++) {
		struct device_file *file = &devices->files[i];
		/* The container's /dev is made by the runtime. */
		if (strncmp(file->target, "/dev/", 5) == 0)
			file->place = xstrdup(file->target);
		else if (file->is_folder ? prepare_folder(root_fd, file, owner, err)
		                         : prepare_file(root_fd, file, owner, err))
			return -1;
	}
	json_array_foreach(json_object_get(devices->edits, "symlinks"), i, link)
	{
		if (!is_target(devices, json_get_text(link, "path", "")) &&
		    make_link(root_fd, link, owner, err))
			return -1;
	}
	return 0;
}

void device_files_close(struct devices *devices)
{
	for (size_t i = 0; i < devices->n_files; i++) {
		if (devices->files[i].fd >= 0)
			(void)close(devices->files[i].fd);
		free(devices->files[i].target);
		free(devices->files[i].place);
	}
	free(devices->files);
}
