/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a xorb that a client sent: every byte of it is looked at before anybody else may. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/xorb_private.h"

#include <errno.h>
#include <string.h>

#define WINDOW_SIZE ((size_t)512 * 1024)
#define FOOTER_MARK "XETBLOB" /* of the official store; not sent by clients, and dropped */

/* The body, read ahead: from `start` to `end` of the window lie the next bytes. */
struct verification {
	int fd;
	int64_t offset, left; /* of what is not in the window yet */
	size_t start, end;
	uint8_t window[WINDOW_SIZE];
	uint8_t data[XORB_CHUNK_MAX];
	struct xorb_table table;
	uint32_t capacity;
	struct xet_tree tree;
};

/* Put at least `count` bytes in the window, fewer only if the body ends before. */
static int fill_window(struct verification *v, size_t count, struct error *err)
{
	if (v->end - v->start >= count || v->left == 0)
		return 0;
	memmove(v->window, v->window + v->start, v->end - v->start);
	v->end -= v->start;
	v->start = 0;
	while (v->end < WINDOW_SIZE && v->left > 0) {
		size_t room = WINDOW_SIZE - v->end;
		size_t want = v->left < (int64_t)room ? (size_t)v->left : room;
		ssize_t n = pread(v->fd, v->window + v->end, want, v->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(err, E_INTERNAL, errno, "cannot read the body");
		if (n == 0)
			return fail(err, E_INTERNAL, "the body has fewer bytes than it should");
		v->end += (size_t)n;
		v->offset += n;
		v->left -= n;
	}
	return 0;
}

static void append_chunk(struct verification *v, const struct xorb_header *header,
                         const uint8_t *data)
{
	struct xorb_table *table = &v->table;
	struct xet_node node = {.length = header->length};

	if (table->count == v->capacity) {
		v->capacity = v->capacity > 0 ? 2 * v->capacity : 64;
		table->chunks = xrealloc(table->chunks, v->capacity * sizeof(table->chunks[0]));
	}
	struct xorb_chunk *chunk = &table->chunks[table->count];

	xet_chunk_hash(data, header->length, &chunk->hash);
	chunk->serialized_end = table->serialized_bytes + XORB_HEADER_SIZE + header->compressed;
	chunk->data_end = header->length;
	if (table->count > 0)
		chunk->data_end += chunk[-1].data_end;
	table->serialized_bytes = chunk->serialized_end;
	table->count++;
	node.hash = chunk->hash;
	xet_tree_add(&v->tree, &node);
}

/* The chunk at the start of the window. */
static int check_chunk(struct verification *v, struct error *err)
{
	struct xorb_header header;
	uint32_t before = v->table.count > 0 ? v->table.chunks[v->table.count - 1].data_end : 0;

	if (v->end - v->start < XORB_HEADER_SIZE)
		return fail(err, E_INVALID, "its header is cut short");
	if (v->table.count == XORB_CHUNKS_MAX)
		return fail(err, E_INVALID, "a xorb has at most %d chunks", XORB_CHUNKS_MAX);
	if (xorb_header_read(v->window + v->start, &header, err) < 0)
		return -1;
	if (header.length > XORB_DATA_MAX - before)
		return fail(err, E_INVALID, "a xorb holds at most %d bytes of data", XORB_DATA_MAX);
	if (fill_window(v, XORB_HEADER_SIZE + header.compressed, err) < 0)
		return -1;
	if (v->end - v->start < XORB_HEADER_SIZE + header.compressed)
		return fail(err, E_INVALID, "its data is cut short");
	const uint8_t *data = v->window + v->start + XORB_HEADER_SIZE;

	if (header.scheme != XORB_PLAIN) {
		if (xorb_chunk_decode(header.scheme, data, header.compressed, v->data,
		                      header.length, err) < 0)
			return -1;
		data = v->data;
	}
	append_chunk(v, &header, data);
	v->start += XORB_HEADER_SIZE + header.compressed;
	return 0;
}

static bool is_footer(const struct verification *v)
{
	size_t len = strlen(FOOTER_MARK);

	return v->end - v->start >= len && memcmp(v->window + v->start, FOOTER_MARK, len) == 0;
}

static int check_body(struct verification *v, const struct xet_hash *expected, struct error *err)
{
	struct xet_hash root;
	char text[XET_HASH_TEXT_SIZE];

	for (;;) {
		if (fill_window(v, XORB_HEADER_SIZE, err) < 0)
			return -1;
		if (v->start == v->end || is_footer(v))
			break;
		if (check_chunk(v, err) < 0)
			return error_prefix(err, "chunk %u", v->table.count);
	}
	if (v->table.count == 0)
		return fail(err, E_INVALID, "the xorb has no chunks");
	xet_tree_root(&v->tree, &root);
	xet_hash_format(&root, text);
	if (!xet_hash_equal(&root, expected))
		return fail(err, E_INVALID, "the xorb's hash is %s, not the one in its address",
		            text);
	return 0;
}

int xorb_verify(int fd, int64_t offset, int64_t len, const struct xet_hash *expected,
                struct xorb_table *ret, struct error *err)
{
	if (len > XORB_BODY_MAX)
		return fail(err, E_TOO_LARGE, "a xorb has at most %d bytes", XORB_BODY_MAX);
	autofree struct verification *v = xmalloc(sizeof(*v));

	v->fd = fd;
	v->offset = offset;
	v->left = len;
	v->start = v->end = 0;
	v->table = (struct xorb_table){0};
	v->capacity = 0;
	xet_tree_init(&v->tree);
	if (check_body(v, expected, err) < 0) {
		xorb_table_clear(&v->table);
		return -1;
	}
	*ret = v->table;
	return 0;
}
