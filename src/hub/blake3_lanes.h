/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of one width of blake3_wide.c, which includes this file once per width; nobody else
 *does. It defines before:
 *	LANE_COUNT, LANE_TYPE	how many inputs, and a vector of as many 32-bit words
 *	LANE_NAME(x)		x with the width in its name
 *	LANE_TARGET		attribute of the functions, for the processor that they are meant
 *for LANE_ROTATE(x, n)	x rotated right by n bits LANE_TRANSPOSE(rows)	LANE_COUNT vectors as the
 *rows of a square become its columns Lane i of every vector belongs to input i: the arithmetic is
 *BLAKE3's compression, word for word.
 */
#define LANE_INLINE static inline __attribute__((always_inline)) LANE_TARGET

LANE_INLINE void LANE_NAME(mix)(LANE_TYPE v[16], int a, int b, int c, int d, const LANE_TYPE *x,
                                const LANE_TYPE *y)
{
	v[a] += v[b] + *x;
	v[d] = LANE_ROTATE(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = LANE_ROTATE(v[b] ^ v[c], 12);
	v[a] += v[b] + *y;
	v[d] = LANE_ROTATE(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = LANE_ROTATE(v[b] ^ v[c], 7);
}

LANE_INLINE void LANE_NAME(round)(LANE_TYPE v[16], const LANE_TYPE m[16], const uint8_t order[16])
{
	LANE_NAME(mix)(v, 0, 4, 8, 12, &m[order[0]], &m[order[1]]);
	LANE_NAME(mix)(v, 1, 5, 9, 13, &m[order[2]], &m[order[3]]);
	LANE_NAME(mix)(v, 2, 6, 10, 14, &m[order[4]], &m[order[5]]);
	LANE_NAME(mix)(v, 3, 7, 11, 15, &m[order[6]], &m[order[7]]);
	LANE_NAME(mix)(v, 0, 5, 10, 15, &m[order[8]], &m[order[9]]);
	LANE_NAME(mix)(v, 1, 6, 11, 12, &m[order[10]], &m[order[11]]);
	LANE_NAME(mix)(v, 2, 7, 8, 13, &m[order[12]], &m[order[13]]);
	LANE_NAME(mix)(v, 3, 4, 9, 14, &m[order[14]], &m[order[15]]);
}

/* Word i of the block at `offset` of every input, for the 16 words. */
LANE_INLINE void LANE_NAME(load)(LANE_TYPE m[16], const uint8_t *const *inputs, size_t offset)
{
	for (size_t part = 0; part < 16; part += LANE_COUNT) {
		for (size_t lane = 0; lane < LANE_COUNT; lane++)
			memcpy(&m[part + lane], inputs[lane] + offset + 4 * part,
			       sizeof(LANE_TYPE));
		LANE_TRANSPOSE(&m[part]);
	}
}

LANE_INLINE void LANE_NAME(compress)(LANE_TYPE chaining[8], const LANE_TYPE m[16],
                                     const LANE_TYPE counter[2], uint32_t flags)
{
	const LANE_TYPE zero = {0};
	LANE_TYPE v[16];

	for (int i = 0; i < 8; i++)
		v[i] = chaining[i];
	for (int i = 0; i < 4; i++)
		v[8 + i] = zero + BLAKE3_IV[i];
	v[12] = counter[0];
	v[13] = counter[1];
	v[14] = zero + BLAKE3_BLOCK;
	v[15] = zero + flags;
	LANE_NAME(round)(v, m, BLAKE3_ORDER[0]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[1]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[2]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[3]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[4]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[5]);
	LANE_NAME(round)(v, m, BLAKE3_ORDER[6]);
	for (int i = 0; i < 8; i++)
		chaining[i] = v[i] ^ v[i + 8];
}

/* One call of struct blake3_batch's meaning: LANE_COUNT inputs, all of them real. */
LANE_TARGET static void LANE_NAME(hash)(const struct blake3_batch *batch,
                                        const uint8_t *const *inputs, uint64_t counter,
                                        uint8_t *ret)
{
	const LANE_TYPE zero = {0};
	LANE_TYPE chaining[8], m[16], counters[2];

	for (int i = 0; i < 8; i++)
		chaining[i] = zero + batch->key[i];
	for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
		uint64_t number = batch->counts ? counter + lane : 0;

		counters[0][lane] = (uint32_t)number;
		counters[1][lane] = (uint32_t)(number >> 32);
	}
	for (size_t block = 0; block < batch->blocks; block++) {
		uint32_t flags = batch->flags;

		if (block == 0)
			flags |= batch->flags_start;
		if (block == batch->blocks - 1)
			flags |= batch->flags_end;
		LANE_NAME(load)(m, inputs, block * BLAKE3_BLOCK);
		LANE_NAME(compress)(chaining, m, counters, flags);
	}
#if LANE_COUNT == 8
	LANE_TRANSPOSE(chaining);
	memcpy(ret, chaining, sizeof(chaining));
#else
	LANE_TRANSPOSE(&chaining[0]);
	LANE_TRANSPOSE(&chaining[4]);
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		memcpy(ret + lane * BLAKE3_SIZE, &chaining[lane], sizeof(LANE_TYPE));
		memcpy(ret + lane * BLAKE3_SIZE + sizeof(LANE_TYPE), &chaining[4 + lane],
		       sizeof(LANE_TYPE));
	}
#endif
}

#undef LANE_INLINE
#undef LANE_COUNT
#undef LANE_TYPE
#undef LANE_NAME
#undef LANE_TARGET
#undef LANE_ROTATE
#undef LANE_TRANSPOSE
