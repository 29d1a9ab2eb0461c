/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLAKE3 with 32 bytes of output, plain or keyed (the BLAKE3 paper, sections 2 and 5; xet-cas.md,
 * appendix B). Debian 12 has no libblake3, so this one is ours: portable vectors of 4 or 8 lanes,
 * chosen at run time.
 */
#ifndef HEARTH_HUB_BLAKE3_H
#define HEARTH_HUB_BLAKE3_H

#include <stddef.h>
#include <stdint.h>

#define BLAKE3_SIZE 32
#define BLAKE3_BLOCK 64
#define BLAKE3_LEAF 1024

struct blake3 {
	uint32_t key[8];
	uint32_t chaining[8]; /* of the leaf that is being filled */
	uint64_t leaves;      /* complete ones before it */
	uint8_t block[BLAKE3_BLOCK];
	uint8_t block_len, blocks_done, flags, stack_len;
	uint8_t stack[55][BLAKE3_SIZE]; /* of subtrees; the last two may be of one size */
};

void blake3_init(struct blake3 *hash);
void blake3_init_keyed(struct blake3 *hash, const uint8_t key[BLAKE3_SIZE]);
void blake3_update(struct blake3 *hash, const void *data, size_t len);
void blake3_final(const struct blake3 *hash, uint8_t ret[BLAKE3_SIZE]); /* may go on afterwards */
/* All at once. `key` NULL: plain. */
void blake3_hash(const uint8_t *key, const void *data, size_t len, uint8_t ret[BLAKE3_SIZE]);

#endif
