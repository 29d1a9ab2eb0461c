/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed logs: independent zstd frames of 1 MiB of log each. A few decoded frames are kept for
 * all readers together; they go with the last reader of their log. */
#include "job/log_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#define CACHED_FRAMES 8
#define FRAME_HEAD_MAX 18 /* RFC 8878, 3.1.1 */
#define INDEX_MAX (16 * 1024 * 1024)

static struct frame {
	const struct log_source *source; /* NULL: free */
	size_t number, len;
	uint64_t used;
	char *data;
} frames[CACHED_FRAMES];
static uint64_t use_count;

static int open_part(const struct log_source *source, const char *file)
{
	char path[SPAWN_NAME_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/%s", source->name, file);
	return openat(source->attempts_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static bool load_index(struct log_source *source, int fd, int index_fd)
{
	struct stat st, index_st;
	if (fstat(fd, &st) < 0 || fstat(index_fd, &index_st) < 0 || index_st.st_size > INDEX_MAX ||
	    index_st.st_size < 8)
		return false;
	size_t n = (size_t)index_st.st_size / sizeof(uint64_t);
	autofree uint64_t *offsets = xcalloc(n + 1, sizeof(*offsets));
	if (!file_read_at(index_fd, offsets, n * sizeof(*offsets), 0))
		return false;
	for (size_t i = 0; i < n; i++)
		offsets[i] = le64toh(offsets[i]);
	offsets[n] = (uint64_t)st.st_size;
	for (size_t i = 0; i < n; i++)
		if (offsets[i] >= offsets[i + 1])
			return false;
	char head[FRAME_HEAD_MAX];
	uint64_t last_len = offsets[n] - offsets[n - 1];
	size_t head_len = last_len < sizeof(head) ? (size_t)last_len : sizeof(head);
	if (!file_read_at(fd, head, head_len, (int64_t)offsets[n - 1]))
		return false;
	unsigned long long last = ZSTD_getFrameContentSize(head, head_len);
	if (last > LOG_FRAME_SIZE)
		return false;
	source->n_frames = n;
	source->size = (int64_t)(n - 1) * LOG_FRAME_SIZE + (int64_t)last;
	source->frames = take_ptr(&offsets);
	return true;
}

bool log_frames_open(struct log_source *source)
{
	autoclose int fd = open_part(source, "log.zst");
	autoclose int index_fd = open_part(source, "log.zst.index");
	if (fd < 0 || index_fd < 0)
		return false;
	if (!load_index(source, fd, index_fd)) {
		log_warning("log of attempt %s: log.zst or its index is damaged", source->name);
		return false;
	}
	source->fd = take_fd(&fd);
	return true;
}

static bool decode(const struct log_source *source, size_t number, struct frame *frame)
{
	static ZSTD_DCtx *context;
	uint64_t offset = source->frames[number];
	uint64_t packed_len = source->frames[number + 1] - offset;
	if (packed_len > ZSTD_compressBound(LOG_FRAME_SIZE))
		return false;
	autofree char *packed = xmalloc((size_t)packed_len);
	if (!file_read_at(source->fd, packed, (size_t)packed_len, (int64_t)offset))
		return false;
	if (!context)
		context = ZSTD_createDCtx();
	if (!frame->data)
		frame->data = xmalloc(LOG_FRAME_SIZE);
	size_t n = ZSTD_decompressDCtx(context, frame->data, LOG_FRAME_SIZE, packed,
	                               (size_t)packed_len);
	if (ZSTD_isError(n) || (number + 1 < source->n_frames && n != LOG_FRAME_SIZE))
		return false;
	frame->len = n;
	return true;
}

/* NULL when the frame is damaged. */
static const struct frame *get_frame(const struct log_source *source, size_t number)
{
	struct frame *oldest = &frames[0];
	for (struct frame *frame = frames; frame < frames + CACHED_FRAMES; frame++) {
		if (frame->source == source && frame->number == number) {
			frame->used = ++use_count;
			return frame;
		}
		if (frame->used < oldest->used)
			oldest = frame;
	}
	oldest->source = NULL;
	oldest->used = 0;
	if (!decode(source, number, oldest)) {
		log_warning("log of attempt %s: frame %zu is damaged", source->name, number);
		return NULL;
	}
	oldest->source = source;
	oldest->number = number;
	oldest->used = ++use_count;
	return oldest;
}

size_t log_frames_read(struct log_source *source, int64_t offset, char *data, size_t max)
{
	size_t done = 0;
	while (done < max && offset < source->size) {
		const struct frame *frame = get_frame(source, (size_t)(offset / LOG_FRAME_SIZE));
		size_t skip = (size_t)(offset % LOG_FRAME_SIZE);
		if (!frame || skip >= frame->len)
			break;
		size_t n = frame->len - skip < max - done ? frame->len - skip : max - done;
		memcpy(data + done, frame->data + skip, n);
		done += n;
		offset += (int64_t)n;
	}
	return done;
}

void log_frames_forget(const struct log_source *source)
{
	for (struct frame *frame = frames; frame < frames + CACHED_FRAMES; frame++) {
		if (frame->source != source)
			continue;
		free(frame->data);
		*frame = (struct frame){0};
	}
}
