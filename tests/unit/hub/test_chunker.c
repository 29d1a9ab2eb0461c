/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks, chunk tables and the groups that are cut of them. */
#include "vectors.h"

#include "base/digest.h"
#include "hub/chunker.h"
#include "hub/chunker_gear.h"
#include "hub/file_table.h"
#include "hub/xorb.h"

static const struct {
	uint32_t length;
	const char *hash;
} CHUNKS_C[] = {
        {84493, "6eca1e7dadaf08cca5d82d318c800f07c2ddcec115a7e8627e5edd9605b94b8d"},
        {49928, "624ea34d72a06e5d43a1b8dd10763f0d22f165992c397ed97563899b27fdd88a"},
        {10432, "4411d2ec847c6e3f451a7451ff3933adb4f1c31587421b9f730b698a78313b47"},
        {98465, "6342bde97433e29e0779ad33eb8040d986679040361b3cc3a06230fe60dd6c9b"},
        {28475, "405253fcf15bba751adc4f507d3453273daff81ed4d8acd71c521aa1cbddc0b5"},
        {64664, "4482374af7f8bebfdb5c5df0299f80128d6c58886ad7b218c562b1d74064e4cb"},
        {131072, "80acc8d39c853b4b8a8c6ad7b63bf2ea68f62c2226b92f06349f92cc84d213cc"},
        {27052, "a7076d7d343f711fb20fe6cd023248d8d051e8fe7d44172596cd5c7ea7edaf65"},
        {87419, "44755217bbb4dadc81ea7695765230a34a2e6cb3b55f373f1de35aeba79ae92c"},
        {14735, "001adc1d302d5f039278325dcbd5ec3b194f4794f1629d6f962f9f4bb78a7bff"},
        {20080, "f8460a337c186f07c2e225bb287a1d3d3d686dc69d0828e99640f7d8852c5b90"},
        {36349, "c9bc3da29025dc1ba562d303d815151d9a937367abb766ae842a165e8493d9fe"},
        {25038, "5044339dfd65e8163bdfe642614a6be604b04d6aeacf222cf219ad287bfc5cf1"},
        {46308, "163622db0fe0da93f2ef964eed4c485f3c7a9c312f8e8e8a312ab4bb8141f13e"},
        {91081, "e1730534a858aa0258ad8904ef12b829b8a123a1c611250275c9ca9471e4c650"},
        {12169, "1fbc6854f9185caba1e1f55393f41f83b895b18f9c99245c029025ca48f1e14b"},
        {131072, "8a27b66ccf05b864b6bef6fb5c970fe894f73d2330e8e98fe7841dcdbd9e9576"},
        {32260, "bc70a33e7a9ec820cac24b87023469a57bdae1bf91cc3961b95806c64a525221"},
        {8908, "03e5b5f5a088269ec4b329f1e04debfac4cb54b9c0facf038f7e8e0f054be7e2"},
};
#define N_CHUNKS_C (sizeof(CHUNKS_C) / sizeof(CHUNKS_C[0]))

