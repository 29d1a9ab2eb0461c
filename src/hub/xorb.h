/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xorbs (xet-cas.md, 3.2 and 4.5): a sequence of chunks, each with a header of 8 bytes, stored
 * plain, as an LZ4 frame, or byte-grouped in an LZ4 frame.
 *
 * A stored xorb is one file: the chunks as they came (without a client's footer), then our table,
 * then a trailer, so that one open gives everything: per chunk   32 bytes hash, u32 end offset in
 * the serialized data, u32 end offset in the data trailer     u32 number of chunks, u32 serialized
 * bytes, 8 bytes "HXORB\0\0\1"
 */
#ifndef HEARTH_HUB_XORB_H
#define HEARTH_HUB_XORB_H

#include "base/error.h"
#include "hub/xet_hash.h"

#include <stddef.h>
#include <stdint.h>

#define XORB_CHUNKS_MAX 8192
#define XORB_DATA_MAX (64 * 1024 * 1024)
#define XORB_BODY_MAX (65 * 1024 * 1024) /* serialized */
#define XORB_CHUNK_MAX (128 * 1024)
#define XORB_HEADER_SIZE 8

struct xorb_chunk {
	struct xet_hash hash;
	uint32_t serialized_end, data_end;
};

struct xorb_table {
	struct xorb_chunk *chunks;
	uint32_t count, serialized_bytes;
};
void xorb_table_clear(struct xorb_table *table);
uint32_t xorb_chunk_start(const struct xorb_table *table, uint32_t chunk);  /* serialized offset */
uint32_t xorb_chunk_length(const struct xorb_table *table, uint32_t chunk); /* of its data */

/* Read the body at `fd` from `offset`, `len` bytes, check everything that 4.5 asks for, with memory
 * for one chunk and the table. E_INVALID names what is wrong ("chunk 17: …"). */
int xorb_verify(int fd, int64_t offset, int64_t len, const struct xet_hash *expected,
                struct xorb_table *ret, struct error *err);
/* The table of a stored xorb. E_INTERNAL when the file is damaged. */
int xorb_table_read(int fd, struct xorb_table *ret, struct error *err);
/* Append table and trailer at the end of the serialized data. */
int xorb_table_write(int fd, const struct xorb_table *table, struct error *err);
/* Decode chunks [first, end) of a stored xorb, one call of `fn` per chunk, in order; the data is
 * borrowed for the call. Each chunk's hash is compared with the table. `fn` returns -1 to stop with
 * its own `err`. */
int xorb_decode(int fd, const struct xorb_table *table, uint32_t first, uint32_t end,
                int (*fn)(void *arg, const uint8_t *data, size_t len, struct error *err), void *arg,
                struct error *err);
/* One serialized chunk without its header. `data` has room for `length` bytes. */
int xorb_chunk_decode(int scheme, const uint8_t *compressed, size_t compressed_len, uint8_t *data,
                      size_t length, struct error *err);
void xorb_header_write(uint8_t ret[XORB_HEADER_SIZE], int scheme, uint32_t compressed,
                       uint32_t length);

#endif
