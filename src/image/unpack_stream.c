/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two libarchive readers in a row: the first only decompresses (format "raw"), the second only
 * reads tar. In between lies the plain tar stream, which is what diff ids are computed of; one
 * reader alone would not show it. Formats and filters are chosen by hand: nothing but tar, gzip and
 * zstd is ever parsed.
 */
#include "image/unpack_stream.h"

#include "base/memory.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define STREAM_BUFFER_SIZE (256 * 1024)
/* Tar's own headers, beside the files' bytes. */
#define STREAM_HEADERS_MAX (INT64_C(16) << 30)
/* Beyond the first GiB nothing useful is compressed by more than this. gzip alone reaches 1032. */
#define STREAM_RATIO_MAX 250
#define STREAM_RATIO_FREE (INT64_C(1) << 30)

struct unpack_stream {
	int fd;
	struct digest *blob, *diff;
	struct archive *raw, *tar;
	int64_t in_bytes, out_bytes, max_out_bytes;
	bool is_empty;    /* not one byte */
	struct error err; /* set by a callback, which can only say "failed" */
	char buffer[STREAM_BUFFER_SIZE];
};

static la_ssize_t unpack_stream_read_blob(struct archive *a, void *arg, const void **ret)
{
	struct unpack_stream *s = arg;
	ssize_t n;

	do
		n = read(s->fd, s->buffer, sizeof(s->buffer));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		fail_errno(&s->err, E_INTERNAL, errno, "The layer cannot be read");
		archive_set_error(a, EIO, "read");
		return ARCHIVE_FATAL;
	}
	digest_add(s->blob, s->buffer, (size_t)n);
	s->in_bytes += n;
	*ret = s->buffer;
	return n;
}

static int unpack_stream_check_bomb(struct unpack_stream *s)
{
	if (s->out_bytes > s->max_out_bytes)
		return fail(&s->err, E_TOO_LARGE,
		            "The layer is too large when unpacked (setting images.layer_limit)");
	if (s->out_bytes > STREAM_RATIO_FREE && s->out_bytes / STREAM_RATIO_MAX > s->in_bytes)
		return fail(&s->err, E_TOO_LARGE,
		            "The layer is compressed more than %d times: a decompression bomb; "
		            "refused",
		            STREAM_RATIO_MAX);
	return 0;
}

/* The next piece of the plain tar: its length, 0 at the end, -1. */
static la_ssize_t unpack_stream_next(struct unpack_stream *s, const void **ret)
{
	size_t size = 0;
	la_int64_t offset;
	int rc;

	if (s->is_empty)
		return 0;
	do
		rc = archive_read_data_block(s->raw, ret, &size, &offset);
	while (rc == ARCHIVE_OK && size == 0);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK) {
		if (s->err.code == E_NONE)
			fail(&s->err, E_INVALID, "The layer's compressed data is damaged: %s",
			     archive_error_string(s->raw));
		return -1;
	}
	digest_add(s->diff, *ret, size);
	s->out_bytes += (int64_t)size;
	if (unpack_stream_check_bomb(s) < 0)
		return -1;
	return (la_ssize_t)size;
}

static la_ssize_t unpack_stream_read_tar(struct archive *a, void *arg, const void **ret)
{
	la_ssize_t n = unpack_stream_next(arg, ret);

	if (n < 0)
		archive_set_error(a, EIO, "read");
	return n < 0 ? ARCHIVE_FATAL : n;
}

static int unpack_stream_open_raw(struct unpack_stream *s, struct error *err)
{
	struct archive_entry *entry;
	int rc;

	archive_read_support_filter_gzip(s->raw);
	archive_read_support_filter_zstd(s->raw);
	archive_read_support_format_raw(s->raw);
	archive_read_support_format_empty(s->raw);
	rc = archive_read_open(s->raw, s, NULL, unpack_stream_read_blob, NULL);
	if (rc == ARCHIVE_OK)
		rc = archive_read_next_header(s->raw, &entry);
	s->is_empty = rc == ARCHIVE_EOF;
	if (rc == ARCHIVE_OK || rc == ARCHIVE_EOF || rc == ARCHIVE_WARN)
		return 0;
	if (s->err.code != E_NONE) {
		*err = s->err;
		return -1;
	}
	return fail(err, E_INVALID, "The layer cannot be read: %s", archive_error_string(s->raw));
}

int unpack_stream_open(int fd, int64_t max_bytes, struct unpack_stream **ret, struct error *err)
{
	struct unpack_stream *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->max_out_bytes = max_bytes + STREAM_HEADERS_MAX;
	s->blob = digest_new();
	s->diff = digest_new();
	s->raw = archive_read_new();
	s->tar = archive_read_new();
	if (!s->raw || !s->tar)
		BUG("archive_read_new failed");
	archive_read_support_format_tar(s->tar);
	archive_read_support_format_empty(s->tar);
	if (unpack_stream_open_raw(s, err) < 0 ||
	    archive_read_open(s->tar, s, NULL, unpack_stream_read_tar, NULL) != ARCHIVE_OK) {
		if (err->code == E_NONE)
			unpack_stream_fail(s, err);
		unpack_stream_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void unpack_stream_free(struct unpack_stream *s)
{
	if (!s)
		return;
	archive_read_free(s->tar);
	archive_read_free(s->raw);
	digest_free(s->blob);
	digest_free(s->diff);
	free(s);
}

struct archive *unpack_stream_tar(struct unpack_stream *s)
{
	return s->tar;
}

int unpack_stream_fail(struct unpack_stream *s, struct error *err)
{
	const char *why = archive_error_string(s->tar);

	if (s->err.code != E_NONE) {
		*err = s->err;
		return -1;
	}
	return fail(err, E_INVALID, "The layer is not a sound tar archive: %s",
	            why ? why : "unknown");
}

int unpack_stream_finish(struct unpack_stream *s, struct unpack_result *ret, struct error *err)
{
	const void *ignored;
	la_ssize_t n;

	while ((n = unpack_stream_next(s, &ignored)) > 0)
		;
	/* Whatever follows the compressed data belongs to the blob all the same. */
	while (n == 0 && (n = unpack_stream_read_blob(s->raw, s, &ignored)) > 0)
		n = 0;
	if (n < 0)
		return unpack_stream_fail(s, err);
	digest_finish(s->blob, ret->blob_digest);
	digest_finish(s->diff, ret->diff_id);
	ret->blob_bytes = s->in_bytes;
	return 0;
}

void unpack_stream_drain(struct unpack_stream *s, struct unpack_result *ret)
{
	const void *ignored;
	la_ssize_t n;

	do
		n = unpack_stream_read_blob(s->raw, s, &ignored);
	while (n > 0);
	if (n < 0)
		return;
	digest_finish(s->blob, ret->blob_digest);
	ret->blob_bytes = s->in_bytes;
}
