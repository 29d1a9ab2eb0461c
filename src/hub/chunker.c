/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content-defined chunking. The gear hash depends on the last 64 bytes only, since each byte shifts
 * it by one bit; so most of a chunk's first 8 KiB, where it may not end, need not be looked at.
 */
#include "hub/chunker.h"
#include "hub/chunker_gear.h"

#define CHUNK_MIN ((size_t)8 * 1024)
#define GEAR_WINDOW 64
#define SKIPPED (CHUNK_MIN - GEAR_WINDOW)
#define GEAR_END (UINT64_C(1) << 48) /* a chunk ends where the upper 16 bits are 0 */

void chunker_init(struct chunker *chunker)
{
	*chunker = (struct chunker){0};
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint64_t roll(uint64_t gear, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		gear = (gear << 1) + CHUNKER_GEAR[data[i]];
	return gear;
}

/* Roll until the chunk may end: the number of bytes up to there, or `len` with *ret_found false. */
static size_t find_end(uint64_t *gear, const uint8_t *data, size_t len, bool *ret_found)
{
	uint64_t h = *gear;
	size_t i = 0;

	*ret_found = false;
	while (i < len && !*ret_found) {
		h = (h << 1) + CHUNKER_GEAR[data[i++]];
		*ret_found = h < GEAR_END;
	}
	*gear = h;
	return i;
}

size_t chunker_next(struct chunker *chunker, const uint8_t *data, size_t len, bool *ret_end)
{
	size_t length = chunker->length, used = 0, part;
	bool is_end = false;

	if (length < SKIPPED) {
		used = at_most(len, SKIPPED - length);
		length += used;
	}
	if (length < CHUNK_MIN - 1) { /* the byte that completes the minimum may end the chunk */
		part = at_most(len - used, CHUNK_MIN - 1 - length);
		chunker->gear = roll(chunker->gear, data + used, part);
		used += part;
		length += part;
	}
	if (length >= CHUNK_MIN - 1) {
		part = find_end(&chunker->gear, data + used,
		                at_most(len - used, CHUNK_MAX - length), &is_end);
		used += part;
		length += part;
	}
	chunker->length = length;
	*ret_end = is_end || length == CHUNK_MAX;
	if (*ret_end)
		chunker_init(chunker);
	return used;
}
