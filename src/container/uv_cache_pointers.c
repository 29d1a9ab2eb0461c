/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uv's pointers to packages: below wheels-v* and sdists-v*, NAME is a link to a folder of
 * archive-v0, and NAME.http or NAME.rev repeats which. uv takes a pointer for the package, and
 * fails if the package is gone.
 */
#include "base/cleanup.h"
#include "base/memory.h"
#include "container/uv_cache_measure.h"
#include "container/uv_cache_private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 10

static void look_at(void *arg, int dir_fd, const char *name);

static void look_below(int dir_fd, const char *name, int depth)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && depth < DEPTH_MAX)
		(void)uv_cache_each(fd, look_at, &depth);
}

static void remove_pointer(int dir_fd, const char *name)
{
	static const char *const endings[] = {"http", "rev"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		autofree char *file = xasprintf("%s.%s", name, endings[i]);

		(void)unlinkat(dir_fd, file, 0);
	}
	(void)unlinkat(dir_fd, name, 0);
}

static void look_at(void *arg, int dir_fd, const char *name)
{
	const int *depth = arg;
	struct stat st, target;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (S_ISDIR(st.st_mode))
		look_below(dir_fd, name, *depth + 1);
	else if (S_ISLNK(st.st_mode) && fstatat(dir_fd, name, &target, 0))
		remove_pointer(dir_fd, name);
}

static void look_at_bucket(void *arg, int cache_fd, const char *name)
{
	if (strncmp(name, "wheels-v", 8) == 0 || strncmp(name, "sdists-v", 8) == 0)
		look_below(cache_fd, name, 0);
}

static void look_at_data(void *arg, int folder_fd, const char *name)
{
	autofree char *path = xasprintf("%s/cache", name);

	if (strncmp(name, "data.", 5) != 0)
		return;
	autoclose int fd = uv_measure_open(folder_fd, path);
	if (fd >= 0)
		(void)uv_cache_each(fd, look_at_bucket, NULL);
}

void uv_cache_drop_pointers(const struct uv_cache *cache)
{
	(void)uv_cache_each(cache->folder_fd, look_at_data, NULL);
}
