/* SPDX-License-Identifier: Apache-2.0 */
/* Xorbs that must not be taken (xet-cas.md, 6.8), each with the reason that the sender reads. */
#include "vectors.h"

#include "hub/xorb.h"

#include <lz4frame.h>

#define FRAME_B                                                                                    \
	"04224d1860408228000000ff0a7b2273746570223a20312c20226c6f7373223a20302e357d0a1900ff"       \
	"ffffb96020302e357d0a00000000"

static int verify(const struct bytes *body, const char *hash, struct error *err)
{
	autoclose int fd = file_of_bytes(body->data, body->len);
	struct xet_hash expected = hash_of_text(hash);
	struct xorb_table table;

	*err = ERROR_INIT;
	if (xorb_verify(fd, 0, (int64_t)body->len, &expected, &table, err) < 0)
		return -1;
	xorb_table_clear(&table);
	return 0;
}

static const struct {
	const char *hex, *reason;
} REFUSED[] = {
        {"", "the xorb has no chunks"},
        {"584554424c4f4201", "the xorb has no chunks"},
        {"584554424c4f42", "the xorb has no chunks"},
        {"00170000 00 1700", "chunk 0: its header is cut short"},
        {"00170000 00 170000 7072", "chunk 0: its data is cut short"},
        {XORB_A "00", "chunk 1: its header is cut short"},
        {"01170000 00 170000" FILE_A, "chunk 0: its header has version 1 instead of 0"},
        {"00170000 03 170000" FILE_A, "chunk 0: compression scheme 3 is not 0, 1 or 2"},
        {"00170000 ff 170000" FILE_A, "chunk 0: compression scheme 255 is not 0, 1 or 2"},
        {"00010002 01 010002" FILE_A, "chunk 0: its data has 131073 bytes instead of 1 to 131072"},
        {"00010002 00 010002" FILE_A, "chunk 0: its data has 131073 bytes instead of 1 to 131072"},
        {"00000000 00 000000", "chunk 0: its data has 0 bytes instead of 1 to 131072"},
        {"00000000 01 170000", "chunk 0: it is stored in 0 bytes instead of 1 to 262144"},
        {"00010004 01 170000", "chunk 0: it is stored in 262145 bytes instead of 1 to 262144"},
        {"00160000 00 170000" FILE_A, "chunk 0: its 23 bytes are stored plain, but in 22"},
        {"00170000 01 170000" FILE_A, "chunk 0: its data does not begin as an LZ4 frame"},
        {"00030000 01 170000 04224d", "chunk 0: its data does not begin as an LZ4 frame"},
        /* a skippable frame before the real one */
        {"003f0000 01 e80300 502a4d1800000000" FRAME_B,
         "chunk 0: its data does not begin as an LZ4 frame"},
        {"00380000 01 e80300" FRAME_B "00", "chunk 0: 1 bytes follow its LZ4 frame"},
        {"006e0000 01 e80300" FRAME_B FRAME_B, "chunk 0: 55 bytes follow its LZ4 frame"},
        {"00370000 01 e90300" FRAME_B, "chunk 0: its LZ4 frame holds 1000 bytes instead of 1001"},
        {"00370000 01 e70300" FRAME_B,
         "chunk 0: its LZ4 frame holds more than 999 bytes or does not end"},
        {"00370000 02 e70300" FRAME_B,
         "chunk 0: its LZ4 frame holds more than 999 bytes or does not end"},
        /* without its end mark; without a part of its block */
        {"00330000 01 e80300 04224d1860408228000000ff0a7b2273746570223a20312c20226c6f7373223a20302e"
         "357d0a1900ffffffb96020302e357d0a",
         "chunk 0: its LZ4 frame holds more than 1000 bytes or does not end"},
        {"00140000 01 e80300 04224d1860408228000000ff0a7b227374657022",
         "chunk 0: its LZ4 frame is cut short"},
        {"000a0000 01 e80300 04224d18604083280000", "chunk 0: its LZ4 frame is damaged"},
};

