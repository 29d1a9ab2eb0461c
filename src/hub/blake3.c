/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLAKE3's tree. Leaves of 1024 bytes that lie together are hashed many at a time, and so are the
 * nodes above them; the stack holds the roots of finished subtrees from left to right. Merging
 * is lazy: the very last merge of an input is special (ROOT), so two subtrees of one size stay as
 * they are until something follows them.
 */
#include "hub/blake3.h"
#include "hub/blake3_wide.h"

#include <string.h>

#define BATCH_LEAVES 64

static void start_leaf(struct blake3 *hash)
{
	memcpy(hash->chaining, hash->key, sizeof(hash->chaining));
	hash->block_len = 0;
	hash->blocks_done = 0;
}

void blake3_init(struct blake3 *hash)
{
	memcpy(hash->key, BLAKE3_IV, sizeof(hash->key));
	hash->flags = 0;
	hash->leaves = 0;
	hash->stack_len = 0;
	start_leaf(hash);
}

void blake3_init_keyed(struct blake3 *hash, const uint8_t key[BLAKE3_SIZE])
{
	blake3_init(hash);
	memcpy(hash->key, key, sizeof(hash->key));
	hash->flags = BLAKE3_KEYED;
	start_leaf(hash);
}

static void compress_parent(const struct blake3 *hash, const uint8_t pair[BLAKE3_BLOCK],
                            uint32_t flags, uint8_t ret[BLAKE3_SIZE])
{
	uint32_t chaining[8];

	memcpy(chaining, hash->key, sizeof(chaining));
	blake3_compress(chaining, pair, 0, BLAKE3_BLOCK, hash->flags | BLAKE3_PARENT | flags);
	memcpy(ret, chaining, BLAKE3_SIZE);
}

/* Something follows the first `leaves` leaves: what they have in the stack is then final. */
static void merge_stack(struct blake3 *hash, uint64_t leaves)
{
	while (hash->stack_len > __builtin_popcountll(leaves)) {
		uint8_t *pair = hash->stack[hash->stack_len - 2];

		compress_parent(hash, pair, 0, pair);
		hash->stack_len--;
	}
}

static void push_value(struct blake3 *hash, const uint8_t value[BLAKE3_SIZE], uint64_t leaves)
{
	merge_stack(hash, hash->leaves);
	memcpy(hash->stack[hash->stack_len++], value, BLAKE3_SIZE);
	hash->leaves += leaves;
}

/* Values of `count` (a power of two) neighbours, in place, until two are left. */
static void reduce_to_pair(const struct blake3 *hash, uint8_t *values, size_t count)
{
	for (; count > 2; count /= 2) {
		struct blake3_batch batch = {
		        .key = hash->key,
		        .data = values,
		        .stride = BLAKE3_BLOCK,
		        .blocks = 1,
		        .flags = hash->flags | BLAKE3_PARENT,
		};
		blake3_hash_batch(&batch, count / 2, values);
	}
}

/* Whole leaves from the start of one on. Never the only leaf of the input, which would be its root.
 */
static void add_leaves(struct blake3 *hash, const uint8_t *data, size_t count)
{
	uint8_t values[BATCH_LEAVES][BLAKE3_SIZE];
	struct blake3_batch batch = {
	        .key = hash->key,
	        .data = data,
	        .stride = BLAKE3_LEAF,
	        .blocks = BLAKE3_LEAF / BLAKE3_BLOCK,
	        .counter = hash->leaves,
	        .counts = true,
	        .flags = hash->flags,
	        .flags_start = BLAKE3_CHUNK_START,
	        .flags_end = BLAKE3_CHUNK_END,
	};

	blake3_hash_batch(&batch, count, values[0]);
	for (size_t done = 0; done < count;) {
		size_t size = BATCH_LEAVES; /* of the largest subtree that begins and fits here */

		while (size > count - done || hash->leaves % size != 0)
			size /= 2;
		if (size == 1) {
			push_value(hash, values[done], 1);
		} else {
			reduce_to_pair(hash, values[done], size);
			push_value(hash, values[done], size / 2);
			push_value(hash, values[done + 1], size / 2);
		}
		done += size;
	}
}

