/* SPDX-License-Identifier: Apache-2.0 */
/* What is cut into pieces: contents of files, chunk tables ('t'), paths ('p'). */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "hub/file_table.h"
#include "hub/xorb.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 8192
#define CONTENT_SIZE ((size_t)200 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The groups are all of the table, in order, each within a xorb's limits and as large as it can be.
 */
static void check_groups(const struct file_table *table)
{
	struct file_group group = FILE_GROUP_INIT;
	uint64_t offset = 0;
	size_t first = 0;

	while (file_group_next(table, &group)) {
		size_t count = group.end - group.first;

		if (group.first != first || group.offset != offset || count < 1 ||
		    count > XORB_CHUNKS_MAX || group.data_bytes > XORB_DATA_MAX ||
		    group.serialized_bytes != group.data_bytes + XORB_HEADER_SIZE * count)
			abort();
		if (group.end < table->count && count < XORB_CHUNKS_MAX &&
		    group.data_bytes + file_table_length(table, group.end) <= XORB_DATA_MAX)
			abort();
		first = group.end;
		offset += group.data_bytes;
	}
	if (first != table->count || offset != file_table_size(table))
		abort();
}

static void fuzz_table(const uint8_t *data, size_t size)
{
	struct file_table table;

	if (file_table_parse(data, size, &table))
		check_groups(&table);
}

static void fuzz_path(const uint8_t *data, size_t size)
{
	autofree char *path = xstrndup((const char *)data, size);
	struct error err = ERROR_INIT;
	char slashed[BUCKET_PATH_MAX + 3];

	if (bucket_path_check(path, &err) < 0)
		return;
	if (snprintf(slashed, sizeof(slashed), "/%s/", path) >= (int)sizeof(slashed) ||
	    strstr(slashed, "//") || strstr(slashed, "/../") || strstr(slashed, "/./") ||
	    strstr(slashed, "/.hearth-"))
		abort();
}

/* Pieces as long as the input's bytes say, up to 64 KiB; single bytes only now and then. */
static size_t piece_length(const uint8_t *sizes, size_t n_sizes, size_t i)
{
	size_t size = n_sizes > 0 ? sizes[i % n_sizes] : CONTENT_SIZE;

	return i % 32 < 8 && n_sizes > 0 ? size + 1 : size * (size + 1) + 300;
}

static void scan_pieces(const uint8_t *content, const uint8_t *sizes, size_t n_sizes,
                        struct file_scan *scan, struct xet_hash *ret)
{
	struct error err = ERROR_INIT;
	size_t done = 0;

	file_scan_init(scan);
	for (size_t i = 0; done < CONTENT_SIZE; i++) {
		size_t part = piece_length(sizes, n_sizes, i);

		if (part > CONTENT_SIZE - done)
			part = CONTENT_SIZE - done;
		if (file_scan_update(scan, content + done, part, &err) < 0)
			abort();
		done += part;
	}
	if (file_scan_finish(scan, ret, &err) < 0)
		abort();
}

/* Content that the input describes: itself, again and again, each time somewhat different. */
static uint8_t *make_content(const uint8_t *data, size_t size)
{
	uint8_t *content = xmalloc(CONTENT_SIZE);

	for (size_t i = 0; i < CONTENT_SIZE; i++)
		content[i] = (uint8_t)(data[i % size] + i / size * data[0]);
	return content;
}

static void fuzz_content(const uint8_t *data, size_t size)
{
	autofree uint8_t *content = make_content(data, size);
	struct file_scan once, pieces;
	struct xet_hash hash, again;
	struct file_table table;

	scan_pieces(content, NULL, 0, &once, &hash);
	scan_pieces(content, data, size, &pieces, &again);
	if (!xet_hash_equal(&hash, &again) || once.table.count != pieces.table.count ||
	    memcmp(once.records, pieces.records, once.table.count * FILE_TABLE_RECORD) != 0)
		abort();
	if (once.size != CONTENT_SIZE ||
	    !file_table_parse(once.table.records, once.table.count * FILE_TABLE_RECORD, &table))
		abort();
	for (size_t i = 0; i + 1 < table.count; i++) {
		if (file_table_length(&table, i) < CHUNK_MIN)
			abort();
	}
	check_groups(&table);
	file_scan_clear(&once);
	file_scan_clear(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] == 't')
		fuzz_table(data + 1, size - 1);
	else if (data[0] == 'p')
		fuzz_path(data + 1, size - 1);
	else
		fuzz_content(data, size < 4096 ? size : 4096);
	return 0;
}
