/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of the Xet protocol: their text form and how they are built (xet-cas.md, 3.1 and 4). */
#ifndef HEARTH_HUB_XET_HASH_H
#define HEARTH_HUB_XET_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XET_HASH_SIZE 32
#define XET_HASH_TEXT_SIZE 65 /* 64 digits and NUL */

struct xet_hash {
	uint8_t bytes[XET_HASH_SIZE];
};

/* A chunk or an inner node: its hash and how many bytes of data it stands for. */
struct xet_node {
	struct xet_hash hash;
	uint64_t length;
};

bool xet_hash_is_zero(const struct xet_hash *hash);
bool xet_hash_equal(const struct xet_hash *a, const struct xet_hash *b);
/* Four little-endian 64-bit numbers, 16 lowercase digits each. */
void xet_hash_format(const struct xet_hash *hash, char ret[XET_HASH_TEXT_SIZE]);
bool xet_hash_parse(const char *text, struct xet_hash *ret); /* either case; exactly 64 digits */

void xet_chunk_hash(const void *data, size_t len, struct xet_hash *ret);
/* Merkle root of the nodes, which are overwritten. Zero for none; of one node its hash. */
void xet_root(struct xet_node *nodes, size_t count, struct xet_hash *ret);
/* Xorb hash = the root; file hash = keyed(zero salt, root), zero for no chunks. */
void xet_file_hash(struct xet_node *nodes, size_t count, struct xet_hash *ret);
/* Verification entry of a term: over the raw hashes of its chunks. */
void xet_range_hash(const struct xet_node *chunks, size_t count, struct xet_hash *ret);

#endif
