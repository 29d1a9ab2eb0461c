/* SPDX-License-Identifier: Apache-2.0 */
/* Parses shards: records of 48 bytes, a section of files and one of xorbs. */
#include "hub/shard.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#define RECORD ((size_t)48)
#define VERSION 2
#define FOOTER_SIZE 200
#define WITH_VERIFICATION UINT32_C(0x80000000)
#define WITH_METADATA UINT32_C(0x40000000)

static const uint8_t TAG[32] = {
        'H',  'F',  'R',  'e',  'p',  'o',  'M',  'e',  't',  'a',  'D',
        'a',  't',  'a',  0,    0x55, 0x69, 0x67, 0x45, 0x6a, 0x7b, 0x81,
        0x57, 0x83, 0xa5, 0xbd, 0xd9, 0x5c, 0xcd, 0xd1, 0x4a, 0xa9,
};

struct parser {
	const uint8_t *data;
	size_t len, offset;
	uint64_t footer_size;
};

static uint32_t read_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t read_u64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

/* The next `count` records, or NULL when there are fewer. */
static const uint8_t *take_records(struct parser *p, uint64_t count)
{
	const uint8_t *records = p->data + p->offset;

	if (count > (p->len - p->offset) / RECORD)
		return NULL;
	p->offset += (size_t)count * RECORD;
	return records;
}

static bool is_bookend(const uint8_t *record)
{
	for (size_t i = 0; i < XET_HASH_SIZE; i++) {
		if (record[i] != 0xff)
			return false;
	}
	return true;
}

static int parse_header(struct parser *p, struct error *err)
{
	const uint8_t *header = take_records(p, 1);

	if (!header)
		return fail(err, E_INVALID, "the shard's header is cut short");
	if (memcmp(header, TAG, sizeof(TAG)) != 0)
		return fail(err, E_INVALID, "the body does not begin as a shard");
	if (read_u64(header + 32) != VERSION)
		return fail(err, E_INVALID, "the shard has version %llu instead of %d",
		            (unsigned long long)read_u64(header + 32), VERSION);
	p->footer_size = read_u64(header + 40);
	if (p->footer_size != 0 && p->footer_size != FOOTER_SIZE)
		return fail(err, E_INVALID,
		            "the shard says that its footer has %llu bytes instead of 0 or %d",
		            (unsigned long long)p->footer_size, FOOTER_SIZE);
	return 0;
}

static int check_terms(const struct shard_file *file, struct error *err)
{
	struct shard_term term;

	for (uint32_t i = 0; i < file->n_terms; i++) {
		shard_file_term(file, i, &term);
		if (term.first >= term.end)
			return fail(err, E_INVALID, "term %u has chunks %u to %u, which are none",
			            i, term.first, term.end);
	}
	return 0;
}

/* The file whose header is `header`. */
static int parse_file(struct parser *p, const uint8_t *header, struct shard_file *ret,
                      struct error *err)
{
	struct shard_file file = {.n_terms = read_u32(header + 36)};
	uint32_t flags = read_u32(header + 32);

	memcpy(file.hash.bytes, header, XET_HASH_SIZE);
	if (!(flags & WITH_VERIFICATION))
		return fail(err, E_INVALID, "it has no verification entries (flag bit 31)");
	file.terms = take_records(p, file.n_terms);
	file.verifications = file.terms ? take_records(p, file.n_terms) : NULL;
	if (!file.verifications)
		return fail(err, E_INVALID, "the shard ends before its %u terms do", file.n_terms);
	if ((flags & WITH_METADATA) && !take_records(p, 1))
		return fail(err, E_INVALID, "the shard ends before its metadata entry");
	if ((file.n_terms == 0) != xet_hash_is_zero(&file.hash))
		return fail(err, E_INVALID, "%s",
		            file.n_terms == 0 ? "it has no terms, but not the hash of zeros"
		                              : "it has the hash of zeros, but terms");
	if (check_terms(&file, err) < 0)
		return -1;
	*ret = file;
	return 0;
}

static int parse_files(struct parser *p,
                       int (*fn)(void *arg, const struct shard_file *file, struct error *err),
                       void *arg, struct error *err)
{
	const uint8_t *header;
	struct shard_file file;

	for (uint32_t i = 0; (header = take_records(p, 1)); i++) {
		if (is_bookend(header))
			return 0;
		if (parse_file(p, header, &file, err) < 0)
			return error_prefix(err, "file %u of the shard", i);
		if (fn && fn(arg, &file, err) < 0)
			return -1;
	}
	return fail(err, E_INVALID, "the shard's list of files does not end");
}

static int skip_xorbs(struct parser *p, struct error *err)
{
	const uint8_t *header;

	for (uint32_t i = 0; (header = take_records(p, 1)); i++) {
		if (is_bookend(header))
			return 0;
		uint32_t n_chunks = read_u32(header + 36);

		if (!take_records(p, n_chunks))
			return fail(err, E_INVALID,
			            "xorb %u of the shard: the shard ends before its %u chunks do",
			            i, n_chunks);
	}
	return fail(err, E_INVALID, "the shard's list of xorbs does not end");
}

/* All of the structure first, then the files: what `fn` sees is part of a sound shard. */
static int parse_all(struct parser *p,
                     int (*fn)(void *arg, const struct shard_file *file, struct error *err),
                     void *arg, struct error *err)
{
	if (parse_header(p, err) < 0 || parse_files(p, fn, arg, err) < 0 || skip_xorbs(p, err) < 0)
		return -1;
	size_t left = p->len - p->offset;

	if (left != 0 && left != p->footer_size)
		return fail(err, E_INVALID, "%zu bytes follow the shard's lists", left);
	return 0;
}

int shard_parse(const uint8_t *data, size_t len,
                int (*fn)(void *arg, const struct shard_file *file, struct error *err), void *arg,
                struct error *err)
{
	struct parser check = {.data = data, .len = len}, give = check;

	if (len > SHARD_BODY_MAX)
		return fail(err, E_TOO_LARGE, "a shard has at most %d bytes", SHARD_BODY_MAX);
	if (parse_all(&check, NULL, NULL, err) < 0)
		return -1;
	return parse_all(&give, fn, arg, err);
}

void shard_file_term(const struct shard_file *file, uint32_t index, struct shard_term *ret)
{
	const uint8_t *term = file->terms + index * RECORD;

	memcpy(ret->xorb.bytes, term, XET_HASH_SIZE);
	ret->bytes = read_u32(term + 36);
	ret->first = read_u32(term + 40);
	ret->end = read_u32(term + 44);
	memcpy(ret->range_hash.bytes, file->verifications + index * RECORD, XET_HASH_SIZE);
}
