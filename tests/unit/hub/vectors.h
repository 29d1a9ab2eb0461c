/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/hub share: hexadecimal text, made-up data, temporary files, and the bytes
 * of the worked examples (xet-cas.md, 6). */
#ifndef HEARTH_TESTS_HUB_VECTORS_H
#define HEARTH_TESTS_HUB_VECTORS_H

#include "../unit.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/memory.h"
#include "hub/xet_hash.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct bytes {
	uint8_t *data;
	size_t len;
};

static inline void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	bytes->data = xrealloc(bytes->data, bytes->len + len + 1);
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

static inline void bytes_clear(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

#define autobytes __attribute__((cleanup(bytes_clear)))

/* Hexadecimal digits, spaces ignored. */
static inline void bytes_add_hex(struct bytes *bytes, const char *hex)
{
	while (*hex) {
		char pair[3] = "";
		uint8_t byte;

		if (*hex == ' ') {
			hex++;
			continue;
		}
		memcpy(pair, hex, 2);
		byte = (uint8_t)strtoul(pair, NULL, 16);
		bytes_add(bytes, &byte, 1);
		hex += 2;
	}
}

static inline struct bytes bytes_of_hex(const char *hex)
{
	struct bytes bytes = {0};

	bytes_add_hex(&bytes, hex);
	return bytes;
}

/* SplitMix64, as the examples use it (state 0), and for places to cut at. */
static inline uint64_t next_number(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline void fill_made_up(uint8_t *data, size_t len, uint64_t state)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t number = next_number(&state);

		memcpy(data + i, &number, len - i < 8 ? len - i : 8);
	}
}

static inline void assert_hash(const struct xet_hash *hash, const char *text)
{
	char is[XET_HASH_TEXT_SIZE];

	xet_hash_format(hash, is);
	assert_string_equal(is, text);
}

static inline struct xet_hash hash_of_text(const char *text)
{
	struct xet_hash hash;

	assert_true(xet_hash_parse(text, &hash));
	return hash;
}

/* A file without a name that holds these bytes. */
static inline int file_of_bytes(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	return fd;
}

#define EXAMPLE_C_SIZE 1000000

#define XORB_HASH_A "ebbcc0b819e5a98a79ae529eaf03b370eb620d093983d04c05301abbcc878825"
#define FILE_HASH_A "cc881fd4fc5703788f6aae9278150c82086d2b99e0edc9655a5619995b5eff35"
#define RANGE_HASH_A "c91fd57a945353c029d46adc9eb0c72c1598d3a6930ddf3576f3e3cd4f2ef56f"
#define CHUNK_HASH_B "4f45da4e5c5f8eb5ea44f845efd000a663b81512d8c7557fdaa01e537654cc95"
#define FILE_HASH_B "d54b94d06de3b2fe4962982236b7c990ce25f0d5b9ad335d0b66a5171215c989"
#define XORB_HASH_B "e1cf63efc3c455f942c9ee9ea6827756799fb1c1160274ea2a6f0e7bb2c10ec4"
#define XORB_HASH_C "6f2ce16ca5e317f0100ff0e7e5bf40a0de9032e9ee1ad04b6b8ff4e36cdfbf6c"
#define FILE_HASH_C "3d17b2d7d64a0e011b6717a52d9a16bd2c3f05b743fa8adf52a7d75dafab6d89"
#define CHUNK_HASH_E "b247effb9ddbea823dd041b5178a391721a3d46bc9064de97270eeebe3605f3f"

#define FILE_A "7072696e74282268656c6c6f2066726f6d20757622290a"
#define XORB_A "00 170000 00 170000" FILE_A
#define CHUNK_B                                                                                    \
	"00 370000 01 e80300"                                                                      \
	"04224d1860408228000000ff0a7b2273746570223a20312c20226c6f7373223a20302e357d0a1900ff"       \
	"ffffb96020302e357d0a00000000"
#define CHUNK_E                                                                                    \
	"00680000020001 00"                                                                        \
	"04224d18604082590000001f0001006cf2338090a0b0c0d0e0f0000810182028303840485058606870"       \
	"788084888c9094989ca0a4a8acb0b4b8bcc0c4c8ccd0d4d8dce0e4e8ecf0f4f8fc00020406080a0c0e"       \
	"3f3f02001f4001001c80414141414141414100000000"

#endif
