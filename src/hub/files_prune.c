/* SPDX-License-Identifier: Apache-2.0 */
/* What has been left in a store for long: tables, which can be made again, go; of xorbs the caller
 * knows who needs them; parts of what a killed run wrote go soon. */
#include "hub/files.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define PART_LIFE_NS (3600 * NS_PER_S)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

struct prune {
	bool are_tables;
	int64_t before_ns, part_before_ns;
	int64_t removed;
};

static int64_t used_ns(const struct stat *status, bool is_read_counted)
{
	int64_t written = status->st_mtim.tv_sec * NS_PER_S + status->st_mtim.tv_nsec;
	int64_t read = status->st_atim.tv_sec * NS_PER_S + status->st_atim.tv_nsec;

	return is_read_counted && read > written ? read : written;
}

static int prune_entry(struct prune *prune, int dir_fd, const char *name, struct error *err)
{
	struct xet_hash hash;
	struct stat status;

	if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
		return 0;
	int64_t used = used_ns(&status, prune->are_tables);
	bool is_part = !xet_hash_parse(name, &hash);
	if (used >= (is_part ? prune->part_before_ns : prune->before_ns))
		return 0;
	if (!is_part && !prune->are_tables)
		return files_emit(json_pack("{s:s}", "xorb", name), err);
	if (unlinkat(dir_fd, name, 0) == 0)
		prune->removed++;
	return 0;
}

static int prune_folder(struct prune *prune, int parent_fd, const char *name, int depth,
                        struct error *err)
{
	int fd = openat(parent_fd, name, FOLDER_FLAGS);
	autodir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (depth > 0 ? prune_folder(prune, fd, entry->d_name, depth - 1, err) < 0
		              : prune_entry(prune, fd, entry->d_name, err) < 0)
			return -1;
	}
	return 0;
}

int files_prune(json_t *request, struct error *err)
{
	struct prune prune = {.before_ns = json_get_int(request, "before_ns", 0)};
	autoclose int store_fd = -1;
	struct timespec now;

	if (files_open_folder(request, "store", &store_fd, err) < 0)
		return -1;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	prune.part_before_ns = now.tv_sec * NS_PER_S - PART_LIFE_NS;
	if (prune_folder(&prune, store_fd, "xorbs", 1, err) < 0)
		return -1;
	prune.are_tables = true;
	if (prune_folder(&prune, store_fd, "tables", 1, err) < 0)
		return -1;
	return files_emit(json_pack("{s:I}", "removed", (json_int_t)prune.removed), err);
}
