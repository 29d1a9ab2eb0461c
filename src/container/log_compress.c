/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log → log.zst + log.zst.index after the end of an attempt (log_format.h). libzstd is loaded only
 * here, so that a running monitor neither maps nor relocates it; without it logs stay as they are.
 * Frames of nothing but the gap are compressed once and repeated.
 */
#include "container/log_writer.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "container/log_format.h"

#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zstd.h>

#define COMPRESS_MIN (64 * 1024)
#define COMPRESS_LEVEL 3

struct zstd {
	void *library;
	__typeof__(ZSTD_createCCtx) *context_new;
	__typeof__(ZSTD_freeCCtx) *context_free;
	__typeof__(ZSTD_compressCCtx) *compress;
	__typeof__(ZSTD_isError) *is_error;
	__typeof__(ZSTD_compressBound) *bound;
};

struct compression {
	struct zstd zstd;
	ZSTD_CCtx *context;
	int in_fd, out_fd, index_fd;
	int64_t size, gap_from, gap_to;
	char *text, *packed;
	size_t packed_max;
	char *hole; /* a frame of zeros, once one was needed */
	size_t hole_len;
	uint64_t offset;
};

static int zstd_load(struct zstd *z, struct error *err)
{
	z->library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!z->library)
		return fail(err, E_UNSUPPORTED,
		            "libzstd.so.1 is not installed: the log stays plain");
	*(void **)&z->context_new = dlsym(z->library, "ZSTD_createCCtx");
	*(void **)&z->context_free = dlsym(z->library, "ZSTD_freeCCtx");
	*(void **)&z->compress = dlsym(z->library, "ZSTD_compressCCtx");
	*(void **)&z->is_error = dlsym(z->library, "ZSTD_isError");
	*(void **)&z->bound = dlsym(z->library, "ZSTD_compressBound");
	if (!z->context_new || !z->context_free || !z->compress || !z->is_error || !z->bound)
		return fail(err, E_UNSUPPORTED,
		            "libzstd.so.1 lacks a function: the log stays plain");
	return 0;
}

static void compression_clear(struct compression *c)
{
	if (c->context)
		c->zstd.context_free(c->context);
	if (c->zstd.library)
		dlclose(c->zstd.library);
	if (c->in_fd >= 0)
		close(c->in_fd);
	if (c->out_fd >= 0)
		close(c->out_fd);
	if (c->index_fd >= 0)
		close(c->index_fd);
	free(c->text);
	free(c->packed);
	free(c->hole);
}

static void gap_read(int dir_fd, struct compression *c)
{
	autojson json_t *gap = NULL;
	struct error ignored = ERROR_INIT;

	if (json_read_file(dir_fd, "log.gap", 4096, &gap, &ignored) < 0)
		return;
	c->gap_from = json_get_int(gap, "from", 0);
	c->gap_to = json_get_int(gap, "to", 0);
}

static int pack(struct compression *c, size_t len, size_t *ret_len, struct error *err)
{
	size_t n = c->zstd.compress(c->context, c->packed, c->packed_max, c->text, len,
	                            COMPRESS_LEVEL);

	if (c->zstd.is_error(n))
		return fail(err, E_INTERNAL, "the log cannot be compressed");
	*ret_len = n;
	return 0;
}

static int frame_add(struct compression *c, int64_t at, struct error *err)
{
	size_t len = c->size - at < LOG_FRAME_SIZE ? (size_t)(c->size - at) : LOG_FRAME_SIZE;
	bool is_hole =
	        len == LOG_FRAME_SIZE && at >= c->gap_from && at + LOG_FRAME_SIZE <= c->gap_to;
	const char *frame = c->packed;
	uint64_t entry = htole64(c->offset);
	size_t packed = 0;

	if (is_hole && c->hole) {
		frame = c->hole;
		packed = c->hole_len;
	} else {
		if (!file_read_at(c->in_fd, c->text, len, at))
			return fail(err, E_INTERNAL, "the log cannot be read again");
		if (pack(c, len, &packed, err) < 0)
			return -1;
		if (is_hole) {
			c->hole = xmalloc(packed);
			memcpy(c->hole, c->packed, packed);
			c->hole_len = packed;
		}
	}
	if (file_write_all(c->out_fd, frame, packed, err) < 0 ||
	    file_write_all(c->index_fd, &entry, sizeof(entry), err) < 0)
		return -1;
	c->offset += packed;
	return 0;
}

static int file_new(int dir_fd, const char *name, int *ret_fd, struct error *err)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0 || fchmod(fd, 0640) < 0) {
		int saved = errno;

		if (fd >= 0)
			close(fd);
		return fail_errno(err, E_INTERNAL, saved, "%s cannot be made", name);
	}
	*ret_fd = fd;
	return 0;
}

static int compress_all(int dir_fd, struct compression *c, struct error *err)
{
	if (zstd_load(&c->zstd, err) < 0)
		return -1;
	gap_read(dir_fd, c);
	c->context = c->zstd.context_new();
	c->packed_max = c->zstd.bound(LOG_FRAME_SIZE);
	c->text = xmalloc(LOG_FRAME_SIZE);
	c->packed = xmalloc(c->packed_max);
	if (file_new(dir_fd, "log.zst.new", &c->out_fd, err) < 0 ||
	    file_new(dir_fd, "log.zst.index", &c->index_fd, err) < 0)
		return -1;
	for (int64_t at = 0; at < c->size; at += LOG_FRAME_SIZE) {
		if (frame_add(c, at, err) < 0)
			return -1;
	}
	if (fdatasync(c->out_fd) < 0 || fdatasync(c->index_fd) < 0 ||
	    renameat(dir_fd, "log.zst.new", dir_fd, "log.zst") < 0)
		return fail_errno(err, E_INTERNAL, errno, "log.zst cannot be made durable");
	if (file_sync_dir(dir_fd, err) < 0)
		return -1;
	if (unlinkat(dir_fd, "log", 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "the plain log cannot be removed");
	return 0;
}

int log_compress(int dir_fd, struct error *err)
{
	struct compression c = {.in_fd = -1, .out_fd = -1, .index_fd = -1};
	struct stat st;
	int result;

	c.in_fd = openat(dir_fd, "log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (c.in_fd < 0 || fstat(c.in_fd, &st) < 0) {
		(void)fail_errno(err, E_INTERNAL, errno, "the log cannot be read");
		compression_clear(&c);
		return -1;
	}
	c.size = st.st_size;
	result = c.size > COMPRESS_MIN ? compress_all(dir_fd, &c, err) : 0;
	compression_clear(&c);
	if (result < 0) {
		(void)unlinkat(dir_fd, "log.zst.new", 0);
		(void)unlinkat(dir_fd, "log.zst", 0);
		(void)unlinkat(dir_fd, "log.zst.index", 0);
	}
	return result;
}
