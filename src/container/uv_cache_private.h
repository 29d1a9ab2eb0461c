/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of uv_cache*.c: uv_cache.c (locks and states), uv_cache_mount.c, uv_cache_trim.c. */
#ifndef HEARTH_CONTAINER_UV_CACHE_PRIVATE_H
#define HEARTH_CONTAINER_UV_CACHE_PRIVATE_H

#include "container/uv_cache.h"

#include <sys/types.h>

enum uv_cache_phase { UV_NOTHING, UV_BUILDING, UV_BUILT, UV_KEPT };

/* What a key's file says. */
struct uv_cache_record {
	enum uv_cache_phase phase;
	char folder[UV_CACHE_NAME_MAX];
};

/* Bytes of `lock`, and of a key's file. */
enum { UV_LOCK_TRIM = 0, UV_LOCK_START = 1, UV_LOCK_BUILD = 0, UV_LOCK_USE = 1 };

struct uv_cache {
	int folder_fd, lock_fd, keys_fd; /* of the namespace */
	int key_fd;                      /* -1: nothing held */
	char key[UV_CACHE_NAME_MAX];
	char attempt[48];
	char folder[UV_CACHE_NAME_MAX]; /* of our environment */
	char builder[48];
	char *target;
	bool is_builder, has_built;
};

/* An OFD lock of one byte: F_RDLCK, F_WRLCK, F_UNLCK; false if another holds it. */
bool uv_cache_lock(int fd, int byte, short type);
void uv_cache_record_read(int key_fd, struct uv_cache_record *ret);
void uv_cache_record_write(int key_fd, enum uv_cache_phase phase, const char *folder);
/* Call `fn` with each name in a folder but "." and ".."; false: it cannot be read. */
bool uv_cache_each(int dir_fd, void (*fn)(void *arg, int dir_fd, const char *name), void *arg);
/* Remove the environments of this name, for all user ids. */
void uv_cache_remove_folder(const struct uv_cache *cache, const char *folder);
/* Remove what leads to packages that are gone. */
void uv_cache_drop_pointers(const struct uv_cache *cache);
/* Was it last used since the machine started? */
bool uv_cache_is_of_boot(const struct uv_cache *cache);
/* After a start of the machine: what was not flushed may be damaged, and with it all that refers to
 * it. Needs the lock. */
int uv_cache_check_boot(struct uv_cache *cache, struct error *err);

#endif
