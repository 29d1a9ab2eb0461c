/* SPDX-License-Identifier: Apache-2.0 */
/* TZif files (RFC 8536): the list of changes, and the rule behind its end. Files are bytes of the
 * system, but each is looked at as if it were a stranger's. */
#include "job/time_zone_private.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_SIZE 44
#define TIMES_MAX 20000
#define TYPES_MAX 256
#define OFFSET_MAX_S (26 * 3600)
#define TIME_MAX_S (INT64_C(1) << 40) /* farther away than all that matters */
#define RULE_MAX 128

struct tzif_header {
	char version;
	uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

struct tzif {
	const unsigned char *at, *end;
};

static uint32_t read_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t size)
{
	if (size == 4)
		return (int32_t)read_u32(p);
	return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static int tzif_read_header(struct tzif *file, struct tzif_header *ret, struct error *err)
{
	const unsigned char *p = file->at;

	if (file->end - p < HEADER_SIZE || memcmp(p, "TZif", 4) != 0)
		return fail(err, E_INVALID, "its file is not a TZif file");
	*ret = (struct tzif_header){
	        .version = (char)p[4],
	        .isutcnt = read_u32(p + 20),
	        .isstdcnt = read_u32(p + 24),
	        .leapcnt = read_u32(p + 28),
	        .timecnt = read_u32(p + 32),
	        .typecnt = read_u32(p + 36),
	        .charcnt = read_u32(p + 40),
	};
	if (ret->timecnt > TIMES_MAX || ret->typecnt == 0 || ret->typecnt > TYPES_MAX ||
	    ret->charcnt > 4096 || ret->isutcnt > TYPES_MAX || ret->isstdcnt > TYPES_MAX ||
	    ret->leapcnt > 1024)
		return fail(err, E_INVALID, "the counts in its file are not possible");
	file->at += HEADER_SIZE;
	return 0;
}

static size_t tzif_block_size(const struct tzif_header *header, size_t time_size)
{
	return header->timecnt * (time_size + 1) + (size_t)header->typecnt * 6 + header->charcnt +
	       header->leapcnt * (time_size + 4) + header->isstdcnt + header->isutcnt;
}

static int tzif_read_offset(const unsigned char *types, const struct tzif_header *header,
                            unsigned type, int32_t *ret, struct error *err)
{
	int32_t offset;

	if (type >= header->typecnt)
		return fail(err, E_INVALID, "its file names a kind of time that it does not have");
	offset = (int32_t)read_u32(types + (size_t)type * 6);
	if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S)
		return fail(err, E_INVALID, "its file has an offset of more than a day");
	*ret = offset;
	return 0;
}

static int tzif_read_block(const unsigned char *block, const struct tzif_header *header,
                           size_t time_size, struct time_zone *zone, int64_t *ret_last,
                           struct error *err)
{
	const unsigned char *kinds = block + header->timecnt * time_size;
	const unsigned char *types = kinds + header->timecnt;
	int64_t last = INT64_MIN;

	if (tzif_read_offset(types, header, 0, &zone->first_offset_s, err) < 0)
		return -1;
	for (size_t i = 0; i < header->timecnt; i++) {
		int64_t at_s = read_time(block + i * time_size, time_size);
		int32_t offset;

		if (i > 0 && at_s <= last)
			return fail(err, E_INVALID, "the times in its file are not in order");
		if (tzif_read_offset(types, header, kinds[i], &offset, err) < 0)
			return -1;
		/* Some files begin with the big bang. */
		if (at_s > -TIME_MAX_S && at_s < TIME_MAX_S)
			time_zone_add(zone, at_s, offset);
		else if (at_s < 0)
			zone->first_offset_s = offset;
		last = at_s;
	}
	*ret_last = last < TIME_MAX_S ? last : TIME_MAX_S;
	return 0;
}

static int tzif_read_footer(const struct tzif *file, struct time_zone *zone, int64_t last,
                            struct error *err)
{
	const unsigned char *end;
	char rule[RULE_MAX + 1];
	size_t len;

	if (file->at == file->end || *file->at != '\n')
		return 0;
	end = memchr(file->at + 1, '\n', (size_t)(file->end - file->at - 1));
	len = end ? (size_t)(end - file->at - 1) : RULE_MAX + 1;
	if (len > RULE_MAX || memchr(file->at + 1, '\0', len))
		return fail(err, E_INVALID, "the rule at the end of its file has no end");
	memcpy(rule, file->at + 1, len);
	rule[len] = '\0';
	return *rule ? time_zone_add_rule(zone, rule, last, err) : 0;
}

static int tzif_read(struct tzif *file, struct time_zone *zone, struct error *err)
{
	struct tzif_header header;
	size_t time_size = 4;
	int64_t last = 0;

	if (tzif_read_header(file, &header, err) < 0)
		return -1;
	if (header.version >= '2') { /* the whole again in 64 bits */
		if ((size_t)(file->end - file->at) < tzif_block_size(&header, 4))
			return fail(err, E_INVALID, "its file is too short");
		file->at += tzif_block_size(&header, 4);
		time_size = 8;
		if (tzif_read_header(file, &header, err) < 0)
			return -1;
	}
	if ((size_t)(file->end - file->at) < tzif_block_size(&header, time_size))
		return fail(err, E_INVALID, "its file is too short");
	if (header.leapcnt > 0)
		return fail(err, E_INVALID,
		            "its file counts leap seconds, which Unix time does not");
	if (tzif_read_block(file->at, &header, time_size, zone, &last, err) < 0)
		return -1;
	file->at += tzif_block_size(&header, time_size);
	return time_size == 8 ? tzif_read_footer(file, zone, last, err) : 0;
}

int time_zone_parse(const void *data, size_t len, struct time_zone **ret, struct error *err)
{
	struct tzif file = {.at = data, .end = (const unsigned char *)data + len};
	struct time_zone *zone = xcalloc(1, sizeof(*zone));

	if (tzif_read(&file, zone, err) < 0) {
		time_zone_free(zone);
		return -1;
	}
	*ret = zone;
	return 0;
}
