/* SPDX-License-Identifier: Apache-2.0 */
/* Who builds an environment, who waits, who uses it. */
#include "container/uv_cache.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/uv_cache_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX 256
#define TRIES_MAX 16

static const char *const phase_names[] = {"", "building", "ready", "kept"};

int uv_cache_check(const json_t *mount, struct error *err)
{
	const char *key = json_get_text(mount, "key", "");
	const char *target = json_get_text(mount, "target", "");

	if (!id_is_valid(json_get_text(mount, "namespace_id", "")))
		return fail(err, E_INVALID, "namespace_id must be 24 hex digits");
	if (strlen(key) != 64 || strspn(key, "0123456789abcdef") != 64)
		return fail(err, E_INVALID, "key must be 64 hex digits");
	if (target[0] != '/' || strlen(target) < 2 || strstr(target, "..") ||
	    target[strlen(target) - 1] == '/')
		return fail(err, E_INVALID, "target must be an absolute path");
	return 0;
}

bool uv_cache_lock(int fd, int byte, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

void uv_cache_record_read(int key_fd, struct uv_cache_record *ret)
{
	char text[RECORD_MAX] = "";
	ssize_t n = pread(key_fd, text, sizeof(text) - 1, 0);

	*ret = (struct uv_cache_record){.phase = UV_NOTHING};
	text[n > 0 ? n : 0] = '\0';
	for (int i = UV_BUILDING; i <= UV_KEPT; i++) {
		size_t len = strlen(phase_names[i]);
		if (strncmp(text, phase_names[i], len) != 0 || text[len] != ' ')
			continue;
		ret->phase = (enum uv_cache_phase)i;
		(void)snprintf(ret->folder, sizeof(ret->folder), "%.*s",
		               (int)strcspn(text + len + 1, "\n/"), text + len + 1);
	}
}

/* One write of a fixed length: a reader without a lock sees the old or the new one. */
void uv_cache_record_write(int key_fd, enum uv_cache_phase phase, const char *folder)
{
	char text[RECORD_MAX + 1], line[RECORD_MAX];

	(void)snprintf(line, sizeof(line), "%s %s\n", phase_names[phase], folder);
	(void)snprintf(text, sizeof(text), "%-*s", RECORD_MAX - 1, line);
	if (pwrite(key_fd, text, strlen(text), 0) < 0)
		log_warning("the cache of uv cannot be written: %s", strerror(errno));
}

bool uv_cache_each(int dir_fd, void (*fn)(void *arg, int dir_fd, const char *name), void *arg)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			fn(arg, dir_fd, entry->d_name);
	}
	return true;
}

int uv_cache_open(const char *state_dir, const json_t *mount, const char *attempt,
                  struct uv_cache **ret, struct error *err)
{
	autofree char *path =
	        xasprintf("%s/uv/%s", state_dir, json_get_text(mount, "namespace_id", ""));
	autofree char *parent = xasprintf("%s/uv", state_dir);
	struct uv_cache *cache = xcalloc(1, sizeof(*cache));
	autoclose int parent_fd = -1;

	*cache = (struct uv_cache){
	        .folder_fd = -1,
	        .lock_fd = -1,
	        .keys_fd = -1,
	        .key_fd = -1,
	        .target = xstrdup(json_get_text(mount, "target", "")),
	};
	(void)snprintf(cache->key, sizeof(cache->key), "%s", json_get_text(mount, "key", ""));
	(void)snprintf(cache->attempt, sizeof(cache->attempt), "%s", attempt);
	if (file_open_dir(parent, 0700, &parent_fd, err) ||
	    file_open_dir(path, 0700, &cache->folder_fd, err) ||
	    file_open_subdir(cache->folder_fd, "keys", 0700, &cache->keys_fd, err)) {
		uv_cache_close(cache);
		return -1;
	}
	cache->lock_fd =
	        openat(cache->folder_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (cache->lock_fd < 0) {
		uv_cache_close(cache);
		return fail_errno(err, E_INTERNAL, errno, "cannot open %s/lock", path);
	}
	*ret = cache;
	return 0;
}

static void let_go(struct uv_cache *cache)
{
	(void)uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_UNLCK);
	if (cache->key_fd >= 0)
		(void)close(cache->key_fd);
	cache->key_fd = -1;
}

void uv_cache_close(struct uv_cache *cache)
{
	if (!cache)
		return;
	if (cache->lock_fd >= 0)
		let_go(cache);
	if (cache->folder_fd >= 0)
		(void)close(cache->folder_fd);
	if (cache->keys_fd >= 0)
		(void)close(cache->keys_fd);
	if (cache->lock_fd >= 0)
		(void)close(cache->lock_fd);
	free(cache->target);
	free(cache);
}

