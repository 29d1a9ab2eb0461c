/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures by allocated blocks, each file divided by its number of names, so that a package and the
 * environments that link it count once together. A package's last use is its files' ctime: that is
 * when uv linked them the last time. The environments of `--with` lie among the packages, and
 * belong to the keys that have links to them.
 */
#include "container/uv_cache_measure.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 64 /* packages are nowhere near; what is deeper goes uncounted */
#define BLOCK 512

struct tree {
	int64_t bytes, alone_bytes; /* alone: of files with one name */
	int64_t used_ns;
	bool is_held; /* has files with further names */
};

static void measure_tree(int dir_fd, const char *name, int depth, struct tree *ret);

struct descent {
	struct tree *tree;
	int depth;
};

static void measure_entry(void *arg, int dir_fd, const char *name)
{
	const struct descent *descent = arg;

	measure_tree(dir_fd, name, descent->depth, descent->tree);
}

static void measure_tree(int dir_fd, const char *name, int depth, struct tree *ret)
{
	struct stat st;
	struct descent descent = {ret, depth + 1};

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	int64_t bytes = (int64_t)st.st_blocks * BLOCK;
	bool is_folder = S_ISDIR(st.st_mode);
	if (is_folder || st.st_nlink <= 1) {
		ret->bytes += bytes;
		ret->alone_bytes += bytes;
	} else {
		ret->bytes += bytes / (int64_t)st.st_nlink;
		ret->is_held = true;
	}
	if (!is_folder) {
		int64_t ctime_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
		ret->used_ns = ctime_ns > ret->used_ns ? ctime_ns : ret->used_ns;
		return;
	}
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && depth < DEPTH_MAX)
		(void)uv_cache_each(fd, measure_entry, &descent);
}

int uv_measure_open(int folder_fd, const char *path)
{
	struct error unused = ERROR_INIT;
	int fd = -1;

	(void)file_open_in_root(folder_fd, path, O_RDONLY | O_DIRECTORY, 0, &fd, &unused);
	return fd;
}

static void add_item(struct uv_measure *measure, const struct uv_item *item)
{
	if (measure->count == measure->room) {
		measure->room = measure->room ? measure->room * 2 : 64;
		measure->items = xrealloc(measure->items, measure->room * sizeof(*measure->items));
	}
	measure->items[measure->count++] = *item;
}

struct packages {
	struct uv_measure *measure;
	const json_t *linked;
	const char *folder;
};

static bool is_environment(int dir_fd, const char *name)
{
	autofree char *path = xasprintf("%s/pyvenv.cfg", name);

	return faccessat(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void add_package(void *arg, int dir_fd, const char *name)
{
	const struct packages *packages = arg;
	struct tree tree = {0};

	measure_tree(dir_fd, name, 0, &tree);
	if (is_environment(dir_fd, name) ? json_object_get(packages->linked, name) != NULL
	                                 : tree.is_held)
		return;
	add_item(packages->measure, &(struct uv_item){
	                                    .folder = xstrdup(packages->folder),
	                                    .name = xstrdup(name),
	                                    .bytes = tree.alone_bytes,
	                                    .used_ns = tree.used_ns,
	                            });
}

/* environments-v2/INTERPRETER/RESOLUTION -> ../../archive-v0/ID */
static void add_link(void *arg, int dir_fd, const char *name)
{
	char target[256];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len <= 0)
		return;
	target[len] = '\0';
	const char *slash = strrchr(target, '/');
	json_object_set_new(arg, slash ? slash + 1 : target, json_true());
}

static void add_links_below(void *arg, int dir_fd, const char *name);

struct link_search {
	json_t *linked;
	int depth;
};

static void add_links_here(void *arg, int dir_fd, const char *name)
{
	const struct link_search *search = arg;
	struct link_search next = {search->linked, search->depth + 1};

	if (search->depth == 3)
		add_link(search->linked, dir_fd, name);
	else
		add_links_below(&next, dir_fd, name);
}

static void add_links_below(void *arg, int dir_fd, const char *name)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		(void)uv_cache_each(fd, add_links_here, arg);
}

struct search {
	struct uv_measure *measure;
	const json_t *linked;
	const char *data; /* name of the folder of one user id */
};

static void add_archive(void *arg, int cache_fd, const char *name)
{
	const struct search *search = arg;
	autofree char *folder = xasprintf("%s/cache/%s", search->data, name);
	struct packages packages = {search->measure, search->linked, folder};

	if (strncmp(name, "archive-v", 9) != 0)
		return;
	autoclose int fd = openat(cache_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		(void)uv_cache_each(fd, add_package, &packages);
}

static void add_data(void *arg, int folder_fd, const char *name)
{
	struct uv_measure *measure = arg;
	autojson json_t *linked = json_object();
	struct search search = {measure, linked, name};
	struct link_search links = {linked, 0};
	struct tree tree = {0};
	autofree char *keys = xasprintf("%s/keys", name);
	autofree char *path = xasprintf("%s/cache", name);

	if (strncmp(name, "data.", 5) != 0)
		return;
	measure_tree(folder_fd, name, 0, &tree);
	measure->bytes += tree.bytes;
	add_links_below(&links, folder_fd, keys);
	autoclose int fd = uv_measure_open(folder_fd, path);
	if (fd >= 0)
		(void)uv_cache_each(fd, add_archive, &search);
}

struct key_search {
	struct uv_measure *measure;
	const struct uv_cache *cache;
	struct tree tree;
	const char *folder;
};

static void add_environment(void *arg, int folder_fd, const char *name)
{
	struct key_search *search = arg;
	autofree char *path = xasprintf("%s/keys", name);

	if (strncmp(name, "data.", 5) != 0)
		return;
	autoclose int fd = uv_measure_open(folder_fd, path);
	if (fd >= 0)
		measure_tree(fd, search->folder, 0, &search->tree);
}

static void add_key(void *arg, int keys_fd, const char *name)
{
	const struct key_search *all = arg;
	struct key_search search = {.measure = all->measure, .cache = all->cache};
	struct uv_cache_record record;
	struct stat st;
	autoclose int fd = openat(keys_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || fstat(fd, &st))
		return;
	uv_cache_record_read(fd, &record);
	search.folder = record.folder;
	if (record.folder[0])
		(void)uv_cache_each(all->cache->folder_fd, add_environment, &search);
	all->measure->n_keys++;
	add_item(all->measure,
	         &(struct uv_item){
	                 .is_key = true,
	                 .name = xstrdup(name),
	                 .bytes = search.tree.alone_bytes,
	                 .used_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
	         });
}

static int by_use(const void *a, const void *b)
{
	const struct uv_item *left = a, *right = b;

	return left->used_ns < right->used_ns ? -1 : left->used_ns > right->used_ns;
}

void uv_measure_all(const struct uv_cache *cache, struct uv_measure *ret)
{
	struct key_search keys = {.measure = ret, .cache = cache};

	(void)uv_cache_each(cache->folder_fd, add_data, ret);
	(void)uv_cache_each(cache->keys_fd, add_key, &keys);
	if (ret->count > 0)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_use);
}

void uv_measure_clear(struct uv_measure *measure)
{
	for (size_t i = 0; i < measure->count; i++) {
		free(measure->items[i].folder);
		free(measure->items[i].name);
	}
	free(measure->items);
}
