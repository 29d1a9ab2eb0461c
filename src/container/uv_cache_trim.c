/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping the cache below its limit. Packages lie unpacked in archive-v0/ID and are hard-linked
 * into environments: removing one of the two frees nothing while the other stands. So the least
 * recently used goes first, be it a package that no environment holds, or an environment that no
 * job uses; then everything is measured again. Nothing is removed while any uv of the namespace is
 * at work.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/overlay.h"
#include "container/uv_cache_measure.h"
#include "container/uv_cache_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define START_WAIT_MS 10000
#define START_LOOK_MS 50

static void remove_tree(int dir_fd, const char *name)
{
	struct error err = ERROR_INIT;

	if (unlinkat(dir_fd, name, 0) && overlay_remove_tree(dir_fd, name, &err))
		log_warning("the cache of uv: %s", err.text);
}

static void remove_key(const struct uv_cache *cache, const char *key, int key_fd)
{
	struct uv_cache_record record;

	uv_cache_record_read(key_fd, &record);
	(void)unlinkat(cache->keys_fd, key, 0);
	if (record.folder[0])
		uv_cache_remove_folder(cache, record.folder);
}

/* What builders left that were killed, with all folders that no key knows. */
struct sweep {
	const struct uv_cache *cache;
	json_t *folders; /* known ones */
};

static void sweep_key(void *arg, int keys_fd, const char *name)
{
	struct sweep *sweep = arg;
	struct uv_cache_record record;
	autoclose int fd = openat(keys_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	uv_cache_record_read(fd, &record);
	if (record.phase != UV_BUILT && record.phase != UV_KEPT &&
	    uv_cache_lock(fd, UV_LOCK_BUILD, F_WRLCK) && uv_cache_lock(fd, UV_LOCK_USE, F_WRLCK))
		remove_key(sweep->cache, name, fd);
	else if (record.folder[0])
		json_object_set_new(sweep->folders, record.folder, json_true());
}

static void sweep_folder(void *arg, int keys_fd, const char *name)
{
	const struct sweep *sweep = arg;

	if (!json_object_get(sweep->folders, name))
		remove_tree(keys_fd, name);
}

static void sweep_data(void *arg, int folder_fd, const char *name)
{
	autofree char *path = xasprintf("%s/keys", name);

	if (strncmp(name, "data.", 5) != 0)
		return;
	autoclose int fd = openat(folder_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		(void)uv_cache_each(fd, sweep_folder, arg);
}

static void sweep_all(const struct uv_cache *cache)
{
	autojson json_t *folders = json_object();
	struct sweep sweep = {cache, folders};

	if (uv_cache_each(cache->keys_fd, sweep_key, &sweep))
		(void)uv_cache_each(cache->folder_fd, sweep_data, &sweep);
}

/* True if it is gone: nobody used it. */
static bool evict_key(const struct uv_cache *cache, const char *key)
{
	autoclose int fd = openat(cache->keys_fd, key, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !uv_cache_lock(fd, UV_LOCK_BUILD, F_WRLCK) ||
	    !uv_cache_lock(fd, UV_LOCK_USE, F_WRLCK))
		return false;
	remove_key(cache, key, fd);
	return true;
}

/* Oldest first, until enough is free or a quarter of the environments is gone, whose packages only
 * a new measuring knows. */
static bool evict_round(const struct uv_cache *cache, const struct uv_measure *measure,
                        int64_t excess_bytes)
{
	size_t keys_max = measure->n_keys / 4 + 1, keys = 0;
	bool has_removed = false;

	for (size_t i = 0; i < measure->count && excess_bytes > 0 && keys < keys_max; i++) {
		const struct uv_item *item = &measure->items[i];

		if (item->is_key) {
			if (!evict_key(cache, item->name))
				continue;
			keys++;
		} else {
			autoclose int fd = uv_measure_open(cache->folder_fd, item->folder);
			if (fd < 0)
				continue;
			remove_tree(fd, item->name);
		}
		excess_bytes -= item->bytes;
		has_removed = true;
	}
	return has_removed;
}

static void remove_rest(void *arg, int cache_fd, const char *name)
{
	if (strncmp(name, "archive-v", 9) != 0)
		remove_tree(cache_fd, name);
}

/* Nothing was left to choose from: whatever else lies there, all of which uv can make again. */
static void remove_others(void *arg, int folder_fd, const char *name)
{
	autofree char *path = xasprintf("%s/cache", name);
	const bool *has_keys = arg;

	if (strncmp(name, "data.", 5) != 0)
		return;
	if (!*has_keys) {
		remove_tree(folder_fd, name);
		return;
	}
	autoclose int fd = uv_measure_open(folder_fd, path);
	if (fd >= 0)
		(void)uv_cache_each(fd, remove_rest, NULL);
}

/* True if something was removed. */
static bool evict(const struct uv_cache *cache, int64_t limit_bytes)
{
	bool has_evicted = false;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct uv_measure measure = {0};

		uv_measure_all(cache, &measure);
		bool is_above = measure.bytes > limit_bytes, has_keys = measure.n_keys > 0;
		bool has_removed = is_above && evict_round(cache, &measure,
		                                           measure.bytes - limit_bytes / 10 * 9);
		uv_measure_clear(&measure);
		has_evicted |= has_removed;
		if (!is_above)
			return has_evicted;
		if (!has_removed) {
			(void)uv_cache_each(cache->folder_fd, remove_others, &has_keys);
			return true;
		}
	}
	return has_evicted;
}

/* Alone, with no uv at work. */
static bool lock_all(const struct uv_cache *cache)
{
	int64_t until_ms = clock_monotonic_ms() + START_WAIT_MS;

	if (!uv_cache_lock(cache->lock_fd, UV_LOCK_TRIM, F_WRLCK))
		return false;
	while (!uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_WRLCK)) {
		if (clock_monotonic_ms() >= until_ms) {
			(void)uv_cache_lock(cache->lock_fd, UV_LOCK_TRIM, F_UNLCK);
			return false;
		}
		(void)usleep(START_LOOK_MS * 1000);
	}
	return true;
}

void uv_cache_trim(struct uv_cache *cache, int64_t limit_bytes)
{
	if (!cache->is_builder)
		return;
	if (cache->has_built) {
		if (syncfs(cache->folder_fd) == 0)
			uv_cache_record_write(cache->key_fd, UV_KEPT, cache->folder);
		(void)close(take_fd(&cache->key_fd));
	}
	if (!lock_all(cache))
		return;
	sweep_all(cache);
	if (limit_bytes > 0 && evict(cache, limit_bytes))
		uv_cache_drop_pointers(cache);
	(void)uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_UNLCK);
	(void)uv_cache_lock(cache->lock_fd, UV_LOCK_TRIM, F_UNLCK);
}
