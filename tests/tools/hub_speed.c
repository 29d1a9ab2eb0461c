/* SPDX-License-Identifier: Apache-2.0 */
/* How fast the pure parts of src/hub are on this machine, in MB of file content per second of
 * processor time: hub_speed [SECONDS per figure]. For people and bench/; no test looks at the
 * figures. */
#include "base/cleanup.h"
#include "base/memory.h"
#include "hub/file_table.h"
#include "hub/xorb.h"

#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CONTENT_SIZE ((size_t)32 * 1024 * 1024)
#define READ_SIZE ((size_t)1024 * 1024)

struct bench {
	uint8_t *content;
	int plain_fd, lz4_fd; /* xorbs of the content */
	size_t plain_len, lz4_len;
	struct xet_hash xorb;
	struct file_table table;
};

static double seconds = 0.5;

static double processor_time(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* `fn` works on all of the content once. */
static void measure(const char *name, void (*fn)(const struct bench *), const struct bench *bench)
{
	double start = processor_time(), used;
	int rounds = 0;

	do {
		fn(bench);
		rounds++;
		used = processor_time() - start;
	} while (used < seconds);
	printf("%-24s %6.0f MB/s\n", name, (double)CONTENT_SIZE * rounds / used / 1e6);
}

static void hash_chunks(const struct bench *bench)
{
	struct xet_hash hash;

	for (size_t at = 0; at < CONTENT_SIZE; at += CHUNK_MAX)
		xet_chunk_hash(bench->content + at, CHUNK_MAX, &hash);
}

static void cut_chunks(const struct bench *bench)
{
	struct chunker chunker;
	bool is_end;

	chunker_init(&chunker);
	for (size_t at = 0; at < CONTENT_SIZE;)
		at += chunker_next(&chunker, bench->content + at, CONTENT_SIZE - at, &is_end);
}

static void scan_content(struct file_scan *scan, const uint8_t *content)
{
	struct error err = ERROR_INIT;
	struct xet_hash hash;

	file_scan_init(scan);
	for (size_t at = 0; at < CONTENT_SIZE; at += READ_SIZE)
		(void)file_scan_update(scan, content + at, READ_SIZE, &err);
	(void)file_scan_finish(scan, &hash, &err);
}

static void scan_file(const struct bench *bench)
{
	struct file_scan scan;

	scan_content(&scan, bench->content);
	file_scan_clear(&scan);
}

static void hash_group(const struct bench *bench)
{
	struct file_group group = FILE_GROUP_INIT;
	struct xet_hash hash;

	while (file_group_next(&bench->table, &group))
		file_group_hash(&bench->table, &group, &hash);
}

static void verify(int fd, size_t len, const struct xet_hash *hash)
{
	struct error err = ERROR_INIT;
	struct xorb_table table;

	if (xorb_verify(fd, 0, (int64_t)len, hash, &table, &err) < 0)
		BUG("%s", err.text);
	xorb_table_clear(&table);
}

static void verify_plain(const struct bench *bench)
{
	verify(bench->plain_fd, bench->plain_len, &bench->xorb);
}

static void verify_lz4(const struct bench *bench)
{
	verify(bench->lz4_fd, bench->lz4_len, &bench->xorb);
}

/* Half of it random, half of it repeated: LZ4 has something to do, and does not win by nothing. */
static uint8_t *make_content(void)
{
	uint8_t *content = xmalloc(CONTENT_SIZE);
	uint64_t state = 1;

	for (size_t i = 0; i < CONTENT_SIZE; i += 8) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
		uint64_t mixed = (state ^ state >> 29) * UINT64_C(0xbf58476d1ce4e5b9);

		memcpy(content + i, &mixed, sizeof(mixed));
		if (i % 64 >= 32)
			memcpy(content + i, content + i - 32, 8);
	}
	return content;
}

static int make_xorb(const struct bench *bench, int scheme, size_t *ret_len)
{
	int fd = memfd_create("xorb", MFD_CLOEXEC);
	size_t at = 0, room = LZ4F_compressFrameBound(CHUNK_MAX, NULL), len;
	autofree uint8_t *frame = xmalloc(room);
	uint8_t header[XORB_HEADER_SIZE];

	*ret_len = 0;
	for (size_t i = 0; i < bench->table.count; i++) {
		uint32_t length = file_table_length(&bench->table, i);
		const uint8_t *data = bench->content + at;

		len = length;
		if (scheme == 1) {
			len = LZ4F_compressFrame(frame, room, data, length, NULL);
			data = frame;
		}
		xorb_header_write(header, scheme, (uint32_t)len, length);
		if (write(fd, header, sizeof(header)) < 0 || write(fd, data, len) < 0)
			BUG("cannot write the xorb");
		at += length;
		*ret_len += sizeof(header) + len;
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct bench bench = {.content = make_content()};
	struct file_group group = FILE_GROUP_INIT;
	struct file_scan scan;

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	scan_content(&scan, bench.content);
	bench.table = scan.table;
	(void)file_group_next(&bench.table, &group);
	file_group_hash(&bench.table, &group, &bench.xorb);
	bench.plain_fd = make_xorb(&bench, 0, &bench.plain_len);
	bench.lz4_fd = make_xorb(&bench, 1, &bench.lz4_len);
	printf("%zu chunks, LZ4 %.0f %%\n", bench.table.count,
	       100.0 * (double)bench.lz4_len / (double)CONTENT_SIZE);
	measure("blake3 of 128 KiB", hash_chunks, &bench);
	measure("chunker", cut_chunks, &bench);
	measure("chunk and hash a file", scan_file, &bench);
	measure("hash of a virtual xorb", hash_group, &bench);
	measure("xorb, plain", verify_plain, &bench);
	measure("xorb, LZ4", verify_lz4, &bench);
	file_scan_clear(&scan);
	free(bench.content);
	return 0;
}
