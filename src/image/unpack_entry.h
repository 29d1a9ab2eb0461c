/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of a layer's tar becomes a file, folder, link or whiteout. */
#ifndef HEARTH_IMAGE_UNPACK_ENTRY_H
#define HEARTH_IMAGE_UNPACK_ENTRY_H

#include "image/unpack.h"
#include "image/unpack_stream.h"
#include "image/unpack_tree.h"

#include <archive_entry.h>

struct unpack_entry_context {
	struct unpack_stream *stream;
	struct unpack_tree *tree;
	int64_t max_bytes;
	struct unpack_result *result; /* counts */
};

int unpack_entry(struct unpack_entry_context *context, struct archive_entry *entry,
		 struct error *err);

#endif
