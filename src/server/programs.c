/* SPDX-License-Identifier: Apache-2.0 */
/* Where hearth-monitor and hearth-pull are (programs.h). */
#include "server/programs.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Set by the build; the default is only for programs built without it (tests). */
#ifndef HEARTH_LIBEXECDIR
#define HEARTH_LIBEXECDIR "/usr/libexec/hearth"
#endif

static char *own_folder(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (len <= 0)
		return NULL;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return NULL;
	*slash = '\0';
	return xstrdup(path);
}

int program_find(const char *name, char **ret, struct error *err)
{
	static const char *const beside[] = {"",        "/../container",      "/../image",
	                                     "/../hub", "/../libexec/hearth", "/../lib/hearth"};
	autofree char *folder = own_folder();
	char *path;

	for (size_t i = 0; folder && i < sizeof(beside) / sizeof(beside[0]); i++) {
		path = xasprintf("%s%s/%s", folder, beside[i], name);
		if (access(path, X_OK) == 0) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	path = xasprintf("%s/%s", HEARTH_LIBEXECDIR, name);
	if (access(path, X_OK) == 0) {
		*ret = path;
		return 0;
	}
	free(path);
	return fail(err, E_UNAVAILABLE, "%s is not installed: neither beside hearthd nor in %s",
	            name, HEARTH_LIBEXECDIR);
}
