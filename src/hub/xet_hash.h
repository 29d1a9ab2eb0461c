/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of the Xet protocol: their text form and how they are built (xet-cas.md, 3.1 and 4). */
#ifndef HEARTH_HUB_XET_HASH_H
#define HEARTH_HUB_XET_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blake3;

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
/* Bit by bit: then blake3_update() and blake3_final(). */
void xet_chunk_hash_begin(struct blake3 *hash);

/* The Merkle tree of a list that comes one by one: constant memory, the same root as xet_root(). */
#define XET_TREE_GROUP 9   /* children of an inner node at most; at least 3 but for the last */
#define XET_TREE_LEVELS 22 /* 3^21: ten thousand million chunks */
struct xet_tree {
	struct xet_tree_level {
		struct xet_node pending[XET_TREE_GROUP];
		unsigned n_pending;
		uint64_t total; /* nodes that this level has had */
	} levels[XET_TREE_LEVELS];
};
void xet_tree_init(struct xet_tree *tree);
void xet_tree_add(struct xet_tree *tree, const struct xet_node *node);
/* No more nodes: the root. Zero for none; of one node its hash. */
void xet_tree_root(struct xet_tree *tree, struct xet_hash *ret);

/* The same of an array. */
void xet_root(const struct xet_node *nodes, size_t count, struct xet_hash *ret);
/* Xorb hash = the root; file hash = keyed(zero salt, root), zero for no chunks. */
void xet_file_hash_of_root(const struct xet_hash *root, struct xet_hash *ret); /* zero stays zero */
void xet_file_hash(const struct xet_node *nodes, size_t count, struct xet_hash *ret);
/* Verification entry of a term: over the raw hashes of its chunks. */
void xet_range_hash(const struct xet_node *chunks, size_t count, struct xet_hash *ret);

#endif
