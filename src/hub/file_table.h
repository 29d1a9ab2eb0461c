/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunk table of a file: its chunks in order, 36 bytes each (32 bytes hash, u32 little-endian
 * length of 1 to 128 KiB). It is all that is needed to give a plain file to Xet clients: cut into
 * virtual xorbs of scheme 0, which exist only on the wire.
 *
 * A table is made by a file_scan: from the bytes of a file (chunked and hashed here), or from
 * chunks that somebody has verified (terms of xorbs). Either way it gives the file's hash and size
 * at the end:
 *
 *	struct file_scan scan;
 *	file_scan_init(&scan);
 *	while (read ...)
 *		if (file_scan_update(&scan, data, len, err) < 0) ...
 *	if (file_scan_finish(&scan, &hash, err) < 0) ...
 *	... scan.size, scan.table.records, scan.table.count ...
 *	file_scan_clear(&scan);
 *
 * Cutting into groups is a function of the table alone: the same table gives the same virtual
 * xorbs, today and after a restart. Walking the groups costs one look at each length; the hash of
 * a group costs up to some ms for 8192 chunks, so it is asked for separately, only for the groups
 * that are needed.
 */
#ifndef HEARTH_HUB_FILE_TABLE_H
#define HEARTH_HUB_FILE_TABLE_H

#include "base/error.h"
#include "hub/blake3.h"
#include "hub/chunker.h"
#include "hub/xet_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_TABLE_RECORD 36 /* bytes per chunk */
#define FILE_TABLE_CHUNKS_MAX                                                                      \
	(16 * 1024 * 1024) /* of one file: some 1 TiB, and 576 MiB of table                        \
	                    */

/* A view: the records belong to somebody else (a scan, a row, a mapped file) and need no alignment.
 */
struct file_table {
	const uint8_t *records;
	size_t count;
};

/* Take `len` bytes as a table: false if they are no whole records or a length is not 1 to
 * CHUNK_MAX, so that everything below may trust it. */
bool file_table_parse(const void *records, size_t len, struct file_table *ret);
uint32_t file_table_length(const struct file_table *table, size_t chunk);
void file_table_hash(const struct file_table *table, size_t chunk, struct xet_hash *ret);
uint64_t file_table_size(const struct file_table *table); /* of the file: the sum of the lengths */

/* Consecutive chunks [first, end) that make one virtual xorb: at most 8192 chunks and 64 MiB of
 * data. Chunk i of the xorb is chunk first + i of the file. */
struct file_group {
	size_t first, end;
	uint64_t offset;           /* in the file, of the first byte */
	uint32_t data_bytes;       /* of the file */
	uint32_t serialized_bytes; /* with 8 bytes of header per chunk: data_bytes + 8 * (end -
	                              first) */
};

#define FILE_GROUP_INIT ((struct file_group){0})

/* The group after `group` (after FILE_GROUP_INIT: the first one), in place; false when there is
 * none. */
bool file_group_next(const struct file_table *table, struct file_group *group);
/* Hash of the virtual xorb. */
void file_group_hash(const struct file_table *table, const struct file_group *group,
                     struct xet_hash *ret);
/* Where chunk `index` of the group (0 … end - first; the last value: where it ends) lies in the
 * serialized xorb and in the group's data. Walks the lengths from the start. */
void file_group_locate(const struct file_table *table, const struct file_group *group, size_t index,
                       uint32_t *ret_serialized, uint32_t *ret_data);

struct file_scan {
	struct file_table table; /* grows; borrowed until file_scan_clear() */
	uint64_t size;           /* bytes of all chunks in the table; of the file, after finish */
	/* private */
	uint8_t *records;
	size_t capacity;        /* in records */
	struct chunker chunker; /* the chunk that is being read: … */
	struct blake3 chunk;    /* … its hash … */
	uint32_t chunk_bytes;   /* … and length so far */
	struct xet_tree tree;   /* Merkle tree of the chunks in the table, as far as it is known */
};

void file_scan_init(struct file_scan *scan);
void file_scan_clear(struct file_scan *scan);
/* The next bytes of the file; any number (fast from 128 KiB on). E_TOO_LARGE: more than
 * FILE_TABLE_CHUNKS_MAX. */
int file_scan_update(struct file_scan *scan, const void *data, size_t len, struct error *err);
/* Or the next chunk, already hashed, 1 to CHUNK_MAX bytes. Not mixed with file_scan_update() in one
 * file. */
int file_scan_add(struct file_scan *scan, const struct xet_hash *hash, uint32_t length,
                  struct error *err);
/* The end of the file: its hash (zero for an empty one). Call once; E_TOO_LARGE as above. */
int file_scan_finish(struct file_scan *scan, struct xet_hash *ret, struct error *err);

#endif
