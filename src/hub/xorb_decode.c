/* SPDX-License-Identifier: Apache-2.0 */
/* Gives the data of a stored xorb's chunks, and notices if the disk has changed them. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "hub/xorb_private.h"

struct decoding {
	uint8_t stored[XORB_HEADER_SIZE + XORB_COMPRESSED_MAX];
	uint8_t data[XORB_CHUNK_MAX];
};

static int decode_chunk(struct decoding *room, int fd, const struct xorb_table *table,
                        uint32_t chunk, const uint8_t **ret, struct error *err)
{
	uint32_t start = xorb_chunk_start(table, chunk);
	uint32_t stored = table->chunks[chunk].serialized_end - start;
	uint32_t length = xorb_chunk_length(table, chunk);
	const uint8_t *data = room->stored + XORB_HEADER_SIZE;
	struct xorb_header header;
	struct xet_hash hash;

	if (!file_read_at(fd, room->stored, stored, start))
		return fail(err, E_INTERNAL, "it cannot be read");
	if (xorb_header_read(room->stored, &header, err) < 0)
		return -1;
	if (header.length != length || header.compressed != stored - XORB_HEADER_SIZE)
		return fail(err, E_INTERNAL, "its header does not agree with the table");
	if (header.scheme != XORB_PLAIN) {
		if (xorb_chunk_decode(header.scheme, data, header.compressed, room->data, length,
		                      err) < 0)
			return -1;
		data = room->data;
	}
	xet_chunk_hash(data, length, &hash);
	if (!xet_hash_equal(&hash, &table->chunks[chunk].hash))
		return fail(err, E_INTERNAL, "its data does not have its hash");
	*ret = data;
	return 0;
}

int xorb_decode(int fd, const struct xorb_table *table, uint32_t first, uint32_t end,
                int (*fn)(void *arg, const uint8_t *data, size_t len, struct error *err), void *arg,
                struct error *err)
{
	autofree struct decoding *room = xmalloc(sizeof(*room));

	if (first > end || end > table->count)
		return fail(err, E_INVALID, "chunks %u to %u of a xorb that has %u", first, end,
		            table->count);
	for (uint32_t i = first; i < end; i++) {
		const uint8_t *data = NULL;

		if (decode_chunk(room, fd, table, i, &data, err) < 0) {
			err->code = E_INTERNAL; /* the disk's fault, whatever the check said */
			return error_prefix(err, "the stored xorb is damaged: chunk %u", i);
		}
		if (fn(arg, data, xorb_chunk_length(table, i), err) < 0)
			return -1;
	}
	return 0;
}
