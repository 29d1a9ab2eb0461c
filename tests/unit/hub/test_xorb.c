/* SPDX-License-Identifier: Apache-2.0 */
/* Xorbs: the protocol's examples, tables and data of stored ones, and what must be refused. */
#include "vectors.h"

#include "base/digest.h"
#include "hub/chunker.h"
#include "hub/xorb.h"

#include <lz4frame.h>

static int verify(const void *data, size_t len, const char *hash, struct xorb_table *ret,
                  struct error *err)
{
	autoclose int fd = file_of_bytes(data, len);
	struct xet_hash expected = hash_of_text(hash);

	*err = ERROR_INIT;
	return xorb_verify(fd, 0, (int64_t)len, &expected, ret, err);
}

static void add_chunk(struct bytes *xorb, int scheme, const void *stored, size_t stored_len,
                      size_t length)
{
	uint8_t header[XORB_HEADER_SIZE];

	xorb_header_write(header, scheme, (uint32_t)stored_len, (uint32_t)length);
	bytes_add(xorb, header, sizeof(header));
	bytes_add(xorb, stored, stored_len);
}

/* As ingest would write example C. */
static struct bytes make_example_c(void)
{
	autofree uint8_t *data = xmalloc(EXAMPLE_C_SIZE);
	struct bytes xorb = {0};
	struct chunker chunker;

	fill_made_up(data, EXAMPLE_C_SIZE, 0);
	chunker_init(&chunker);
	for (size_t done = 0; done < EXAMPLE_C_SIZE;) {
		bool is_end;
		size_t len = chunker_next(&chunker, data + done, EXAMPLE_C_SIZE - done, &is_end);

		add_chunk(&xorb, 0, data + done, len, len);
		done += len;
	}
	return xorb;
}

static void example_a(void **state)
{
	autobytes struct bytes xorb = bytes_of_hex(XORB_A);
	struct xorb_table table;
	struct error err;

	assert_int_equal(verify(xorb.data, xorb.len, XORB_HASH_A, &table, &err), 0);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.serialized_bytes, 31);
	assert_hash(&table.chunks[0].hash, XORB_HASH_A);
	assert_int_equal(table.chunks[0].serialized_end, 31);
	assert_int_equal(table.chunks[0].data_end, 23);
	xorb_table_clear(&table);
}

static void example_b(void **state)
{
	autobytes struct bytes xorb = bytes_of_hex(XORB_A CHUNK_B);
	struct xorb_table table;
	struct error err;

	assert_int_equal(xorb.len, 94);
	assert_int_equal(verify(xorb.data, xorb.len, XORB_HASH_B, &table, &err), 0);
	assert_int_equal(table.count, 2);
	assert_hash(&table.chunks[1].hash, CHUNK_HASH_B);
	assert_int_equal(xorb_chunk_start(&table, 0), 0);
	assert_int_equal(xorb_chunk_start(&table, 1), 31);
	assert_int_equal(xorb_chunk_length(&table, 0), 23);
	assert_int_equal(xorb_chunk_length(&table, 1), 1000);
	assert_int_equal(table.serialized_bytes, 94);
	xorb_table_clear(&table);
}

static void example_c(void **state)
{
	autobytes struct bytes xorb = make_example_c();
	struct xorb_table table;
	struct error err;
	char digest[DIGEST_SIZE];

	digest_of(xorb.data, xorb.len, digest);
	assert_string_equal(digest,
	                    "sha256:89012d6b736b38afb75e9ba73683c55bfdfc468600e54da28aeb759f"
	                    "0cf10069");
	assert_int_equal(verify(xorb.data, xorb.len, XORB_HASH_C, &table, &err), 0);
	assert_int_equal(table.count, 19);
	assert_int_equal(xorb_chunk_start(&table, 1), 84501);
	assert_int_equal(table.chunks[3].serialized_end, 243350);
	assert_int_equal(table.chunks[18].data_end, EXAMPLE_C_SIZE);
	xorb_table_clear(&table);
}

