/* SPDX-License-Identifier: Apache-2.0 */
/* The table that a stored xorb carries behind its chunks (xorb.h). */
#include "hub/xorb_private.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_SIZE (XET_HASH_SIZE + 8)
#define TRAILER_SIZE 16

static const uint8_t TRAILER_MARK[8] = {'H', 'X', 'O', 'R', 'B', 0, 0, 1};

void xorb_table_clear(struct xorb_table *table)
{
	free(table->chunks);
	*table = (struct xorb_table){0};
}

uint32_t xorb_chunk_start(const struct xorb_table *table, uint32_t chunk)
{
	return chunk > 0 ? table->chunks[chunk - 1].serialized_end : 0;
}

uint32_t xorb_chunk_length(const struct xorb_table *table, uint32_t chunk)
{
	return table->chunks[chunk].data_end - (chunk > 0 ? table->chunks[chunk - 1].data_end : 0);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static void write_u32(uint8_t *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
}

int xorb_table_write(int fd, const struct xorb_table *table, struct error *err)
{
	size_t len = (size_t)table->count * RECORD_SIZE;
	autofree uint8_t *bytes = xmalloc(len + TRAILER_SIZE);

	for (uint32_t i = 0; i < table->count; i++) {
		const struct xorb_chunk *chunk = &table->chunks[i];
		uint8_t *record = bytes + (size_t)i * RECORD_SIZE;

		memcpy(record, chunk->hash.bytes, XET_HASH_SIZE);
		write_u32(record + XET_HASH_SIZE, chunk->serialized_end);
		write_u32(record + XET_HASH_SIZE + 4, chunk->data_end);
	}
	write_u32(bytes + len, table->count);
	write_u32(bytes + len + 4, table->serialized_bytes);
	memcpy(bytes + len + 8, TRAILER_MARK, sizeof(TRAILER_MARK));
	if (lseek(fd, table->serialized_bytes, SEEK_SET) < 0)
		return fail(err, E_INTERNAL, "cannot seek in the xorb's file");
	return file_write_all(fd, bytes, len + TRAILER_SIZE, err);
}

/* Every chunk has a length that a chunk can have, and the ends are those of the trailer. */
static bool is_sound(const struct xorb_table *table)
{
	uint32_t serialized = 0, data = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		const struct xorb_chunk *chunk = &table->chunks[i];

		if (chunk->serialized_end <= serialized || chunk->data_end <= data)
			return false;
		uint32_t stored = chunk->serialized_end - serialized;
		uint32_t length = chunk->data_end - data;

		if (stored <= XORB_HEADER_SIZE || stored > XORB_HEADER_SIZE + XORB_COMPRESSED_MAX ||
		    length > XORB_CHUNK_MAX)
			return false;
		serialized = chunk->serialized_end;
		data = chunk->data_end;
	}
	return serialized == table->serialized_bytes && data <= XORB_DATA_MAX;
}

static bool read_trailer(int fd, struct xorb_table *ret)
{
	uint8_t trailer[TRAILER_SIZE];
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size < TRAILER_SIZE ||
	    !file_read_at(fd, trailer, sizeof(trailer), st.st_size - TRAILER_SIZE) ||
	    memcmp(trailer + 8, TRAILER_MARK, sizeof(TRAILER_MARK)) != 0)
		return false;
	ret->count = read_u32(trailer);
	ret->serialized_bytes = read_u32(trailer + 4);
	return ret->count >= 1 && ret->count <= XORB_CHUNKS_MAX &&
	       st.st_size == (int64_t)ret->serialized_bytes + (int64_t)ret->count * RECORD_SIZE +
	                             TRAILER_SIZE;
}

int xorb_table_read(int fd, struct xorb_table *ret, struct error *err)
{
	struct xorb_table table = {0};

	if (!read_trailer(fd, &table))
		return fail(err, E_INTERNAL, "the stored xorb is damaged: no trailer");
	size_t len = (size_t)table.count * RECORD_SIZE;
	autofree uint8_t *bytes = xmalloc(len);

	if (!file_read_at(fd, bytes, len, table.serialized_bytes))
		return fail(err, E_INTERNAL, "cannot read the table of the stored xorb");
	table.chunks = xcalloc(table.count, sizeof(table.chunks[0]));
	for (uint32_t i = 0; i < table.count; i++) {
		const uint8_t *record = bytes + (size_t)i * RECORD_SIZE;

		memcpy(table.chunks[i].hash.bytes, record, XET_HASH_SIZE);
		table.chunks[i].serialized_end = read_u32(record + XET_HASH_SIZE);
		table.chunks[i].data_end = read_u32(record + XET_HASH_SIZE + 4);
	}
	if (!is_sound(&table)) {
		xorb_table_clear(&table);
		return fail(err, E_INTERNAL, "the stored xorb is damaged: its table is not sound");
	}
	*ret = table;
	return 0;
}
