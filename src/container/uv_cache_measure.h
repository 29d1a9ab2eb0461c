/* SPDX-License-Identifier: Apache-2.0 */
/* How large the cache of uv is, and what of it could go (uv_cache_trim.c). */
#ifndef HEARTH_CONTAINER_UV_CACHE_MEASURE_H
#define HEARTH_CONTAINER_UV_CACHE_MEASURE_H

#include "container/uv_cache_private.h"

#include <stddef.h>

struct uv_item {
	bool is_key;  /* an environment; else a package that no environment holds */
	char *folder; /* of a package, below the namespace's folder */
	char *name;
	int64_t bytes;   /* that its removal frees at once */
	int64_t used_ns; /* when it was last used */
};

struct uv_measure {
	int64_t bytes;         /* of everything; what has several names counts once */
	struct uv_item *items; /* the least recently used first */
	size_t count, room, n_keys;
};

void uv_measure_all(const struct uv_cache *cache, struct uv_measure *ret);
void uv_measure_clear(struct uv_measure *measure);
/* A folder below the namespace's, links in it cannot lead out; -1: there is none. */
int uv_measure_open(int folder_fd, const char *path);

#endif
