/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After the request is read and before anything of strangers is: only the folders that the request
 * names stay within reach. The paths come from hearthd. What is looked for below them comes from
 * clients and jobs.
 */
#include "hub/files.h"

#include "base/cleanup.h"
#include "base/landlock.h"
#include "base/memory.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const writers[] = {"batch", "put"}; /* of a bucket */

static bool writes_bucket(const char *operation)
{
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		if (strcmp(operation, writers[i]) == 0)
			return true;
	}
	return false;
}

static int allow_field(struct landlock *landlock, const json_t *object, const char *key,
                       enum landlock_right right, struct error *err)
{
	const char *path = json_string_value(json_object_get(object, key));

	return path && path[0] == '/' ? landlock_allow(landlock, path, right, err) : 0;
}

/* A body without a name gets one by a link, and for that its folder counts, too. */
static int allow_body(struct landlock *landlock, struct error *err)
{
	char self[32], path[PATH_MAX];
	struct stat body, folder;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", FILES_BODY_FD);
	ssize_t len = readlink(self, path, sizeof(path) - 1);
	path[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (!slash || slash == path || fstat(FILES_BODY_FD, &body) < 0 || body.st_nlink > 0)
		return 0;
	*slash = '\0';
	/* A file in memory has a path that only looks like one. */
	if (stat(path, &folder) < 0 || !S_ISDIR(folder.st_mode) || folder.st_dev != body.st_dev)
		return 0;
	return landlock_allow(landlock, path, LANDLOCK_MAY_WRITE, err);
}

static int allow_sources(struct landlock *landlock, json_t *request, struct error *err)
{
	const char *last = "";
	size_t i;
	json_t *add;

	json_array_foreach(json_object_get(request, "add"), i, add)
	{
		const char *from = json_string_value(json_object_get(add, "from"));

		if (!from || strcmp(from, last) == 0)
			continue;
		if (allow_field(landlock, add, "from", LANDLOCK_MAY_READ, err) < 0)
			return -1;
		last = from;
	}
	return 0;
}

/* To remove a folder is a change of the one that it lies in. */
static int allow_removal(struct landlock *landlock, json_t *request, struct error *err)
{
	const char *path = json_string_value(json_object_get(request, "folder"));
	autofree char *above = path ? xstrdup(path) : NULL;
	char *slash = above ? strrchr(above, '/') : NULL;

	if (!slash || slash == above)
		return 0;
	*slash = '\0';
	return landlock_allow(landlock, above, LANDLOCK_MAY_REMOVE, err);
}

static int allow_all(struct landlock *landlock, const char *operation, json_t *request,
                     struct error *err)
{
	enum landlock_right bucket =
	        writes_bucket(operation) ? LANDLOCK_MAY_WRITE : LANDLOCK_MAY_READ;

	if (strcmp(operation, "wipe") == 0)
		return allow_removal(landlock, request, err);
	if (allow_field(landlock, request, "bucket", bucket, err) < 0 ||
	    allow_field(landlock, request, "store", LANDLOCK_MAY_WRITE, err) < 0 ||
	    allow_field(landlock, request, "tmp", LANDLOCK_MAY_WRITE, err) < 0 ||
	    allow_field(landlock, request, "folder", LANDLOCK_MAY_READ, err) < 0)
		return -1;
	return allow_body(landlock, err) < 0 ? -1 : allow_sources(landlock, request, err);
}

int files_confine(const char *operation, json_t *request, struct error *err)
{
#ifdef __SANITIZE_ADDRESS__ /* its reports read files of their own */
	return 0;
#endif
	struct landlock landlock;
	int failed;

	if (landlock_open(&landlock, false, err) < 0)
		return -1;
	failed = allow_all(&landlock, operation, request, err) < 0 ||
	         landlock_enter(&landlock, err) < 0;
	landlock_close(&landlock);
	return failed ? -1 : 0;
}
