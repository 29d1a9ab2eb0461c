/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting lines backwards. A newline always ends a record, so records are found from their ends; a
 * record of kind 'c' belongs to the line behind it.
 */
#include "job/log_tail.h"

#include <string.h>

#define BLOCK_SIZE (2 * LOG_RECORD_MAX)

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Behind the last whole record: what is half written is not there yet. */
static void find_end(struct log_tail *tail, struct log_source *source)
{
	int64_t size = log_source_size(source);
	struct log_gap gap = log_source_gap(source);
	int64_t from = larger(0, size - BLOCK_SIZE);
	if (gap.to <= size)
		from = larger(from, gap.to);
	const char *block;
	size_t len = log_source_read(source, from, (size_t)(size - from), &block);
	if ((int64_t)len > size - from)
		len = (size_t)(size - from);
	const char *newline = len > 0 ? memrchr(block, '\n', len) : NULL;
	tail->at = newline ? from + (newline - block) + 1 : from;
	tail->is_in_line = false;
}

/* Take the record [start, tail->at) into the tail; false when the tail is complete without it. */
static bool take_record(struct log_tail *tail, int64_t start, const char *record)
{
	char kind = record[LOG_PREFIX_LENGTH - 2];
	if (start == 0 && kind == LOG_KIND_SYSTEM) {
		if (tail->wanted > 0)
			tail->at = 0;
		return false;
	}
	if (kind != LOG_KIND_CONTINUED || !tail->is_in_line) {
		if (tail->wanted == 0)
			return false;
		tail->wanted--;
	}
	tail->is_in_line = true;
	tail->at = start;
	return true;
}

bool log_tail_step(struct log_tail *tail, struct log_source *source)
{
	if (tail->at < 0)
		find_end(tail, source);
	struct log_gap gap = log_source_gap(source);
	if (tail->at > gap.from && tail->at <= gap.to) {
		if (tail->wanted == 0) {
			tail->at = gap.to;
			return true;
		}
		tail->at = gap.from;
		tail->is_in_line = false;
	}
	if (tail->at == 0)
		return true;
	int64_t low = tail->at > gap.to ? gap.to : 0;
	int64_t from = larger(low, tail->at - BLOCK_SIZE);
	int64_t before = tail->at;
	const char *block;
	size_t want = (size_t)(tail->at - from);
	if (log_source_read(source, from, want, &block) < want)
		/* The hole grew under us, and the gap is known now; or the log is damaged. */
		return log_source_gap(source).to <= from;
	while (tail->at > from) {
		size_t end = (size_t)(tail->at - from);
		const char *newline = memrchr(block, '\n', end - 1);
		int64_t start = newline ? from + (newline - block) + 1 : from;
		if (!newline && from > low)
			return tail->at == before; /* it begins in the next block */
		if (tail->at - start <= LOG_PREFIX_LENGTH)
			return true;
		if (!take_record(tail, start, block + (start - from)))
			return true;
	}
	return tail->at == 0;
}
