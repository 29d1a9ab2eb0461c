/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing in a root that an image made. */
#include "container/root_files.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)

static int open_dir(int root_fd, const char *path, int *ret_fd, struct error *err)
{
	return file_open_in_root(root_fd, path, O_PATH | O_DIRECTORY, 0, ret_fd, err);
}

/* `path` ends behind the component to make; its parent exists. */
static int make_one(int root_fd, char *path, uint32_t owner, struct error *err)
{
	autoclose int parent_fd = -1;
	char *slash = strrchr(path, '/');
	const char *name = slash + 1;

	*slash = '\0';
	int rc = open_dir(root_fd, path[0] ? path : "/", &parent_fd, err);
	*slash = '/';
	if (rc)
		return -1;
	if (mkdirat(parent_fd, name, 0755) ||
	    fchownat(parent_fd, name, owner, owner, AT_SYMLINK_NOFOLLOW))
		return errno == EEXIST || errno == ENOTDIR
		               ? fail(err, E_INVALID, "%.200s is not a folder in the image", path)
		               : fail_errno(err, E_INTERNAL, errno, "cannot make the folder %.200s",
		                            path);
	return 0;
}

int root_files_make_dir(int root_fd, const char *path, uint32_t owner, struct error *err)
{
	autofree char *copy = xasprintf("%s%s", path[0] == '/' ? "" : "/", path);
	struct error unused = ERROR_INIT;
	autoclose int whole_fd = -1;

	if (open_dir(root_fd, path, &whole_fd, &unused) == 0)
		return 0;
	for (char *end = copy; end;) {
		end = strchr(end + 1, '/');
		if (end)
			*end = '\0';
		autoclose int fd = -1;
		const char *last = strrchr(copy, '/') + 1;
		bool is_name = last[0] && strcmp(last, ".") != 0 && strcmp(last, "..") != 0;
		if (is_name && open_dir(root_fd, copy, &fd, &unused) &&
		    make_one(root_fd, copy, owner, err))
			return -1;
		if (end)
			*end = '/';
	}
	return 0;
}

int root_files_write(int root_fd, const char *dir, const char *name, const char *text,
                     uint32_t owner, struct error *err)
{
	autoclose int dir_fd = -1;

	if (root_files_make_dir(root_fd, dir, owner, err) || open_dir(root_fd, dir, &dir_fd, err))
		return -1;
	if (unlinkat(dir_fd, name, 0) && errno != ENOENT)
		return fail_errno(err, E_INVALID, errno, "cannot replace %s/%s of the image", dir,
		                  name);
	autoclose int fd =
	        openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fchown(fd, owner, owner))
		return fail_errno(err, E_INTERNAL, errno, "cannot write %s/%s", dir, name);
	return file_write_all(fd, text, strlen(text), err);
}

void root_files_read(int root_fd, const char *path, struct buffer *ret)
{
	struct error unused = ERROR_INIT;
	autoclose int fd = -1;
	struct stat st;
	char chunk[4096];
	ssize_t n;
	size_t before = ret->len;

	if (file_open_in_root(root_fd, path, READ_FLAGS, 0, &fd, &unused) || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode))
		return;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (buffer_add(ret, chunk, (size_t)n)) {
			ret->len = before;
			ret->data[before] = '\0'; /* not even its beginning */
			return;
		}
	}
}
