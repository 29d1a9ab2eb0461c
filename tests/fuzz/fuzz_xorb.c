/* SPDX-License-Identifier: Apache-2.0 */
/* Xorbs from strangers. What passes is stored, read again and decoded, and must stay what it was;
 * the first byte 'd' means one chunk's data alone: scheme, u24 length, stored bytes. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/xorb.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_chunk(void *arg, const uint8_t *data, size_t len, struct error *err)
{
	uint64_t *sum = arg;
	struct xet_hash hash;

	if (len < 1 || len > XORB_CHUNK_MAX)
		abort();
	xet_chunk_hash(data, len, &hash);
	*sum += len;
	return 0;
}

/* The verification says which hash the body has: the second time it is the right one. */
static bool learn_hash(const struct error *err, struct xet_hash *ret)
{
	static const char before[] = "the xorb's hash is ";
	char text[XET_HASH_TEXT_SIZE] = "";

	if (strncmp(err->text, before, strlen(before)) != 0)
		return false;
	memcpy(text, err->text + strlen(before), sizeof(text) - 1);
	return xet_hash_parse(text, ret);
}

static void check_stored(int fd, const struct xorb_table *table)
{
	struct error err = ERROR_INIT;
	struct xorb_table again;
	uint64_t sum = 0;

	if (ftruncate(fd, table->serialized_bytes) < 0 || xorb_table_write(fd, table, &err) < 0 ||
	    xorb_table_read(fd, &again, &err) < 0)
		abort();
	if (again.count != table->count ||
	    memcmp(again.chunks, table->chunks, table->count * sizeof(table->chunks[0])) != 0)
		abort();
	if (xorb_decode(fd, &again, 0, again.count, check_chunk, &sum, &err) < 0 ||
	    sum != table->chunks[table->count - 1].data_end)
		abort();
	xorb_table_clear(&again);
}

static void fuzz_body(const uint8_t *data, size_t size)
{
	autoclose int fd = memfd_create("xorb", MFD_CLOEXEC);
	struct error err = ERROR_INIT;
	struct xet_hash hash = {{0}};
	struct xorb_table table;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (xorb_verify(fd, 0, (int64_t)size, &hash, &table, &err) == 0)
		abort();
	if (err.code != E_INVALID)
		abort();
	if (!learn_hash(&err, &hash))
		return;
	if (xorb_verify(fd, 0, (int64_t)size, &hash, &table, &err) < 0)
		abort();
	check_stored(fd, &table);
	xorb_table_clear(&table);
}

/* As if it were a stored one. */
static void fuzz_file(const uint8_t *data, size_t size)
{
	autoclose int fd = memfd_create("xorb", MFD_CLOEXEC);
	struct error err = ERROR_INIT;
	struct xorb_table table;
	uint64_t sum = 0;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (xorb_table_read(fd, &table, &err) < 0)
		return;
	(void)xorb_decode(fd, &table, 0, table.count, check_chunk, &sum, &err);
	xorb_table_clear(&table);
}

static void fuzz_chunk(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	size_t length = (size_t)data[1] | (size_t)data[2] << 8 | (size_t)(data[3] & 1) << 16;
	autofree uint8_t *room = xmalloc(length); /* a sanitizer sees every byte beyond it */

	(void)xorb_chunk_decode(data[0], data + 4, size - 4, room, length, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 5 && data[0] == 'd')
		fuzz_chunk(data + 1, size - 1);
	else if (size > 1 && data[0] == 'f')
		fuzz_file(data + 1, size - 1);
	else
		fuzz_body(data, size);
	return 0;
}
