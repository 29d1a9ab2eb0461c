/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLAKE3's compression, alone and in 4 or 8 lanes of vectors. The lanes are GCC's vector
 * extensions, so that the compiler makes SSE2 or NEON of the 4 and, where the processor has it,
 * AVX2 of the 8.
 */
#include "hub/blake3_wide.h"

#include <endian.h>
#include <string.h>

const uint32_t BLAKE3_IV[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Row i + 1 is row i through the permutation 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8. */
const uint8_t BLAKE3_ORDER[7][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
        {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
        {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
        {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
        {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
        {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))

static inline __attribute__((always_inline)) void mix(uint32_t v[16], int a, int b, int c, int d,
                                                      uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = ROTATE(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = ROTATE(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = ROTATE(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = ROTATE(v[b] ^ v[c], 7);
}

static inline __attribute__((always_inline)) void mix_round(uint32_t v[16], const uint32_t m[16],
                                                            const uint8_t order[16])
{
	mix(v, 0, 4, 8, 12, m[order[0]], m[order[1]]);
	mix(v, 1, 5, 9, 13, m[order[2]], m[order[3]]);
	mix(v, 2, 6, 10, 14, m[order[4]], m[order[5]]);
	mix(v, 3, 7, 11, 15, m[order[6]], m[order[7]]);
	mix(v, 0, 5, 10, 15, m[order[8]], m[order[9]]);
	mix(v, 1, 6, 11, 12, m[order[10]], m[order[11]]);
	mix(v, 2, 7, 8, 13, m[order[12]], m[order[13]]);
	mix(v, 3, 4, 9, 14, m[order[14]], m[order[15]]);
}

void blake3_compress(uint32_t chaining[8], const uint8_t block[BLAKE3_BLOCK], uint64_t counter,
                     uint32_t len, uint32_t flags)
{
	uint32_t v[16], m[16];

	for (int i = 0; i < 16; i++) {
		memcpy(&m[i], block + 4 * i, 4);
		m[i] = le32toh(m[i]);
	}
	for (int i = 0; i < 8; i++)
		v[i] = chaining[i];
	for (int i = 0; i < 4; i++)
		v[8 + i] = BLAKE3_IV[i];
	v[12] = (uint32_t)counter;
	v[13] = (uint32_t)(counter >> 32);
	v[14] = len;
	v[15] = flags;
	mix_round(v, m, BLAKE3_ORDER[0]);
	mix_round(v, m, BLAKE3_ORDER[1]);
	mix_round(v, m, BLAKE3_ORDER[2]);
	mix_round(v, m, BLAKE3_ORDER[3]);
	mix_round(v, m, BLAKE3_ORDER[4]);
	mix_round(v, m, BLAKE3_ORDER[5]);
	mix_round(v, m, BLAKE3_ORDER[6]);
	for (int i = 0; i < 8; i++)
		chaining[i] = v[i] ^ v[i + 8];
}

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "the lanes load words as they lie in memory"
#endif

typedef uint32_t lanes4 __attribute__((vector_size(16)));

static inline __attribute__((always_inline)) void transpose4(lanes4 r[4])
{
	lanes4 a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
	lanes4 b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
	lanes4 c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
	lanes4 d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);

	r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
	r[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
	r[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
	r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

#define LANE_COUNT 4
#define LANE_TYPE lanes4
#define LANE_NAME(x) lanes4_##x
#define LANE_TARGET
#define LANE_ROTATE(x, n) ROTATE(x, n)
#define LANE_TRANSPOSE(rows) transpose4(rows)
#include "hub/blake3_lanes.h"

#ifdef __x86_64__
#define TARGET_AVX2 __attribute__((target("avx2")))

typedef uint32_t lanes8 __attribute__((vector_size(32)));
typedef uint8_t lanes8_bytes __attribute__((vector_size(32)));

/* Within the two halves of the vectors first, as the instructions do, then the halves. */
static inline __attribute__((always_inline)) TARGET_AVX2 void transpose8(lanes8 r[8])
{
	lanes8 a[8], b[8];

	for (int i = 0; i < 8; i += 2) {
		a[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		a[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
	for (int i = 0; i < 8; i += 4) {
		for (int k = 0; k < 2; k++) {
			lanes8 x = a[i + k], y = a[i + k + 2];

			b[i + 2 * k] = __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13);
			b[i + 2 * k + 1] =
			        __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15);
		}
	}
	for (int i = 0; i < 4; i++) {
		r[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		r[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}

/* A rotation by whole bytes is one shuffle; by other numbers, two shifts. */
#define SHUFFLE8(x, n)                                                                             \
	((lanes8)__builtin_shufflevector(                                                          \
	        (lanes8_bytes)(x), (lanes8_bytes)(x), (n), ((n) + 1) % 4, ((n) + 2) % 4,           \
	        ((n) + 3) % 4, 4 + (n), 4 + ((n) + 1) % 4, 4 + ((n) + 2) % 4, 4 + ((n) + 3) % 4,   \
	        8 + (n), 8 + ((n) + 1) % 4, 8 + ((n) + 2) % 4, 8 + ((n) + 3) % 4, 12 + (n),        \
	        12 + ((n) + 1) % 4, 12 + ((n) + 2) % 4, 12 + ((n) + 3) % 4, 16 + (n),              \
	        16 + ((n) + 1) % 4, 16 + ((n) + 2) % 4, 16 + ((n) + 3) % 4, 20 + (n),              \
	        20 + ((n) + 1) % 4, 20 + ((n) + 2) % 4, 20 + ((n) + 3) % 4, 24 + (n),              \
	        24 + ((n) + 1) % 4, 24 + ((n) + 2) % 4, 24 + ((n) + 3) % 4, 28 + (n),              \
	        28 + ((n) + 1) % 4, 28 + ((n) + 2) % 4, 28 + ((n) + 3) % 4))

#define LANE_COUNT 8
#define LANE_TYPE lanes8
#define LANE_NAME(x) lanes8_##x
#define LANE_TARGET TARGET_AVX2
#define LANE_ROTATE(x, n) ((n) % 8 == 0 ? SHUFFLE8(x, (n) / 8 % 4) : ROTATE(x, n))
#define LANE_TRANSPOSE(rows) transpose8(rows)
#include "hub/blake3_lanes.h"
#endif

/* A last call with fewer inputs than lanes has the last one several times: cheaper than singly. */
static void hash_some(const struct blake3_batch *batch, size_t first, size_t count, size_t width,
                      uint8_t *ret)
{
	const uint8_t *inputs[8];
	uint8_t values[8 * BLAKE3_SIZE];

	for (size_t lane = 0; lane < width; lane++)
		inputs[lane] =
		        batch->data + (first + (lane < count ? lane : count - 1)) * batch->stride;
#ifdef __x86_64__
	if (width == 8)
		lanes8_hash(batch, inputs, batch->counter + first, values);
	else
#endif
		lanes4_hash(batch, inputs, batch->counter + first, values);
	memcpy(ret + first * BLAKE3_SIZE, values, count * BLAKE3_SIZE);
}

static void hash_one(const struct blake3_batch *batch, size_t index, uint8_t *ret)
{
	const uint8_t *data = batch->data + index * batch->stride;
	uint32_t chaining[8];

	memcpy(chaining, batch->key, sizeof(chaining));
	for (size_t block = 0; block < batch->blocks; block++) {
		uint32_t flags = batch->flags | (block == 0 ? batch->flags_start : 0U) |
		                 (block == batch->blocks - 1 ? batch->flags_end : 0U);

		blake3_compress(chaining, data + block * BLAKE3_BLOCK,
		                batch->counts ? batch->counter + index : 0, BLAKE3_BLOCK, flags);
	}
	memcpy(ret + index * BLAKE3_SIZE, chaining, BLAKE3_SIZE);
}

void blake3_hash_batch(const struct blake3_batch *batch, size_t count, uint8_t *ret)
{
	size_t width = 4;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		width = 8;
#endif
	for (size_t done = 0; done < count; done += width) {
		size_t some = count - done < width ? count - done : width;

		if (some == 1)
			hash_one(batch, done, ret);
		else if (some <= 4)
			hash_some(batch, done, some, 4, ret);
		else
			hash_some(batch, done, some, width, ret);
	}
}
