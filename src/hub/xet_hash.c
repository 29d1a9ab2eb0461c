/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of the Xet protocol: all are BLAKE3 with one of four keys (xet-cas.md, 4). */
#include "hub/xet_hash.h"
#include "base/error.h"
#include "hub/blake3.h"

#include <string.h>

static const uint8_t DATA_KEY[BLAKE3_SIZE] = {
        0x66, 0x97, 0xf5, 0x77, 0x5b, 0x95, 0x50, 0xde, 0x31, 0x35, 0xcb,
        0xac, 0xa5, 0x97, 0x18, 0x1c, 0x9d, 0xe4, 0x21, 0x10, 0x9b, 0xeb,
        0x2b, 0x58, 0xb4, 0xd0, 0xb0, 0x4b, 0x93, 0xad, 0xf2, 0x29,
};
static const uint8_t NODE_KEY[BLAKE3_SIZE] = {
        0x01, 0x7e, 0xc5, 0xc7, 0xa5, 0x47, 0x29, 0x96, 0xfd, 0x94, 0x66,
        0x66, 0xb4, 0x8a, 0x02, 0xe6, 0x5d, 0xdd, 0x53, 0x6f, 0x37, 0xc7,
        0x6d, 0xd2, 0xf8, 0x63, 0x52, 0xe6, 0x4a, 0x53, 0x71, 0x3f,
};
static const uint8_t VERIFY_KEY[BLAKE3_SIZE] = {
        0x7f, 0x18, 0x57, 0xd6, 0xce, 0x56, 0xed, 0x66, 0x12, 0x7f, 0xf9,
        0x13, 0xe7, 0xa5, 0xc3, 0xf3, 0xa4, 0xcd, 0x26, 0xd5, 0xb5, 0xdb,
        0x49, 0xe6, 0x41, 0x24, 0x98, 0x7f, 0x28, 0xfb, 0x94, 0xc3,
};
static const uint8_t FILE_KEY[BLAKE3_SIZE] = {0};

#define NODE_GROUP_MIN 3 /* a group ends with its third child at the earliest … */
#define NODE_CUT_MASK 3  /* … which it does if the last number of its hash is 0 mod 4 */
#define NODE_LINE_MAX (XET_HASH_TEXT_SIZE + 24) /* "<hash> : <length>\n" */

bool xet_hash_is_zero(const struct xet_hash *hash)
{
	static const struct xet_hash zero;

	return xet_hash_equal(hash, &zero);
}

bool xet_hash_equal(const struct xet_hash *a, const struct xet_hash *b)
{
	return memcmp(a->bytes, b->bytes, XET_HASH_SIZE) == 0;
}

/* The byte that digits 2i and 2i + 1 of the text stand for. */
static int byte_of_digits(int i)
{
	return i / 8 * 8 + 7 - i % 8;
}

void xet_hash_format(const struct xet_hash *hash, char ret[XET_HASH_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < XET_HASH_SIZE; i++) {
		uint8_t byte = hash->bytes[byte_of_digits(i)];

		ret[2 * i] = digits[byte >> 4];
		ret[2 * i + 1] = digits[byte & 15];
	}
	ret[XET_HASH_TEXT_SIZE - 1] = '\0';
}

static int value_of_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool xet_hash_parse(const char *text, struct xet_hash *ret)
{
	struct xet_hash hash;

	for (int i = 0; i < XET_HASH_SIZE; i++) {
		int high = value_of_digit(text[2 * i]);
		int low = high < 0 ? -1 : value_of_digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		hash.bytes[byte_of_digits(i)] = (uint8_t)(high << 4 | low);
	}
	if (text[XET_HASH_TEXT_SIZE - 1])
		return false;
	*ret = hash;
	return true;
}

void xet_chunk_hash_begin(struct blake3 *hash)
{
	blake3_init_keyed(hash, DATA_KEY);
}

void xet_chunk_hash(const void *data, size_t len, struct xet_hash *ret)
{
	blake3_hash(DATA_KEY, data, len, ret->bytes);
}

