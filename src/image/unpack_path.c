/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Pure functions on text; nothing here touches a file. */
#include "image/unpack_path.h"

#include <string.h>

#define WHITEOUT_PREFIX ".wh."
#define UNPACK_PATH_DEPTH_MAX 1000

const char *unpack_path_shown(const char *name, char ret[UNPACK_PATH_SHOWN])
{
	size_t i;

	for (i = 0; name[i] && i + 1 < UNPACK_PATH_SHOWN; i++)
		ret[i] = (name[i] >= 0x20 && name[i] < 0x7f) ? name[i] : '?';
	ret[i] = '\0';
	return ret;
}

/* Remove the last component of `path`; false if there is none. */
static int unpack_path_pop(char *path, size_t *len)
{
	if (*len == 0)
		return -1;
	while (*len > 0 && path[*len - 1] != '/')
		(*len)--;
	if (*len > 0)
		(*len)--;
	path[*len] = '\0';
	return 0;
}

int unpack_path_clean(const char *name, char ret[PATH_MAX], struct error *err)
{
	char shown[UNPACK_PATH_SHOWN];
	size_t len = 0, depth = 0;

	ret[0] = '\0';
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (unpack_path_pop(ret, &len) < 0)
				return fail(err, E_INVALID,
				            "The layer names a file outside of its root: '%s'",
				            unpack_path_shown(name, shown));
			depth--;
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (n > NAME_MAX || len + 1 + n >= PATH_MAX ||
			    ++depth > UNPACK_PATH_DEPTH_MAX)
				return fail(err, E_INVALID,
				            "The layer has a name that is too long: '%s…'",
				            unpack_path_shown(name, shown));
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, p, n);
			len += n;
			ret[len] = '\0';
		}
		p += n;
		p += strspn(p, "/");
	}
	return 0;
}

enum whiteout_kind unpack_path_whiteout(const char *base, const char **ret_name)
{
	const char *name = base + strlen(WHITEOUT_PREFIX);

	if (strncmp(base, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) != 0)
		return WHITEOUT_NONE;
	if (strcmp(name, ".wh..opq") == 0)
		return WHITEOUT_OPAQUE;
	if (strncmp(name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
		return WHITEOUT_IGNORED;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return WHITEOUT_BAD;
	*ret_name = name;
	return WHITEOUT_NAME;
}
