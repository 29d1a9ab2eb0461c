/* SPDX-License-Identifier: Apache-2.0 */
/* Content-defined chunking as Xet clients do it: gear hash, 8 to 128 KiB (xet-cas.md, appendices A
 * and C). */
#ifndef HEARTH_HUB_CHUNKER_H
#define HEARTH_HUB_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_MAX (128 * 1024)

struct chunker {
	uint64_t gear;
	size_t length; /* of the chunk so far */
};

void chunker_init(struct chunker *chunker);
/* How many of the `len` bytes belong to the present chunk; *ret_end: the chunk ends there. When the
 * data is over, what is left is the last chunk. */
size_t chunker_next(struct chunker *chunker, const uint8_t *data, size_t len, bool *ret_end);

#endif