static size_t format_number(uint64_t value, char *ret)
{
	char reversed[20];
	size_t len = 0;

	do
		reversed[len++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	for (size_t i = 0; i < len; i++)
		ret[i] = reversed[len - 1 - i];
	return len;
}

/* The parent of `count` nodes, at most XET_TREE_GROUP. */
static void make_parent(const struct xet_node *nodes, unsigned count, struct xet_node *ret)
{
	char text[XET_TREE_GROUP * NODE_LINE_MAX];
	uint64_t length = 0;
	size_t len = 0;

	for (unsigned i = 0; i < count; i++) {
		xet_hash_format(&nodes[i].hash, text + len);
		len += XET_HASH_TEXT_SIZE - 1;
		memcpy(text + len, " : ", 3);
		len += 3;
		len += format_number(nodes[i].length, text + len);
		text[len++] = '\n';
		length += nodes[i].length;
	}
	blake3_hash(NODE_KEY, text, len, ret->hash.bytes);
	ret->length = length;
}

void xet_tree_init(struct xet_tree *tree)
{
	for (unsigned i = 0; i < XET_TREE_LEVELS; i++) {
		tree->levels[i].n_pending = 0;
		tree->levels[i].total = 0;
	}
}

static void add_to_level(struct xet_tree *tree, unsigned number, const struct xet_node *node)
{
	if (number >= XET_TREE_LEVELS)
		BUG("a Merkle tree with more than %d levels", XET_TREE_LEVELS);
	struct xet_tree_level *level = &tree->levels[number];

	level->pending[level->n_pending++] = *node;
	level->total++;
}

static void close_group(struct xet_tree *tree, unsigned number)
{
	struct xet_tree_level *level = &tree->levels[number];
	struct xet_node parent = {0};

	make_parent(level->pending, level->n_pending, &parent);
	level->n_pending = 0;
	add_to_level(tree, number + 1, &parent);
}

static bool is_group_full(const struct xet_tree_level *level)
{
	const struct xet_node *last = &level->pending[level->n_pending - 1];

	if (level->n_pending == XET_TREE_GROUP)
		return true;
	return level->n_pending >= NODE_GROUP_MIN && (last->hash.bytes[24] & NODE_CUT_MASK) == 0;
}

void xet_tree_add(struct xet_tree *tree, const struct xet_node *node)
{
	add_to_level(tree, 0, node);
	for (unsigned i = 0; is_group_full(&tree->levels[i]); i++)
		close_group(tree, i);
}

void xet_tree_root(struct xet_tree *tree, struct xet_hash *ret)
{
	unsigned i = 0;

	if (tree->levels[0].total == 0) {
		*ret = (struct xet_hash){{0}};
		return;
	}
	for (; tree->levels[i].total > 1; i++) {
		/* A group that this fills one level up is closed there, at its own turn. */
		if (tree->levels[i].n_pending > 0)
			close_group(tree, i);
	}
	*ret = tree->levels[i].pending[0].hash;
}

void xet_root(const struct xet_node *nodes, size_t count, struct xet_hash *ret)
{
	struct xet_tree tree;

	xet_tree_init(&tree);
	for (size_t i = 0; i < count; i++)
		xet_tree_add(&tree, &nodes[i]);
	xet_tree_root(&tree, ret);
}

void xet_file_hash_of_root(const struct xet_hash *root, struct xet_hash *ret)
{
	if (xet_hash_is_zero(root))
		*ret = *root;
	else
		blake3_hash(FILE_KEY, root->bytes, XET_HASH_SIZE, ret->bytes);
}

void xet_file_hash(const struct xet_node *nodes, size_t count, struct xet_hash *ret)
{
	struct xet_hash root;

	xet_root(nodes, count, &root);
	xet_file_hash_of_root(&root, ret);
}

void xet_range_hash(const struct xet_node *chunks, size_t count, struct xet_hash *ret)
{
	struct blake3 hash;

	blake3_init_keyed(&hash, VERIFY_KEY);
	for (size_t i = 0; i < count; i++)
		blake3_update(&hash, chunks[i].hash.bytes, XET_HASH_SIZE);
	blake3_final(&hash, ret->bytes);
}
