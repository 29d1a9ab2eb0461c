/* SPDX-License-Identifier: Apache-2.0 */
/* One file of a CDI folder: whether it can be believed, and what it holds. */
#include "container/cdi_private.h"

#include "base/cleanup.h"
#include "container/cdi_yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Root's group is as good as root. */
static bool is_trusted(const struct stat *st)
{
	bool has_owner = st->st_uid == 0 || st->st_uid == geteuid();

	return has_owner && !(st->st_mode & S_IWOTH) &&
	       (!(st->st_mode & S_IWGRP) || st->st_gid == 0);
}

int cdi_file_check_folder(int dir_fd, struct error *err)
{
	struct stat st;

	if (fstat(dir_fd, &st))
		return fail_errno(err, E_INTERNAL, errno, "it cannot be looked at");
	if (!is_trusted(&st))
		return fail(err, E_FORBIDDEN, "others than root can write into the folder");
	return 0;
}

static int read_text(int dir_fd, const char *name, struct buffer *ret, struct error *err)
{
	autoclose int fd =
	        openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	char chunk[16384];
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ELOOP)
		return fail(err, E_FORBIDDEN, "it is a symbolic link; put the file itself here");
	if (fd < 0 || fstat(fd, &st))
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "it cannot be opened");
	if (!S_ISREG(st.st_mode))
		return fail(err, E_INVALID, "it is not a file");
	if (!is_trusted(&st))
		return fail(err, E_FORBIDDEN,
		            "it must belong to root, and nobody else may write it");
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		if (buffer_add(ret, chunk, (size_t)n))
			return fail(err, E_TOO_LARGE, "it is larger than %d MiB",
			            CDI_FILE_MAX >> 20);
	}
	return n < 0 ? fail_errno(err, E_INTERNAL, errno, "it cannot be read") : 0;
}

int cdi_file_read(int dir_fd, const char *name, json_t **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(CDI_FILE_MAX);
	const char *dot = strrchr(name, '.');

	if (read_text(dir_fd, name, &text, err))
		return -1;
	if (dot && strcmp(dot, ".json") == 0)
		return json_parse(text.data, text.len, "file", ret, err);
	return cdi_yaml_parse(buffer_text(&text), text.len, ret, err);
}