static void example_e(void **state)
{
	autobytes struct bytes xorb = bytes_of_hex(CHUNK_E);
	struct error err = ERROR_INIT;
	uint8_t data[256];
	struct xorb_table table;

	assert_int_equal(xorb.len, 112);
	assert_int_equal(verify(xorb.data, xorb.len, CHUNK_HASH_E, &table, &err), 0);
	xorb_table_clear(&table);
	assert_int_equal(xorb_chunk_decode(2, xorb.data + 8, 104, data, sizeof(data), &err), 0);
	for (int i = 0; i < 64; i++) {
		float should = 1.0F + (float)i / 8, is;

		memcpy(&is, data + 4 * i, 4);
		assert_true(is == should);
	}
}

static size_t compress(const void *data, size_t len, uint8_t *ret, size_t max,
                       const LZ4F_preferences_t *preferences)
{
	size_t n = LZ4F_compressFrame(ret, max, data, len, preferences);

	assert_false(LZ4F_isError(n));
	return n;
}

/* Every remainder of four, up to the largest chunk, with other encoders' kinds of frames. */
static void frames_of_all_kinds(void **state)
{
	static const size_t LENGTHS[] = {1, 2, 3, 4, 5, 11, 1000, 65537, 131071, 131072};
	static const LZ4F_preferences_t KINDS[] = {
	        {.frameInfo = {.blockMode = LZ4F_blockIndependent}},
	        {.frameInfo = {.blockSizeID = LZ4F_max4MB, .contentSize = 0}},
	        {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
	                       .blockChecksumFlag = LZ4F_blockChecksumEnabled}},
	};
	static uint8_t data[XORB_CHUNK_MAX], grouped[XORB_CHUNK_MAX], is[XORB_CHUNK_MAX],
	        frame[2 * XORB_CHUNK_MAX];
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]) * 3; i++) {
		size_t len = LENGTHS[i / 3], n = 0;

		fill_made_up(data, len / 2, i);
		for (size_t k = 0; k < 4; k++)
			for (size_t at = k; at < len; at += 4)
				grouped[n++] = data[at];
		n = compress(data, len, frame, sizeof(frame), &KINDS[i % 3]);
		assert_int_equal(xorb_chunk_decode(1, frame, n, is, len, &err), 0);
		assert_memory_equal(is, data, len);
		n = compress(grouped, len, frame, sizeof(frame), &KINDS[i % 3]);
		memset(is, 0, sizeof(is));
		assert_int_equal(xorb_chunk_decode(2, frame, n, is, len, &err), 0);
		assert_memory_equal(is, data, len);
	}
}

/* ---- stored xorbs ------------------------------------------------------------------------- */

/* A file as it lies in a store, and its table. */
static int store(const struct bytes *xorb, const char *hash, struct xorb_table *ret)
{
	struct error err;
	int fd = file_of_bytes(xorb->data, xorb->len);

	assert_int_equal(verify(xorb->data, xorb->len, hash, ret, &err), 0);
	assert_int_equal(xorb_table_write(fd, ret, &err), 0);
	return fd;
}

static void tables_are_read_again(void **state)
{
	autobytes struct bytes xorb = make_example_c();
	struct xorb_table table, again;
	struct error err = ERROR_INIT;
	autoclose int fd = store(&xorb, XORB_HASH_C, &table);

	assert_int_equal(lseek(fd, 0, SEEK_END), xorb.len + 19 * 40 + 16);
	assert_int_equal(xorb_table_read(fd, &again, &err), 0);
	assert_int_equal(again.count, table.count);
	assert_int_equal(again.serialized_bytes, table.serialized_bytes);
	assert_memory_equal(again.chunks, table.chunks, 19 * sizeof(table.chunks[0]));
	xorb_table_clear(&table);
	xorb_table_clear(&again);
}

static int keep_data(void *arg, const uint8_t *data, size_t len, struct error *err)
{
	bytes_add(arg, data, len);
	return 0;
}

