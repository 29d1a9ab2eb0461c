/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of requests, and sentences for failed input and output. */
#include "hub/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int files_get_text(json_t *request, const char *key, const char **ret, struct error *err)
{
	const char *text = json_string_value(json_object_get(request, key));

	if (!text)
		return fail(err, E_INVALID, "'%s' must be text", key);
	*ret = text;
	return 0;
}

int files_get_array(json_t *request, const char *key, json_t **ret, struct error *err)
{
	json_t *array = json_object_get(request, key);

	if (array && !json_is_array(array))
		return fail(err, E_INVALID, "'%s' must be an array", key);
	*ret = array;
	return 0;
}

int files_open_folder(json_t *request, const char *key, int *ret_fd, struct error *err)
{
	const char *path = NULL;

	if (files_get_text(request, key, &path, err) < 0)
		return -1;
	if (path[0] != '/')
		return fail(err, E_INVALID, "'%s' must be an absolute path", key);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(err, errno == ENOENT ? E_NOT_FOUND : E_INTERNAL, errno,
		                  "cannot open the folder %s", path);
	*ret_fd = fd;
	return 0;
}

int files_parse_hash(const char *text, struct xet_hash *ret, struct error *err)
{
	if (!text || !xet_hash_parse(text, ret))
		return fail(err, E_INVALID, "a hash must be 64 hexadecimal digits");
	return 0;
}

int files_fail_io(struct error *err, int errno_value, const char *fmt, ...)
{
	char what[ERROR_TEXT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (errno_value == ENOSPC)
		return fail(err, E_UNAVAILABLE, "the server's disk is full: %s", what);
	if (errno_value == EDQUOT)
		return fail(err, E_UNAVAILABLE,
		            "the disk quota of the server's user is used up: %s", what);
	return fail_errno(err, E_INTERNAL, errno_value, "%s", what);
}

int files_write_all(int fd, const void *data, size_t len, struct error *err)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return files_fail_io(err, errno, "a file cannot be written");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}
