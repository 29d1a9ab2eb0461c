/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files and standard input for options like --env-file. */
#include "cli/input_file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int input_file_open(const char *path, int *ret_fd, struct error *err)
{
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
	                                : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INVALID, errno,
		                  "Cannot read '%s'", path);
	*ret_fd = fd;
	return 0;
}

int input_file_read(const char *path, struct buffer *ret, struct error *err)
{
	autoclose int fd = -1;
	if (input_file_open(path, &fd, err) < 0)
		return -1;
	for (;;) {
		char piece[16384];
		ssize_t n = read(fd, piece, sizeof piece);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, E_INVALID, errno, "Cannot read '%s'", path);
		if (buffer_add(ret, piece, (size_t)n) < 0)
			return fail(err, E_TOO_LARGE, "'%s' is larger than %zu bytes", path,
			            ret->max);
	}
}
