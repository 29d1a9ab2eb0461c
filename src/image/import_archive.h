/* SPDX-License-Identifier: Apache-2.0 */
/* What an unpacked archive turns out to be: an OCI layout, a docker-save archive, or neither. */
#ifndef HEARTH_IMAGE_IMPORT_ARCHIVE_H
#define HEARTH_IMAGE_IMPORT_ARCHIVE_H

#include "base/error.h"
#include "image/pull_resolve.h"
#include "image/reference.h"

#include <stdbool.h>

struct import_archive {
	bool is_image; /* else: a root file system */
	struct pull_plan plan;
	char *paths[MANIFEST_LAYERS_MAX]; /* of the layers' files in the folder */
};
void import_archive_clear(struct import_archive *archive);

/* Look into the folder. If the archive holds several images, the one named like `ref` is taken. */
int import_archive_read(int dir_fd, const struct reference *ref, const char *architecture,
			struct import_archive *ret, struct error *err);

/* A regular file of the folder; links are followed inside of it only. E_NOT_FOUND. */
int import_archive_open(int dir_fd, const char *path, int *ret_fd, int64_t *ret_size,
			struct error *err);

#endif
