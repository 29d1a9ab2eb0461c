/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder of hub.mirror holds, and the commit that this stands for: a hash over paths, sizes and times of change, so
 * that it is the same until a file changes. Remembered for seconds, since clients ask once per file. */
#ifndef HEARTH_API_MIRROR_LISTING_H
#define HEARTH_API_MIRROR_LISTING_H

#include "api/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIRROR_COMMIT_SIZE 41
#define MIRROR_FILES_MAX 1000000

struct mirror_file {
	char *path;
	int64_t size, mtime_ns;
	char etag[MIRROR_COMMIT_SIZE];
};

struct mirror_listing {
	char commit[MIRROR_COMMIT_SIZE];
	struct mirror_file *files; /* in order of path */
	size_t count;
	int64_t newest_ms; /* of all files */
};

struct mirror; /* the memory of listings; owned by the API */
void mirror_free(struct mirror *mirror);

/* `listing` NULL: `err` says why. Borrowed for the call. Runs at once or in a later turn. */
typedef void mirror_listing_fn(void *arg, const struct mirror_listing *listing, const struct error *err);
void mirror_list(struct api *api, const char *folder, mirror_listing_fn *fn, void *arg);
void mirror_forget(struct api *api, const char *folder); /* it has changed: the next one lists it again */
const struct mirror_file *mirror_listing_find(const struct mirror_listing *listing, const char *path); /* NULL: none */

#endif
