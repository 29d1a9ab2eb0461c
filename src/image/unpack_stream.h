/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From compressed bytes to tar entries, hashed on both sides of the decompression and bounded (S18).
 */
#ifndef HEARTH_IMAGE_UNPACK_STREAM_H
#define HEARTH_IMAGE_UNPACK_STREAM_H

#include "base/error.h"
#include "image/unpack.h"

#include <archive.h>

struct unpack_stream;

int unpack_stream_open(int fd, int64_t max_bytes, struct unpack_stream **ret, struct error *err);
void unpack_stream_free(struct unpack_stream *stream);
/* The tar reader; borrowed. */
struct archive *unpack_stream_tar(struct unpack_stream *stream);
/* Explain a failure of the tar reader. Returns -1. */
int unpack_stream_fail(struct unpack_stream *stream, struct error *err);
/* Read what is left behind the last entry and fill digests and sizes. */
int unpack_stream_finish(struct unpack_stream *stream, struct unpack_result *ret, struct error *err);
/* After a failure: read and hash the rest of the blob, to tell damage on the way from a bad layer. */
void unpack_stream_drain(struct unpack_stream *stream, struct unpack_result *ret);

#endif