static void refused_with_the_reason(void **state)
{
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		autobytes struct bytes body = bytes_of_hex(REFUSED[i].hex);
		struct error err;

		assert_int_equal(verify(&body, XORB_HASH_B, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		if (strncmp(err.text, REFUSED[i].reason, strlen(REFUSED[i].reason)) != 0)
			fail_msg("%zu: \"%s\" instead of \"%s\"", i, err.text, REFUSED[i].reason);
	}
}

/* LZ4 does not use the length of a match in the token of a block's last literals. */
#define IS_UNUSED(bit) ((bit) / 8 == 83 && (bit) % 8 < 4)

/* No bit of a xorb that means anything can change without being noticed. */
static void any_changed_bit(void **state)
{
	autobytes struct bytes body = bytes_of_hex(XORB_A CHUNK_B);
	struct error err;

	assert_int_equal(verify(&body, XORB_HASH_B, &err), 0);
	for (size_t bit = 0; bit < body.len * 8; bit++) {
		if (IS_UNUSED(bit))
			continue;
		body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(verify(&body, XORB_HASH_B, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		body.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < 94; len++) {
		struct bytes cut = {body.data, len};

		assert_int_equal(verify(&cut, XORB_HASH_B, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
}

static void another_order_or_hash(void **state)
{
	autobytes struct bytes swapped = bytes_of_hex(CHUNK_B XORB_A), one = bytes_of_hex(XORB_A);
	struct error err;

	assert_int_equal(verify(&swapped, XORB_HASH_B, &err), -1);
	assert_non_null(strstr(err.text, "not the one in its address"));
	assert_int_equal(verify(&one, XORB_HASH_B, &err), -1);
	assert_string_equal(err.text,
	                    "the xorb's hash is " XORB_HASH_A ", not the one in its address");
}

/* A client's footer is dropped, whatever it says. */
static void a_footer_is_dropped(void **state)
{
	autobytes struct bytes body = bytes_of_hex(XORB_A CHUNK_B "584554424c4f4201 ffffffff");
	autoclose int fd = file_of_bytes(body.data, body.len);
	struct xet_hash expected = hash_of_text(XORB_HASH_B);
	struct error err = ERROR_INIT;
	struct xorb_table table;

	assert_int_equal(xorb_verify(fd, 0, (int64_t)body.len, &expected, &table, &err), 0);
	assert_int_equal(table.serialized_bytes, 94);
	xorb_table_clear(&table);
}

/* The body may lie anywhere in a file, and end before the file does. */
static void a_body_inside_a_file(void **state)
{
	autobytes struct bytes body = bytes_of_hex("aabbcc" XORB_A "ddee");
	autoclose int fd = file_of_bytes(body.data, body.len);
	struct xet_hash expected = hash_of_text(XORB_HASH_A);
	struct error err = ERROR_INIT;
	struct xorb_table table;

	assert_int_equal(xorb_verify(fd, 3, 31, &expected, &table, &err), 0);
	xorb_table_clear(&table);
	assert_int_equal(xorb_verify(fd, 3, 34, &expected, &table, &err), -1);
	assert_int_equal(err.code, E_INTERNAL);
	assert_int_equal(xorb_verify(fd, 0, XORB_BODY_MAX + 1, &expected, &table, &err), -1);
	assert_int_equal(err.code, E_TOO_LARGE);
}

static struct bytes make_chunks(size_t count, size_t length)
{
	struct bytes body = {0};
	uint8_t header[XORB_HEADER_SIZE];

	body.data = xcalloc(count, sizeof(header) + length + 1);
	xorb_header_write(header, 0, (uint32_t)length, (uint32_t)length);
	for (size_t i = 0; i < count; i++) {
		memcpy(body.data + body.len, header, sizeof(header));
		body.len += sizeof(header) + length;
	}
	return body;
}

static void more_than_a_xorb_holds(void **state)
{
	autobytes struct bytes many = make_chunks(XORB_CHUNKS_MAX + 1, 1);
	autobytes struct bytes large =
	        make_chunks(XORB_DATA_MAX / XORB_CHUNK_MAX + 1, XORB_CHUNK_MAX);
	struct error err;

	assert_int_equal(verify(&many, XORB_HASH_A, &err), -1);
	assert_string_equal(err.text, "chunk 8192: a xorb has at most 8192 chunks");
	assert_int_equal(verify(&large, XORB_HASH_A, &err), -1);
	assert_string_equal(err.text, "chunk 512: a xorb holds at most 67108864 bytes of data");
}

/* A frame that says its size, wrongly, and one whose checksum is wrong. */
static void frames_that_lie(void **state)
{
	LZ4F_preferences_t preferences = {
	        .frameInfo = {.contentSize = 500,
	                      .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
	uint8_t data[500] = {1, 2, 3}, is[500], frame[2000];
	struct error err = ERROR_INIT;
	size_t len = LZ4F_compressFrame(frame, sizeof(frame), data, sizeof(data), &preferences);

	assert_false(LZ4F_isError(len));
	assert_int_equal(xorb_chunk_decode(1, frame, len, is, sizeof(is), &err), 0);
	frame[len - 1] ^= 1;
	assert_int_equal(xorb_chunk_decode(1, frame, len, is, sizeof(is), &err), -1);
	assert_non_null(strstr(err.text, "its LZ4 frame is damaged"));
	frame[len - 1] ^= 1;
	assert_int_equal(xorb_chunk_decode(1, frame, len, is, sizeof(is), &err), 0);
	assert_int_equal(xorb_chunk_decode(0, frame, len, is, sizeof(is), &err), -1);
	assert_int_equal(xorb_chunk_decode(4, frame, len, is, sizeof(is), &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(refused_with_the_reason), cmocka_unit_test(any_changed_bit),
	        cmocka_unit_test(another_order_or_hash),   cmocka_unit_test(a_footer_is_dropped),
	        cmocka_unit_test(a_body_inside_a_file),    cmocka_unit_test(more_than_a_xorb_holds),
	        cmocka_unit_test(frames_that_lie),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