static void gear_table(void **state)
{
	uint8_t bytes[256 * 8];
	char digest[DIGEST_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(CHUNKER_GEAR[i / 8] >> i % 8 * 8);
	digest_of(bytes, sizeof(bytes), digest);
	assert_string_equal(digest,
	                    "sha256:e1d3936666d7ae7a977c958e9afcc75f90aaca758ce5fbe4ece61dff"
	                    "efe1912c");
}

static uint8_t *make_example_c(void)
{
	uint8_t *data = xmalloc(EXAMPLE_C_SIZE);

	fill_made_up(data, EXAMPLE_C_SIZE, 0);
	return data;
}

/* Scan in pieces of up to `most` bytes. */
static void scan_pieces(struct file_scan *scan, const uint8_t *data, size_t len, size_t most,
                        struct xet_hash *ret)
{
	struct error err = ERROR_INIT;
	uint64_t numbers = most;

	file_scan_init(scan);
	for (size_t done = 0; done < len;) {
		size_t part = next_number(&numbers) % (most + 1);

		if (part > len - done)
			part = len - done;
		assert_int_equal(file_scan_update(scan, data + done, part, &err), 0);
		done += part;
	}
	assert_int_equal(file_scan_finish(scan, ret, &err), 0);
}

static void example_c_in_any_pieces(void **state)
{
	static const size_t MOST[] = {100, 5000, 9000, 200000, EXAMPLE_C_SIZE};
	autofree uint8_t *data = make_example_c();

	for (size_t i = 0; i < sizeof(MOST) / sizeof(MOST[0]); i++) {
		struct file_scan scan;
		struct file_table table;
		struct xet_hash hash;

		scan_pieces(&scan, data, EXAMPLE_C_SIZE, MOST[i], &hash);
		assert_hash(&hash, FILE_HASH_C);
		assert_int_equal(scan.size, EXAMPLE_C_SIZE);
		assert_int_equal(scan.table.count, N_CHUNKS_C);
		assert_true(file_table_parse(scan.table.records, N_CHUNKS_C * FILE_TABLE_RECORD,
		                             &table));
		assert_int_equal(file_table_size(&table), EXAMPLE_C_SIZE);
		for (size_t k = 0; k < N_CHUNKS_C; k++) {
			assert_int_equal(file_table_length(&table, k), CHUNKS_C[k].length);
			file_table_hash(&table, k, &hash);
			assert_hash(&hash, CHUNKS_C[k].hash);
		}
		file_scan_clear(&scan);
	}
}

static void example_c_is_one_group(void **state)
{
	autofree uint8_t *data = make_example_c();
	struct file_group group = FILE_GROUP_INIT;
	struct file_scan scan;
	struct xet_hash hash;
	uint32_t serialized, offset;

	scan_pieces(&scan, data, EXAMPLE_C_SIZE, EXAMPLE_C_SIZE, &hash);
	assert_true(file_group_next(&scan.table, &group));
	assert_int_equal(group.first, 0);
	assert_int_equal(group.end, N_CHUNKS_C);
	assert_int_equal(group.offset, 0);
	assert_int_equal(group.data_bytes, EXAMPLE_C_SIZE);
	assert_int_equal(group.serialized_bytes, 1000152);
	file_group_hash(&scan.table, &group, &hash);
	assert_hash(&hash, XORB_HASH_C);
	file_group_locate(&scan.table, &group, 1, &serialized, &offset);
	assert_int_equal(serialized, 84501); /* as in 6.3 */
	assert_int_equal(offset, 84493);
	file_group_locate(&scan.table, &group, 4, &serialized, &offset);
	assert_int_equal(serialized, 243350);
	file_group_locate(&scan.table, &group, N_CHUNKS_C, &serialized, &offset);
	assert_int_equal(serialized, group.serialized_bytes);
	assert_int_equal(offset, group.data_bytes);
	assert_false(file_group_next(&scan.table, &group));
	file_scan_clear(&scan);
}

/* Example D is made of chunks that are known already. */
static void example_d_of_known_chunks(void **state)
{
	static const size_t CHUNKS[] = {3, 4, 5, 6, N_CHUNKS_C, 3};
	struct error err = ERROR_INIT;
	struct file_scan scan;
	struct xet_hash hash;

	file_scan_init(&scan);
	for (size_t i = 0; i < sizeof(CHUNKS) / sizeof(CHUNKS[0]); i++) {
		bool is_of_c = CHUNKS[i] < N_CHUNKS_C;

		hash = hash_of_text(is_of_c ? CHUNKS_C[CHUNKS[i]].hash : XORB_HASH_A);
		assert_int_equal(file_scan_add(&scan, &hash,
		                               is_of_c ? CHUNKS_C[CHUNKS[i]].length : 23, &err),
		                 0);
	}
	assert_int_equal(file_scan_finish(&scan, &hash, &err), 0);
	assert_hash(&hash, "55a2c96643225e37e9bb73697ecf53905a3af3f2c0d7fc0c6b3d74654b8a0dc9");
	assert_int_equal(scan.size, 421164);
	file_scan_clear(&scan);
}

static void an_empty_file(void **state)
{
	struct file_group group = FILE_GROUP_INIT;
	struct error err = ERROR_INIT;
	struct file_table table;
	struct file_scan scan;
	struct xet_hash hash = {{1}};

	file_scan_init(&scan);
	assert_int_equal(file_scan_finish(&scan, &hash, &err), 0);
	assert_true(xet_hash_is_zero(&hash));
	assert_int_equal(scan.size, 0);
	assert_int_equal(scan.table.count, 0);
	assert_true(file_table_parse(scan.table.records, 0, &table));
	assert_false(file_group_next(&table, &group));
	file_scan_clear(&scan);
}

/* The definition of Appendix C, byte by byte. */
static size_t define_end(const uint8_t *data, size_t len)
{
	uint64_t h = 0;

	for (size_t i = 0; i < len; i++) {
		h = (h << 1) + CHUNKER_GEAR[data[i]];
		if (i + 1 == 131072 || (i + 1 >= 8192 && (h & UINT64_C(0xffff000000000000)) == 0))
			return i + 1;
	}
	return len;
}

static void assert_chunks_as_defined(const uint8_t *data, size_t len)
{
	struct chunker chunker;

	chunker_init(&chunker);
	for (size_t done = 0; done < len;) {
		size_t should = define_end(data + done, len - done);
		bool is_end;

		assert_int_equal(chunker_next(&chunker, data + done, len - done, &is_end), should);
		done += should;
		assert_true(is_end || done == len);
	}
}

static void chunks_are_as_defined(void **state)
{
	size_t len = 1500000;
	autofree uint8_t *data = xmalloc(len);

	memset(data, 59, len);
	assert_chunks_as_defined(data, len);
	assert_int_equal(define_end(data, len), CHUNK_MAX);
	fill_made_up(data, len, 5);
	assert_chunks_as_defined(data, len);
	for (size_t i = 0; i < len; i++) /* few values, and long runs of one */
		data[i] = i / 20000 % 2 ? data[i] & 3 : 'x';
	assert_chunks_as_defined(data, len);
}

/* Bytes such that the hash of their last 64 is below the limit: a chunk ends after them. */
static void an_end_right_at_the_minimum(void **state)
{
	autofree uint8_t *data = xmalloc(CHUNK_MAX);
	uint8_t tail[64];
	uint64_t numbers = 11, h;

	do {
		h = 0;
		fill_made_up(tail, sizeof(tail), next_number(&numbers));
		for (size_t i = 0; i < sizeof(tail); i++)
			h = (h << 1) + CHUNKER_GEAR[tail[i]];
	} while (h >> 48 != 0);
	for (size_t shift = 8190; shift <= 8194; shift++) {
		fill_made_up(data, CHUNK_MAX, 3);
		memcpy(data + shift - sizeof(tail), tail, sizeof(tail));
		assert_chunks_as_defined(data, CHUNK_MAX);
		if (shift >= 8192)
			assert_int_equal(define_end(data, CHUNK_MAX), shift);
	}
}

/* A table of `count` chunks of one length. */
static struct bytes make_table(size_t count, uint32_t length)
{
	struct bytes bytes = {.data = xcalloc(count, FILE_TABLE_RECORD),
	                      .len = count * FILE_TABLE_RECORD};

	for (size_t i = 0; i < count; i++) {
		memcpy(bytes.data + i * FILE_TABLE_RECORD, &i, sizeof(i));
		for (int b = 0; b < 4; b++)
			bytes.data[i * FILE_TABLE_RECORD + 32 + (size_t)b] =
			        (uint8_t)(length >> 8 * b);
	}
	return bytes;
}

static void assert_groups(size_t count, uint32_t length, size_t per_group)
{
	autobytes struct bytes bytes = make_table(count, length);
	struct file_group group = FILE_GROUP_INIT;
	struct file_table table;
	size_t first = 0;

	assert_true(file_table_parse(bytes.data, bytes.len, &table));
	while (file_group_next(&table, &group)) {
		size_t end = count - first < per_group ? count : first + per_group;

		assert_int_equal(group.first, first);
		assert_int_equal(group.end, end);
		assert_int_equal(group.offset, first * length);
		assert_int_equal(group.data_bytes, (end - first) * length);
		assert_int_equal(group.serialized_bytes, (end - first) * (length + 8));
		first = end;
	}
	assert_int_equal(first, count);
}

static void groups_keep_the_limits_of_xorbs(void **state)
{
	assert_groups(1, 1, 1);
	assert_groups(20000, 1, XORB_CHUNKS_MAX);
	assert_groups(XORB_CHUNKS_MAX, 8192, XORB_CHUNKS_MAX);
	assert_groups(XORB_CHUNKS_MAX + 1, 8192, XORB_CHUNKS_MAX);
	assert_groups(XORB_CHUNKS_MAX, 8193, 8191);
	assert_groups(1200, CHUNK_MAX, 512);
}

static void unsound_tables(void **state)
{
	autobytes struct bytes empty = make_table(3, 0), large = make_table(3, CHUNK_MAX + 1);
	autobytes struct bytes good = make_table(3, CHUNK_MAX);
	struct file_table table;

	assert_true(file_table_parse(good.data, good.len, &table));
	assert_int_equal(table.count, 3);
	assert_false(file_table_parse(good.data, good.len - 1, &table));
	assert_false(file_table_parse(empty.data, empty.len, &table));
	assert_false(file_table_parse(large.data, large.len, &table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(gear_table),
	        cmocka_unit_test(example_c_in_any_pieces),
	        cmocka_unit_test(example_c_is_one_group),
	        cmocka_unit_test(example_d_of_known_chunks),
	        cmocka_unit_test(an_empty_file),
	        cmocka_unit_test(chunks_are_as_defined),
	        cmocka_unit_test(an_end_right_at_the_minimum),
	        cmocka_unit_test(groups_keep_the_limits_of_xorbs),
	        cmocka_unit_test(unsound_tables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
