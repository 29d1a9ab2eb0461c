/* SPDX-License-Identifier: Apache-2.0 */
/* Names of buckets and paths of their files, from strangers to the file system. */
#include "hub/bucket_path.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OUR_PREFIX ".hearth-" /* of temporary files */
#define OPEN_TRIES 100        /* something on the way may be renamed at the same time */

/* Valid UTF-8 without control characters, those of C1 (U+0080 to U+009F) included. */
static bool is_plain_text(const char *text, size_t len)
{
	for (size_t i = 0, char_len; i < len; i += char_len) {
		uint32_t code;

		if (!utf8_decode(text + i, len - i, &char_len, &code))
			return false;
		if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
	}
	return true;
}

static int check_component(const char *name, size_t len, struct error *err)
{
	if (len == 0)
		return fail(err, E_INVALID,
		            "path must not begin or end with '/' nor have two of them together");
	if (len > NAME_MAX)
		return fail(err, E_INVALID, "each part of path may have at most %d bytes",
		            NAME_MAX);
	if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
		return fail(err, E_INVALID, "no part of path may be '.' or '..'");
	if (len >= strlen(OUR_PREFIX) && memcmp(name, OUR_PREFIX, strlen(OUR_PREFIX)) == 0)
		return fail(err, E_INVALID, "no part of path may begin with '" OUR_PREFIX "'");
	return 0;
}

int bucket_path_check(const char *path, struct error *err)
{
	size_t len = strlen(path);

	if (len == 0)
		return fail(err, E_INVALID, "path must not be empty");
	if (len > BUCKET_PATH_MAX)
		return fail(err, E_INVALID, "path may have at most %d bytes", BUCKET_PATH_MAX);
	if (!is_plain_text(path, len))
		return fail(err, E_INVALID, "path must be UTF-8 text without control characters");
	for (const char *part = path;; part++) {
		size_t part_len = strcspn(part, "/");

		if (check_component(part, part_len, err) < 0)
			return -1;
		part += part_len;
		if (!*part)
			return 0;
	}
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int bucket_name_check(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > BUCKET_NAME_MAX)
		return fail(err, E_INVALID, "the bucket's name must have 1 to %d characters",
		            BUCKET_NAME_MAX);
	if (!is_name_char(name[0]))
		return fail(err, E_INVALID, "the bucket's name must begin with a letter or digit");
	for (size_t i = 1; i < len; i++) {
		if (!is_name_char(name[i]) && !strchr("._-", name[i]))
			return fail(err, E_INVALID,
			            "the bucket's name may have letters, digits, '.', '_' and '-'");
	}
	return 0;
}

static enum error_code code_of_errno(int open_errno)
{
	switch (open_errno) {
	case ENOENT:
	case ENOTDIR:
	case ELOOP: /* a symbolic link on the way: to us there is nothing */
	case EXDEV: /* another file system, or a way out */
	case ENXIO: /* a socket, or a pipe that nobody reads */
		return E_NOT_FOUND;
	case ENAMETOOLONG:
		return E_INVALID;
	case EEXIST:
	case EISDIR:
		return E_CONFLICT;
	default:
		return E_INTERNAL;
	}
}

int bucket_open(int bucket_fd, const char *path, int flags, int *ret_fd, struct error *err)
{
	if (!(flags & O_PATH)) /* whatever lies there, e.g. a pipe: opening it may not wait */
		flags |= O_NONBLOCK | O_NOCTTY;
	struct open_how how = {
	        .flags = (uint64_t)(unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
	        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? 0644 : 0,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = -1;

	for (int i = 0; i < OPEN_TRIES && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, bucket_fd, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN && errno != EINTR)
			break;
	}
	if (fd < 0)
		return fail_errno(err, code_of_errno(errno), errno, "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}
