/* SPDX-License-Identifier: Apache-2.0 */
/* Making room: all blocks are looked at, sorted by the time of their last use, and the oldest
 * removed. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/block_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define STALE_S 3600 /* temporary files of processes that were killed */
#define BLOCKS_MAX (16 * 1024 * 1024)

struct found {
	int64_t used_ns;
	int64_t cost;
	uint8_t folder;
	char *name;
};

struct search {
	struct found *list;
	size_t count, cap;
	int64_t total;
};

static void search_add(struct search *search, int folder, const char *name,
                       const struct stat *status)
{
	struct found *found;

	if (search->count == BLOCKS_MAX)
		return;
	if (search->count == search->cap) {
		search->cap = search->cap ? 2 * search->cap : 4096;
		search->list = xrealloc(search->list, search->cap * sizeof(*search->list));
	}
	found = &search->list[search->count++];
	*found = (struct found){
	        .used_ns = status->st_mtim.tv_sec * 1000000000LL + status->st_mtim.tv_nsec,
	        .cost = (int64_t)status->st_blocks * 512,
	        .folder = (uint8_t)folder,
	        .name = xstrdup(name),
	};
	search->total += found->cost;
}

/* `folder` -1: temporary files. */
static void search_folder(struct search *search, int dir_fd, int folder)
{
	char name[8] = BLOCK_CACHE_TMP;
	autodir DIR *dir = NULL;
	const struct dirent *entry;
	struct stat status;
	int fd;

	if (folder >= 0)
		(void)snprintf(name, sizeof(name), "%02x", folder);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		(void)close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (folder >= 0)
			search_add(search, folder, entry->d_name, &status);
		else if (time(NULL) - status.st_mtime > STALE_S)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

static int found_compare(const void *a, const void *b)
{
	int64_t x = ((const struct found *)a)->used_ns, y = ((const struct found *)b)->used_ns;

	return (x > y) - (x < y);
}

int64_t block_cache_evict(int dir_fd, int64_t keep)
{
	struct search search = {0};
	char path[300];

	for (int folder = -1; folder < BLOCK_CACHE_FOLDERS; folder++)
		search_folder(&search, dir_fd, folder);
	if (search.count > 0)
		qsort(search.list, search.count, sizeof(*search.list), found_compare);
	for (size_t i = 0; i < search.count; i++) {
		struct found *found = &search.list[i];

		(void)snprintf(path, sizeof(path), "%02x/%s", found->folder, found->name);
		if (search.total > keep && unlinkat(dir_fd, path, 0) == 0)
			search.total -= found->cost;
		free(found->name);
	}
	free(search.list);
	return search.total;
}
