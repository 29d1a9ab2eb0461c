/* SPDX-License-Identifier: Apache-2.0 */
/* The cache after a start of the machine: what was not on disk yet may be there in name only. */
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/overlay.h"
#include "container/uv_cache_private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID_MAX 64

static void remove_in_data(void *arg, int folder_fd, const char *name)
{
	const char *folder = arg;
	struct error err = ERROR_INIT;
	autofree char *path = xasprintf("%s/keys", name);
	autoclose int fd = -1;

	if (strncmp(name, "data.", 5) != 0 ||
	    file_open_in_root(folder_fd, path, O_RDONLY | O_DIRECTORY, 0, &fd, &err))
		return;
	if (overlay_remove_tree(fd, folder, &err))
		log_warning("the cache of uv: %s", err.text);
}

void uv_cache_remove_folder(const struct uv_cache *cache, const char *folder)
{
	(void)uv_cache_each(cache->folder_fd, remove_in_data, (void *)(uintptr_t)folder);
}

static void read_boot_id(struct buffer *ret)
{
	struct error unused = ERROR_INIT;

	(void)file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", ret, &unused);
}

bool uv_cache_is_of_boot(const struct uv_cache *cache)
{
	autobuffer struct buffer now = BUFFER_INIT(BOOT_ID_MAX), then = BUFFER_INIT(BOOT_ID_MAX);
	struct error unused = ERROR_INIT;

	read_boot_id(&now);
	return file_read(cache->folder_fd, "boot", &then, &unused) == 0 &&
	       strcmp(buffer_text(&now), buffer_text(&then)) == 0;
}

static void note_damage(void *arg, int keys_fd, const char *name)
{
	bool *is_damaged = arg;
	struct uv_cache_record record;
	autoclose int fd = openat(keys_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return;
	uv_cache_record_read(fd, &record);
	if (record.phase != UV_KEPT)
		*is_damaged = true;
}

static void remove_key_file(void *arg, int keys_fd, const char *name)
{
	(void)unlinkat(keys_fd, name, 0);
}

static void remove_data(void *arg, int folder_fd, const char *name)
{
	struct error err = ERROR_INIT;

	if (strncmp(name, "data.", 5) == 0 && overlay_remove_tree(folder_fd, name, &err))
		log_warning("the cache of uv: %s", err.text);
}

int uv_cache_check_boot(struct uv_cache *cache, struct error *err)
{
	autobuffer struct buffer now = BUFFER_INIT(BOOT_ID_MAX);
	bool is_damaged = false;

	if (uv_cache_is_of_boot(cache))
		return 0;
	(void)uv_cache_each(cache->keys_fd, note_damage, &is_damaged);
	if (is_damaged) {
		(void)uv_cache_each(cache->keys_fd, remove_key_file, NULL);
		(void)uv_cache_each(cache->folder_fd, remove_data, NULL);
	}
	read_boot_id(&now);
	return file_write_atomic(cache->folder_fd, "boot", now.data, now.len, 0600, false, err);
}
