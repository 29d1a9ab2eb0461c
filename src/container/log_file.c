/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending to `log`, and its limit. To know where records begin without reading the file again, a
 * boundary is remembered every 1/32 of the limit; the hole grows from one such mark to the next.
 * `log.gap` is replaced before the hole is made, so a reader who looks there after it met a NUL
 * byte always finds the reason.
 */
#include "container/log_file.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOLE_ALIGN (64 * 1024)

int log_file_open(struct log_file *f, int dir_fd, int64_t limit_bytes, struct error *err)
{
	struct stat st;
	int fd =
	        openat(dir_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "the log cannot be made");
	/* The umask must not take the group's right to read away. */
	if (fchmod(fd, 0640) < 0 || fstat(fd, &st) < 0) {
		close(fd);
		return fail_errno(err, E_INTERNAL, errno, "the log cannot be made");
	}
	if (limit_bytes > 0 && limit_bytes < LOG_LIMIT_MIN)
		limit_bytes = LOG_LIMIT_MIN;
	*f = (struct log_file){
	        .dir_fd = dir_fd,
	        .fd = fd,
	        .size = st.st_size,
	        .limit_bytes = limit_bytes,
	        .next_mark = limit_bytes > 0 ? limit_bytes / 2 + 1 : INT64_MAX,
	        .from = {.offset = -1},
	        .is_punching = true,
	};
	return 0;
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void log_file_mark(struct log_file *f, int64_t start, int64_t end, int64_t records)
{
	if (f->from.offset < 0) {
		f->from = (struct log_mark){start, records};
		f->to = f->from;
	}
	f->marks[f->n_marks++ % LOG_MARKS] = (struct log_mark){end, records + 1};
	f->next_mark = end + f->limit_bytes / 32;
}

/* The first mark with at most half the limit behind it. */
static const struct log_mark *mark_for_tail(const struct log_file *f)
{
	const struct log_mark *found = NULL;
	size_t count = f->n_marks < LOG_MARKS ? f->n_marks : LOG_MARKS;

	for (size_t i = 0; i < count; i++) {
		const struct log_mark *mark = &f->marks[(f->n_marks - 1 - i) % LOG_MARKS];

		if (mark->offset > f->size)
			continue;
		if (found && f->size - mark->offset > f->limit_bytes / 2)
			break;
		found = mark;
	}
	return found;
}

static void gap_write(const struct log_file *f)
{
	char text[160];
	struct error err = ERROR_INIT;
	int len = snprintf(text, sizeof(text),
	                   "{\"from\":%" PRId64 ",\"to\":%" PRId64 ",\"records\":%" PRId64 "}\n",
	                   f->from.offset, f->to.offset, f->to.records - f->from.records);

	if (file_write_atomic(f->dir_fd, "log.gap", text, (size_t)len, 0640, false, &err) < 0)
		log_warning("log.gap: %s", err.text);
}

static void trim(struct log_file *f)
{
	const struct log_mark *mark;
	int64_t from;

	if (f->from.offset < 0 || f->from.offset + f->size - f->to.offset <= f->limit_bytes)
		return;
	mark = mark_for_tail(f);
	if (!mark || mark->offset <= f->to.offset)
		return;
	/* Once more from a block's beginning: the last hole ended inside of that block. */
	from = f->to.offset & ~(int64_t)(HOLE_ALIGN - 1);
	if (from < f->from.offset)
		from = f->from.offset;
	f->to = *mark;
	gap_write(f);
	if (f->is_punching && fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
	                                f->to.offset - from) < 0) {
		log_warning("the log's limit cannot free space on this file system: %s",
		            strerror(errno));
		f->is_punching = false;
	}
}

size_t log_file_append(struct log_file *f, const char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(f->fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	f->size += (int64_t)done;
	if (f->limit_bytes > 0) {
		int saved = errno;

		trim(f);
		errno = saved;
	}
	return done;
}

void log_file_truncate(struct log_file *f, int64_t bytes)
{
	if (bytes > 0 && ftruncate(f->fd, f->size - bytes) == 0)
		f->size -= bytes;
	while (f->n_marks > 0 && f->marks[(f->n_marks - 1) % LOG_MARKS].offset > f->size)
		f->n_marks--;
	if (f->limit_bytes > 0) {
		f->next_mark = f->size + f->limit_bytes / 32;
		if (f->from.offset > f->size)
			f->from.offset = -1;
		if (f->from.offset < 0)
			f->next_mark = f->limit_bytes / 2 + 1;
	}
}