/* Open the key's file and hold it as a user; false: it is being removed just now. */
static bool hold_key(struct uv_cache *cache)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		struct stat st;

		cache->key_fd = openat(cache->keys_fd, cache->key,
		                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (cache->key_fd < 0)
			return false;
		if (!uv_cache_lock(cache->key_fd, UV_LOCK_USE, F_RDLCK))
			return false;
		if (fstat(cache->key_fd, &st) == 0 && st.st_nlink > 0)
			return true;
		(void)close(cache->key_fd);
		cache->key_fd = -1;
	}
	return false;
}

/* True: the environment is there. */
static bool is_ready(struct uv_cache *cache, struct uv_cache_record *ret)
{
	uv_cache_record_read(cache->key_fd, ret);
	if (ret->phase != UV_BUILT && ret->phase != UV_KEPT)
		return false;
	(void)snprintf(cache->folder, sizeof(cache->folder), "%s", ret->folder);
	(void)futimens(cache->key_fd, NULL); /* its last use */
	return true;
}

static void begin_build(struct uv_cache *cache, const struct uv_cache_record *before)
{
	/* Its processes may be dying only now, so nothing of it is used again. */
	if (before->phase == UV_BUILDING && before->folder[0])
		uv_cache_remove_folder(cache, before->folder);
	(void)snprintf(cache->folder, sizeof(cache->folder), "%.16s-%s", cache->key,
	               cache->attempt);
	uv_cache_record_write(cache->key_fd, UV_BUILDING, cache->folder);
	cache->is_builder = true;
}

static enum uv_cache_state try_key(struct uv_cache *cache)
{
	struct uv_cache_record record;

	if (!hold_key(cache))
		return UV_CACHE_WAIT;
	if (is_ready(cache, &record))
		return UV_CACHE_READY;
	if (!uv_cache_lock(cache->key_fd, UV_LOCK_BUILD, F_WRLCK)) {
		const char *dash = strchr(record.folder, '-');
		(void)snprintf(cache->builder, sizeof(cache->builder), "%.*s", ID_LENGTH,
		               dash ? dash + 1 : "");
		return UV_CACHE_WAIT;
	}
	/* The builder may have finished between our two looks. */
	if (is_ready(cache, &record)) {
		(void)uv_cache_lock(cache->key_fd, UV_LOCK_BUILD, F_UNLCK);
		return UV_CACHE_READY;
	}
	begin_build(cache, &record);
	return UV_CACHE_BUILD;
}

int uv_cache_try(struct uv_cache *cache, enum uv_cache_state *ret, struct error *err)
{
	*ret = UV_CACHE_WAIT;
	cache->builder[0] = '\0';
	if (!uv_cache_is_of_boot(cache)) {
		if (!uv_cache_lock(cache->lock_fd, UV_LOCK_TRIM, F_WRLCK))
			return 0;
		int rc = uv_cache_check_boot(cache, err);
		(void)uv_cache_lock(cache->lock_fd, UV_LOCK_TRIM, F_UNLCK);
		if (rc)
			return -1;
	}
	if (uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_RDLCK))
		*ret = try_key(cache);
	if (*ret == UV_CACHE_WAIT)
		let_go(cache);
	return 0;
}

const char *uv_cache_builder(const struct uv_cache *cache)
{
	return cache->builder;
}

void uv_cache_set_private(struct uv_cache *cache)
{
	size_t len = strnlen(cache->key, 64);

	(void)snprintf(cache->key + len, sizeof(cache->key) - len, ".%s", cache->attempt);
}

void uv_cache_set_started(struct uv_cache *cache)
{
	if (cache->is_builder && !cache->has_built) {
		uv_cache_record_write(cache->key_fd, UV_BUILT, cache->folder);
		(void)uv_cache_lock(cache->key_fd, UV_LOCK_BUILD, F_UNLCK);
		cache->has_built = true;
	}
	(void)uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_UNLCK);
}

void uv_cache_let_others_clean(struct uv_cache *cache)
{
	(void)uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_UNLCK);
}

void uv_cache_end(struct uv_cache *cache)
{
	bool is_private = strchr(cache->key, '.') != NULL;

	if (cache->key_fd >= 0 && cache->is_builder && (!cache->has_built || is_private)) {
		uv_cache_remove_folder(cache, cache->folder);
		uv_cache_record_write(cache->key_fd, UV_NOTHING, "");
		if (is_private)
			(void)unlinkat(cache->keys_fd, cache->key, 0);
		cache->has_built = false;
	}
	if (cache->lock_fd >= 0 && !cache->has_built)
		let_go(cache);
	else
		(void)uv_cache_lock(cache->lock_fd, UV_LOCK_START, F_UNLCK);
}
