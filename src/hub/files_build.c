/* SPDX-License-Identifier: Apache-2.0 */
/* One file to be: rebuilt from pieces of xorbs, or copied from another bucket; complete before it
 * gets its name. */
#include "hub/files.h"

#include "base/cleanup.h"
#include "hub/bucket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define WRITEBACK_PIECE (8 * 1024 * 1024)

struct build {
	int fd;
	int64_t written, started; /* bytes; of these, writing to disk has begun */
};

/* Begin to write early, so that the flush at the end has little left to do. */
static void start_writeback(struct build *build)
{
	if (build->written - build->started < WRITEBACK_PIECE)
		return;
	(void)sync_file_range(build->fd, build->started, build->written - build->started,
	                      SYNC_FILE_RANGE_WRITE);
	build->started = build->written;
}

static int write_chunk(void *arg, const uint8_t *data, size_t len, struct error *err)
{
	struct build *build = arg;

	if (files_write_all(build->fd, data, len, err) < 0)
		return -1;
	build->written += (int64_t)len;
	start_writeback(build);
	return 0;
}

struct term {
	struct xet_hash xorb;
	uint32_t first, end;
	int64_t bytes;
};

static int parse_term(const json_t *value, struct term *ret, struct error *err)
{
	const char *xorb;
	json_int_t first, end, bytes;

	if (json_unpack((json_t *)value, "[s,I,I,I]", &xorb, &first, &end, &bytes) < 0 ||
	    first < 0 || end <= first || end > XORB_CHUNKS_MAX)
		return fail(err, E_INVALID, "a term must be [xorb, first, end, bytes]");
	*ret = (struct term){.first = (uint32_t)first, .end = (uint32_t)end, .bytes = bytes};
	return files_parse_hash(xorb, &ret->xorb, err);
}

static int build_term(struct files_store *store, struct build *build, const struct term *term,
                      struct file_scan *scan, struct error *err)
{
	const struct xorb_table *table = NULL;
	int64_t before = build->written;
	int fd = -1;

	if (files_store_xorb(store, &term->xorb, &fd, &table, err) < 0)
		return -1;
	if (term->end > table->count)
		return fail(err, E_INVALID, "a term goes beyond its xorb");
	for (uint32_t i = term->first; i < term->end; i++) {
		if (file_scan_add(scan, &table->chunks[i].hash, xorb_chunk_length(table, i), err) <
		    0)
			return -1;
	}
	if (xorb_decode(fd, table, term->first, term->end, write_chunk, build, err) < 0)
		return -1;
	if (build->written - before != term->bytes)
		return fail(err, E_INVALID, "a term has another size than its chunks");
	return 0;
}

static int build_from_terms(struct files_store *store, struct build *build, json_t *add,
                            struct file_scan *scan, struct error *err)
{
	json_t *terms = NULL, *value;
	size_t i;

	if (files_get_array(add, "terms", &terms, err) < 0)
		return -1;
	json_array_foreach(terms, i, value)
	{
		struct term term;
		if (parse_term(value, &term, err) < 0 ||
		    build_term(store, build, &term, scan, err) < 0)
			return -1;
	}
	return 0;
}

static bool source_matches(json_t *expected, const struct files_facts *facts)
{
	return json_get_int(expected, "size", -1) == facts->size &&
	       json_get_int(expected, "mtime_ns", -1) == facts->mtime_ns &&
	       json_get_int(expected, "ctime_ns", -1) == facts->ctime_ns &&
	       (uint64_t)json_get_int(expected, "inode", -1) == facts->inode;
}

/* *ret_is_known: the caller knew the source's facts, and they hold: what it knows of the content
 * holds as well. */
static int build_from_file(struct build *build, json_t *add, bool *ret_is_known, struct error *err)
{
	const char *path = NULL;
	autoclose int from_bucket = -1;
	autoclose int from = -1;
	struct stat before, after;
	struct error open_err = ERROR_INIT;

	if (files_open_folder(add, "from", &from_bucket, err) < 0 ||
	    files_get_text(add, "from_path", &path, err) < 0 || bucket_path_check(path, err) < 0)
		return -1;
	if (bucket_open(from_bucket, path, O_RDONLY | O_NONBLOCK, &from, &open_err) < 0 ||
	    fstat(from, &before) < 0 || !S_ISREG(before.st_mode))
		return fail(err, E_NOT_FOUND, "the file to copy, %s, is not there", path);
	if (files_copy(from, build->fd, before.st_size, err) < 0)
		return -1;
	build->written = before.st_size;
	struct files_facts facts = files_facts_of(&before);
	bool is_same = fstat(from, &after) == 0;
	struct files_facts facts_after = files_facts_of(&after);
	*ret_is_known = is_same && files_facts_same(&facts, &facts_after) &&
	                source_matches(json_object_get(add, "source"), &facts);
	return 0;
}

static int scan_copy(struct build *build, struct file_scan *scan, const struct xet_hash *expected,
                     struct error *err)
{
	struct xet_hash hash;

	if (files_scan_fd(build->fd, scan, &hash, err) < 0)
		return -1;
	if (!xet_hash_equal(&hash, expected))
		return fail(err, E_CONFLICT, "the file to copy has other content now");
	return 0;
}

static int check_rebuilt(json_t *add, struct file_scan *scan, const struct xet_hash *expected,
                         struct error *err)
{
	struct xet_hash hash;

	if (file_scan_finish(scan, &hash, err) < 0)
		return -1;
	int64_t size = json_get_int(add, "size", -1);
	if (!xet_hash_equal(&hash, expected) || (size >= 0 && (uint64_t)size != scan->size))
		return fail(err, E_INVALID, "the terms do not give the file of this hash and size");
	return 0;
}

static int build_content(struct files_store *store, struct build *build, json_t *add,
                         bool is_flushed, struct files_built *ret, struct error *err)
{
	struct file_scan scan;
	bool is_known = false;
	int rc;

	file_scan_init(&scan);
	if (json_object_get(add, "from")) {
		rc = build_from_file(build, add, &is_known, err);
		if (rc == 0 && !is_known)
			rc = scan_copy(build, &scan, &ret->hash, err);
	} else {
		rc = build_from_terms(store, build, add, &scan, err);
		if (rc == 0)
			rc = check_rebuilt(add, &scan, &ret->hash, err);
	}
	if (rc == 0 && !is_known)
		rc = files_store_table(store, &scan.table, &ret->hash, is_flushed, &ret->chunks,
		                       err);
	file_scan_clear(&scan);
	return rc;
}

int files_build(struct files_store *store, struct files_temp *temp, json_t *add, bool is_flushed,
                struct files_built *ret, struct error *err)
{
	struct files_built built = {0};
	struct stat status;
	autoclose int fd = -1;

	if (files_parse_hash(json_get_text(add, "hash", NULL), &built.hash, err) < 0 ||
	    files_temp_create(temp, built.temp_name, &fd, err) < 0)
		return -1;
	struct build build = {.fd = fd};
	if (build_content(store, &build, add, is_flushed, &built, err) < 0 ||
	    files_finish(fd, json_get_int(add, "mtime_ns", -1), is_flushed, err) < 0)
		goto broken;
	if (fstat(fd, &status) < 0) {
		fail_errno(err, E_INTERNAL, errno, "a finished file");
		goto broken;
	}
	built.facts = files_facts_of(&status);
	*ret = built;
	return 0;
broken:
	(void)unlinkat(temp->fd, built.temp_name, 0);
	free(built.chunks);
	return -1;
}