static void compress_block(struct blake3 *hash, uint32_t flags)
{
	if (hash->blocks_done == 0)
		flags |= BLAKE3_CHUNK_START;
	blake3_compress(hash->chaining, hash->block, hash->leaves, hash->block_len,
	                hash->flags | flags);
	hash->blocks_done++;
	hash->block_len = 0;
}

/* Into the leaf that is being filled; its last block waits, since it may be the input's last. */
static size_t fill_leaf(struct blake3 *hash, const uint8_t *data, size_t len)
{
	size_t taken = 0;

	while (taken < len) {
		if (hash->block_len == BLAKE3_BLOCK) {
			if (hash->blocks_done == BLAKE3_LEAF / BLAKE3_BLOCK - 1)
				break;
			compress_block(hash, 0);
		}
		size_t part = BLAKE3_BLOCK - (size_t)hash->block_len;

		if (part > len - taken)
			part = len - taken;
		memcpy(hash->block + hash->block_len, data + taken, part);
		hash->block_len = (uint8_t)(hash->block_len + part);
		taken += part;
	}
	return taken;
}

static void finish_leaf(struct blake3 *hash)
{
	uint8_t value[BLAKE3_SIZE];

	compress_block(hash, BLAKE3_CHUNK_END);
	memcpy(value, hash->chaining, sizeof(value));
	push_value(hash, value, 1);
	start_leaf(hash);
}

static bool has_begun_leaf(const struct blake3 *hash)
{
	return hash->block_len > 0;
}

void blake3_update(struct blake3 *hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	if (has_begun_leaf(hash) && len > 0) {
		size_t taken = fill_leaf(hash, bytes, len);

		bytes += taken;
		len -= taken;
		if (len == 0)
			return;
		finish_leaf(hash);
	}
	while (len > BLAKE3_LEAF || (len == BLAKE3_LEAF && hash->leaves > 0)) {
		size_t leaves = len / BLAKE3_LEAF;

		if (leaves > BATCH_LEAVES)
			leaves = BATCH_LEAVES;
		add_leaves(hash, bytes, leaves);
		bytes += leaves * BLAKE3_LEAF;
		len -= leaves * BLAKE3_LEAF;
	}
	if (len > 0) {
		merge_stack(hash, hash->leaves);
		(void)fill_leaf(hash, bytes, len);
	}
}

/* The value of the leaf that is being filled, as the last of the input. */
static void final_leaf(const struct blake3 *hash, uint32_t flags, uint8_t ret[BLAKE3_SIZE])
{
	uint8_t block[BLAKE3_BLOCK] = {0};
	uint32_t chaining[8];

	if (hash->blocks_done == 0)
		flags |= BLAKE3_CHUNK_START;
	memcpy(block, hash->block, hash->block_len);
	memcpy(chaining, hash->chaining, sizeof(chaining));
	blake3_compress(chaining, block, hash->leaves, hash->block_len,
	                hash->flags | BLAKE3_CHUNK_END | flags);
	memcpy(ret, chaining, BLAKE3_SIZE);
}

void blake3_final(const struct blake3 *hash, uint8_t ret[BLAKE3_SIZE])
{
	uint8_t pair[BLAKE3_BLOCK];
	size_t left = hash->stack_len;

	if (left == 0) {
		final_leaf(hash, BLAKE3_ROOT, ret);
		return;
	}
	if (has_begun_leaf(hash))
		final_leaf(hash, 0, pair + BLAKE3_SIZE);
	else
		memcpy(pair + BLAKE3_SIZE, hash->stack[--left], BLAKE3_SIZE);
	while (left > 0) {
		memcpy(pair, hash->stack[--left], BLAKE3_SIZE);
		compress_parent(hash, pair, left == 0 ? BLAKE3_ROOT : 0, pair + BLAKE3_SIZE);
	}
	memcpy(ret, pair + BLAKE3_SIZE, BLAKE3_SIZE);
}

void blake3_hash(const uint8_t *key, const void *data, size_t len, uint8_t ret[BLAKE3_SIZE])
{
	struct blake3 hash;

	if (key)
		blake3_init_keyed(&hash, key);
	else
		blake3_init(&hash);
	blake3_update(&hash, data, len);
	blake3_final(&hash, ret);
}
