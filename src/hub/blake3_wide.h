/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of BLAKE3: its constants, one compression, and many inputs of equal length at once. */
#ifndef HEARTH_HUB_BLAKE3_WIDE_H
#define HEARTH_HUB_BLAKE3_WIDE_H

#include "hub/blake3.h"

#include <stdbool.h>

enum blake3_flag {
	BLAKE3_CHUNK_START = 1,
	BLAKE3_CHUNK_END = 2,
	BLAKE3_PARENT = 4,
	BLAKE3_ROOT = 8,
	BLAKE3_KEYED = 16,
};

extern const uint32_t BLAKE3_IV[8];
extern const uint8_t BLAKE3_ORDER[7][16]; /* of the message's words, in each round */

/* One compression, in place. */
void blake3_compress(uint32_t chaining[8], const uint8_t block[BLAKE3_BLOCK], uint64_t counter,
                     uint32_t len, uint32_t flags);

/* Inputs of `blocks` full blocks, `stride` bytes apart; input i has the counter `counter` + i if
 * `counts`, else 0. */
struct blake3_batch {
	const uint32_t *key;
	const uint8_t *data;
	size_t stride, blocks;
	uint64_t counter;
	bool counts;
	uint8_t flags, flags_start, flags_end;
};

/* The chaining values of `count` inputs, one after the other in `ret`, which may be the inputs' own
 * place when those are pairs of chaining values. */
void blake3_hash_batch(const struct blake3_batch *batch, size_t count, uint8_t *ret);

#endif