static int stop_at_once(void *arg, const uint8_t *data, size_t len, struct error *err)
{
	return fail(err, E_CONFLICT, "enough");
}

static void data_of_chunks(void **state)
{
	autobytes struct bytes xorb = make_example_c(), is = {0};
	autofree uint8_t *data = xmalloc(EXAMPLE_C_SIZE);
	struct xorb_table table;
	struct error err = ERROR_INIT;
	autoclose int fd = store(&xorb, XORB_HASH_C, &table);

	fill_made_up(data, EXAMPLE_C_SIZE, 0);
	assert_int_equal(xorb_decode(fd, &table, 3, 7, keep_data, &is, &err), 0);
	assert_int_equal(is.len, 322676);
	assert_memory_equal(is.data, data + 84493 + 49928 + 10432, is.len);
	assert_int_equal(xorb_decode(fd, &table, 0, 3, keep_data, &is, &err), 0);
	assert_int_equal(xorb_decode(fd, &table, 19, 19, keep_data, &is, &err), 0);
	assert_int_equal(is.len, 322676 + 84493 + 49928 + 10432);
	assert_int_equal(xorb_decode(fd, &table, 0, 20, keep_data, &is, &err), -1);
	assert_int_equal(err.code, E_INVALID);
	assert_int_equal(xorb_decode(fd, &table, 0, 2, stop_at_once, NULL, &err), -1);
	assert_int_equal(err.code, E_CONFLICT);
	assert_string_equal(err.text, "enough");
	xorb_table_clear(&table);
}

static void compressed_data_of_chunks(void **state)
{
	autobytes struct bytes xorb = bytes_of_hex(XORB_A CHUNK_B), is = {0};
	struct xorb_table table;
	struct error err = ERROR_INIT;
	autoclose int fd = store(&xorb, XORB_HASH_B, &table);

	assert_int_equal(xorb_decode(fd, &table, 0, 2, keep_data, &is, &err), 0);
	assert_int_equal(is.len, 1023);
	assert_memory_equal(is.data, "print(\"hello from uv\")\n{\"step\": 1, ", 35);
	assert_memory_equal(is.data + 998, "{\"step\": 1, \"loss\": 0.5}\n", 25);
	xorb_table_clear(&table);
}

/* Any byte that the disk changes is noticed, wherever it is. */
static void damage_on_disk_is_noticed(void **state)
{
	autobytes struct bytes xorb = bytes_of_hex(XORB_A CHUNK_B);
	struct xorb_table table, again;
	autoclose int fd = store(&xorb, XORB_HASH_B, &table);
	off_t size = lseek(fd, 0, SEEK_END);

	for (off_t at = 0; at < size; at++) {
		if (at == 83) /* half of it means nothing to LZ4 */
			continue;
		autobytes struct bytes is = {0};
		struct error err = ERROR_INIT;
		uint8_t byte, wrong;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		wrong = byte ^ 1;
		assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
		if (xorb_table_read(fd, &again, &err) == 0) {
			assert_int_equal(xorb_decode(fd, &again, 0, 2, keep_data, &is, &err), -1);
			xorb_table_clear(&again);
		}
		assert_int_equal(err.code, E_INTERNAL);
		assert_non_null(strstr(err.text, "damaged"));
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	xorb_table_clear(&table);
	assert_int_equal(ftruncate(fd, size - 1), 0);
	struct error err = ERROR_INIT;
	assert_int_equal(xorb_table_read(fd, &again, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(example_a),
	        cmocka_unit_test(example_b),
	        cmocka_unit_test(example_c),
	        cmocka_unit_test(example_e),
	        cmocka_unit_test(frames_of_all_kinds),
	        cmocka_unit_test(tables_are_read_again),
	        cmocka_unit_test(data_of_chunks),
	        cmocka_unit_test(compressed_data_of_chunks),
	        cmocka_unit_test(damage_on_disk_is_noticed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
