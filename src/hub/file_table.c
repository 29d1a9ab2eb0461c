/* SPDX-License-Identifier: Apache-2.0 */
/* Chunk tables: made by a scan of a file, and cut into virtual xorbs. */
#include "hub/file_table.h"
#include "base/memory.h"
#include "hub/xorb.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 64 /* records */

static const uint8_t *record_at(const struct file_table *table, size_t chunk)
{
	return table->records + chunk * FILE_TABLE_RECORD;
}

uint32_t file_table_length(const struct file_table *table, size_t chunk)
{
	uint32_t length;

	memcpy(&length, record_at(table, chunk) + XET_HASH_SIZE, sizeof(length));
	return le32toh(length);
}

void file_table_hash(const struct file_table *table, size_t chunk, struct xet_hash *ret)
{
	memcpy(ret->bytes, record_at(table, chunk), XET_HASH_SIZE);
}

bool file_table_parse(const void *records, size_t len, struct file_table *ret)
{
	struct file_table table = {.records = records, .count = len / FILE_TABLE_RECORD};

	if (len % FILE_TABLE_RECORD != 0 || table.count > FILE_TABLE_CHUNKS_MAX)
		return false;
	for (size_t i = 0; i < table.count; i++) {
		uint32_t length = file_table_length(&table, i);

		if (length == 0 || length > CHUNK_MAX)
			return false;
	}
	*ret = table;
	return true;
}

uint64_t file_table_size(const struct file_table *table)
{
	uint64_t size = 0;

	for (size_t i = 0; i < table->count; i++)
		size += file_table_length(table, i);
	return size;
}

bool file_group_next(const struct file_table *table, struct file_group *group)
{
	struct file_group next = {
	        .first = group->end,
	        .end = group->end,
	        .offset = group->offset + group->data_bytes,
	};

	while (next.end < table->count && next.end - next.first < XORB_CHUNKS_MAX) {
		uint32_t length = file_table_length(table, next.end);

		if (next.data_bytes + length > XORB_DATA_MAX)
			break;
		next.data_bytes += length;
		next.serialized_bytes += XORB_HEADER_SIZE + length;
		next.end++;
	}
	if (next.end == next.first)
		return false;
	*group = next;
	return true;
}

void file_group_hash(const struct file_table *table, const struct file_group *group,
                     struct xet_hash *ret)
{
	struct xet_tree tree;

	xet_tree_init(&tree);
	for (size_t i = group->first; i < group->end; i++) {
		struct xet_node node = {.length = file_table_length(table, i)};

		file_table_hash(table, i, &node.hash);
		xet_tree_add(&tree, &node);
	}
	xet_tree_root(&tree, ret);
}

void file_group_locate(const struct file_table *table, const struct file_group *group, size_t index,
                       uint32_t *ret_serialized, uint32_t *ret_data)
{
	uint32_t data = 0;

	for (size_t i = 0; i < index; i++)
		data += file_table_length(table, group->first + i);
	*ret_serialized = data + (uint32_t)index * XORB_HEADER_SIZE;
	*ret_data = data;
}

void file_scan_init(struct file_scan *scan)
{
	*scan = (struct file_scan){0};
	chunker_init(&scan->chunker);
	xet_chunk_hash_begin(&scan->chunk);
	xet_tree_init(&scan->tree);
}

void file_scan_clear(struct file_scan *scan)
{
	free(scan->records);
	file_scan_init(scan);
}

static void grow_records(struct file_scan *scan)
{
	scan->capacity = scan->capacity > 0 ? 2 * scan->capacity : CAPACITY_FIRST;
	scan->records = xrealloc(scan->records, scan->capacity * FILE_TABLE_RECORD);
	scan->table.records = scan->records;
}

int file_scan_add(struct file_scan *scan, const struct xet_hash *hash, uint32_t length,
                  struct error *err)
{
	struct xet_node node = {.hash = *hash, .length = length};
	uint32_t stored = htole32(length);

	if (length == 0 || length > CHUNK_MAX)
		BUG("a chunk of %u bytes", length);
	if (scan->table.count == FILE_TABLE_CHUNKS_MAX)
		return fail(err, E_TOO_LARGE, "the file has more than %d chunks",
		            FILE_TABLE_CHUNKS_MAX);
	if (scan->table.count == scan->capacity)
		grow_records(scan);
	uint8_t *record = scan->records + scan->table.count * FILE_TABLE_RECORD;

	memcpy(record, hash->bytes, XET_HASH_SIZE);
	memcpy(record + XET_HASH_SIZE, &stored, sizeof(stored));
	scan->table.count++;
	scan->size += length;
	xet_tree_add(&scan->tree, &node);
	return 0;
}

static int end_chunk(struct file_scan *scan, struct error *err)
{
	struct xet_hash hash = {{0}};
	uint32_t length = scan->chunk_bytes;

	blake3_final(&scan->chunk, hash.bytes);
	xet_chunk_hash_begin(&scan->chunk);
	scan->chunk_bytes = 0;
	return file_scan_add(scan, &hash, length, err);
}

int file_scan_update(struct file_scan *scan, const void *data, size_t len, struct error *err)
{
	const uint8_t *bytes = data;

	while (len > 0) {
		bool is_end;
		size_t part = chunker_next(&scan->chunker, bytes, len, &is_end);

		blake3_update(&scan->chunk, bytes, part);
		scan->chunk_bytes += (uint32_t)part;
		bytes += part;
		len -= part;
		if (is_end && end_chunk(scan, err) < 0)
			return -1;
	}
	return 0;
}

int file_scan_finish(struct file_scan *scan, struct xet_hash *ret, struct error *err)
{
	struct xet_hash root;

	if (scan->chunk_bytes > 0 && end_chunk(scan, err) < 0)
		return -1;
	xet_tree_root(&scan->tree, &root);
	xet_file_hash_of_root(&root, ret);
	return 0;
}
