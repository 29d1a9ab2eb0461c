/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One chunk of a xorb: its header and its three ways of being stored. What is decoded here comes
 * from strangers: every length is known before, and a frame must fill it exactly, so that nobody
 * can read the same bytes as two different chunks.
 */
#include "hub/xorb_private.h"

#include <lz4frame.h>
#include <string.h>

#define SCHEME_LZ4 1
#define SCHEME_GROUPED 2 /* the bytes 0 mod 4, 1 mod 4, … one group after the other, then LZ4 */
#define GROUPS 4

static const uint8_t FRAME_MAGIC[4] = {0x04, 0x22, 0x4d, 0x18};

static uint32_t read_u24(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

static void write_u24(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
	bytes[2] = (uint8_t)(value >> 16);
}

void xorb_header_write(uint8_t ret[XORB_HEADER_SIZE], int scheme, uint32_t compressed,
                       uint32_t length)
{
	ret[0] = 0;
	write_u24(ret + 1, compressed);
	ret[4] = (uint8_t)scheme;
	write_u24(ret + 5, length);
}

int xorb_header_read(const uint8_t bytes[XORB_HEADER_SIZE], struct xorb_header *ret,
                     struct error *err)
{
	struct xorb_header header = {
	        .compressed = read_u24(bytes + 1),
	        .scheme = bytes[4],
	        .length = read_u24(bytes + 5),
	};

	if (bytes[0] != 0)
		return fail(err, E_INVALID, "its header has version %u instead of 0", bytes[0]);
	if (header.scheme > SCHEME_GROUPED)
		return fail(err, E_INVALID, "compression scheme %d is not 0, 1 or 2",
		            header.scheme);
	if (header.length < 1 || header.length > XORB_CHUNK_MAX)
		return fail(err, E_INVALID, "its data has %u bytes instead of 1 to %d",
		            header.length, XORB_CHUNK_MAX);
	if (header.compressed < 1 || header.compressed > XORB_COMPRESSED_MAX)
		return fail(err, E_INVALID, "it is stored in %u bytes instead of 1 to %d",
		            header.compressed, XORB_COMPRESSED_MAX);
	if (header.scheme == XORB_PLAIN && header.compressed != header.length)
		return fail(err, E_INVALID, "its %u bytes are stored plain, but in %u",
		            header.length, header.compressed);
	*ret = header;
	return 0;
}

/* Making one takes longer than decoding a chunk, so there is one for the life of the process. */
static LZ4F_dctx *frame_decoder(void)
{
	static LZ4F_dctx *decoder;

	if (decoder)
		LZ4F_resetDecompressionContext(decoder);
	else if (LZ4F_isError(LZ4F_createDecompressionContext(&decoder, LZ4F_VERSION)))
		BUG("no memory for a decoder of LZ4 frames");
	return decoder;
}

/* One frame, all of `frame_len` bytes of it, that gives exactly `length` bytes. */
static int decode_frame(const uint8_t *frame, size_t frame_len, uint8_t *data, size_t length,
                        struct error *err)
{
	LZ4F_decompressOptions_t options = {.stableDst = 1};
	LZ4F_dctx *decoder = frame_decoder();
	size_t used = 0, made = 0, hint, in, out;

	if (frame_len < sizeof(FRAME_MAGIC) || memcmp(frame, FRAME_MAGIC, sizeof(FRAME_MAGIC)) != 0)
		return fail(err, E_INVALID, "its data does not begin as an LZ4 frame");
	do {
		in = frame_len - used;
		out = length - made;
		hint = LZ4F_decompress(decoder, data + made, &out, frame + used, &in, &options);
		if (LZ4F_isError(hint))
			return fail(err, E_INVALID, "its LZ4 frame is damaged (%s)",
			            LZ4F_getErrorName(hint));
		used += in;
		made += out;
	} while (hint > 0 && (in > 0 || out > 0));
	if (hint > 0 && made == length)
		return fail(err, E_INVALID,
		            "its LZ4 frame holds more than %zu bytes or does not end", length);
	if (hint > 0)
		return fail(err, E_INVALID, "its LZ4 frame is cut short");
	if (made != length)
		return fail(err, E_INVALID, "its LZ4 frame holds %zu bytes instead of %zu", made,
		            length);
	if (used != frame_len)
		return fail(err, E_INVALID, "%zu bytes follow its LZ4 frame", frame_len - used);
	return 0;
}

static void ungroup(const uint8_t *grouped, uint8_t *data, size_t length)
{
	const uint8_t *group[GROUPS + 1] = {grouped};

	for (size_t k = 0; k < GROUPS; k++)
		group[k + 1] = group[k] + length / GROUPS + (k < length % GROUPS ? 1 : 0);
	for (size_t i = 0; i < length / GROUPS; i++) {
		for (size_t k = 0; k < GROUPS; k++)
			data[GROUPS * i + k] = group[k][i];
	}
	for (size_t k = 0; k < length % GROUPS; k++)
		data[length / GROUPS * GROUPS + k] = group[k][length / GROUPS];
}

int xorb_chunk_decode(int scheme, const uint8_t *compressed, size_t compressed_len, uint8_t *data,
                      size_t length, struct error *err)
{
	static uint8_t grouped[XORB_CHUNK_MAX];

	switch (scheme) {
	case XORB_PLAIN:
		if (compressed_len != length)
			return fail(err, E_INVALID, "%zu bytes are stored plain, but in %zu",
			            length, compressed_len);
		memcpy(data, compressed, length);
		return 0;
	case SCHEME_LZ4:
		return decode_frame(compressed, compressed_len, data, length, err);
	case SCHEME_GROUPED:
		if (length > sizeof(grouped))
			return fail(err, E_INVALID, "a chunk of %zu bytes", length);
		if (decode_frame(compressed, compressed_len, grouped, length, err) < 0)
			return -1;
		ungroup(grouped, data, length);
		return 0;
	default:
		return fail(err, E_INVALID, "compression scheme %d is not 0, 1 or 2", scheme);
	}
}
