/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cutting the job's output into records. The input buffer holds at most one piece plus one read, so
 * the pending beginning of a line is moved at most once per read. A line is cut when it is known to
 * be longer than a piece, its \r included: that depends on the bytes only, not on how they came.
 */
#include "container/log_splitter.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT_WHEN_QUIET 16384

static char *pages_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		BUG("no memory for the log: %s", strerror(errno));
	return p;
}

void log_splitter_init(struct log_splitter *s)
{
	*s = (struct log_splitter){.prefix_ms = -1, .mark_at = INT64_MAX};
	/* Address space only: pages come when bytes do. */
	s->in = pages_new(LOG_IN_SIZE);
	s->out = pages_new(LOG_OUT_SIZE);
}

void log_splitter_clear(struct log_splitter *s)
{
	if (s->in)
		munmap(s->in, LOG_IN_SIZE);
	if (s->out)
		munmap(s->out, LOG_OUT_SIZE);
	*s = (struct log_splitter){0};
}

void log_splitter_shrink(struct log_splitter *s)
{
	if (s->out_len == 0)
		(void)madvise(s->out + KEPT_WHEN_QUIET, LOG_OUT_SIZE - KEPT_WHEN_QUIET,
		              MADV_DONTNEED);
	if (s->end <= KEPT_WHEN_QUIET)
		(void)madvise(s->in + KEPT_WHEN_QUIET, LOG_IN_SIZE - KEPT_WHEN_QUIET,
		              MADV_DONTNEED);
}

char *log_splitter_space(struct log_splitter *s, size_t *ret_room)
{
	if (s->start > 0) {
		memmove(s->in, s->in + s->start, s->end - s->start);
		s->scan -= s->start;
		s->end -= s->start;
		s->start = 0;
	}
	*ret_room = LOG_IN_SIZE - s->end;
	if (*ret_room > LOG_READ_SIZE)
		*ret_room = LOG_READ_SIZE;
	return s->in + s->end;
}

void log_splitter_added(struct log_splitter *s, size_t count)
{
	s->end += count;
}

void log_splitter_time(struct log_splitter *s, int64_t now_ms)
{
	if (now_ms == s->prefix_ms)
		return;
	s->prefix_ms = now_ms;
	for (int i = 12; i >= 0; i--, now_ms /= 10)
		s->prefix[i] = (char)('0' + now_ms % 10);
	s->prefix[13] = s->prefix[15] = ' ';
}

/* The caller has made sure that it fits. */
static void record_add(struct log_splitter *s, char kind, const char *text, size_t len)
{
	char *at = s->out + s->out_len;
	int64_t start = s->out_base + (int64_t)s->out_len;
	int64_t end = start + LOG_PREFIX_LENGTH + (int64_t)len + 1;

	memcpy(at, s->prefix, LOG_PREFIX_LENGTH);
	at[14] = kind;
	memcpy(at + LOG_PREFIX_LENGTH, text, len);
	at[LOG_PREFIX_LENGTH + len] = '\n';
	s->out_len += LOG_PREFIX_LENGTH + len + 1;
	if (end >= s->mark_at)
		s->mark(s->mark_arg, start, end, s->records);
	s->records++;
}

static bool fits(const struct log_splitter *s, size_t len)
{
	return LOG_OUT_SIZE - s->out_len >= LOG_PREFIX_LENGTH + len + 1;
}

/* How many of the last bytes of text[0, len) are the beginning of an unfinished UTF-8 character. */
static size_t unfinished_tail(const char *text, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)text[len - back];
		size_t need;

		if ((c & 0xc0) == 0x80)
			continue;
		need = c >= 0xf0 && c <= 0xf4   ? 4
		       : c >= 0xe0 && c <= 0xef ? 3
		       : c >= 0xc2 && c <= 0xdf ? 2
		                                : 1;
		return need > back ? back : 0;
	}
	return 0;
}

static void piece_add(struct log_splitter *s)
{
	const char *text = s->in + s->start;
	size_t len = LOG_PIECE_MAX;
	size_t tail = unfinished_tail(text, len);

	/* Keep the character together only if it goes on behind the cut. */
	if (tail > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len -= tail;
	record_add(s, LOG_KIND_CONTINUED, text, len);
	s->start += len;
	s->is_continued = true;
	s->is_flushed = false;
}

static void line_add(struct log_splitter *s, const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\r')
		len--;
	/* The newline of a line that was already written. */
	if (len > 0 || !s->is_flushed)
		record_add(s, LOG_KIND_LINE, text, len);
	s->is_flushed = false;
	s->is_continued = false;
}

bool log_splitter_run(struct log_splitter *s)
{
	for (;;) {
		const char *text = s->in + s->start;
		const char *newline = memchr(s->in + s->scan, '\n', s->end - s->scan);
		size_t len = newline ? (size_t)(newline - text) : s->end - s->start;

		s->scan = s->start + len;
		if (len > LOG_PIECE_MAX) {
			if (!fits(s, LOG_PIECE_MAX))
				return false;
			piece_add(s);
			continue;
		}
		if (!newline)
			return true;
		if (!fits(s, len))
			return false;
		line_add(s, text, len);
		s->start += len + 1;
		s->scan = s->start;
	}
}

size_t log_splitter_pending(const struct log_splitter *s)
{
	return s->end - s->start;
}

bool log_splitter_can_flush(const struct log_splitter *s)
{
	size_t len = s->end - s->start;

	return len > unfinished_tail(s->in + s->start, len);
}

void log_splitter_flush(struct log_splitter *s, bool is_end)
{
	const char *text = s->in + s->start;
	size_t len = s->end - s->start;

	if (!is_end)
		len -= unfinished_tail(text, len);
	if (len == 0)
		return;
	line_add(s, text, len);
	s->start += len;
	s->scan = s->end;
	s->is_flushed = !is_end;
}

bool log_splitter_system(struct log_splitter *s, const char *text)
{
	size_t len = strnlen(text, 4096);
	char *at;

	if (!fits(s, LOG_PREFIX_LENGTH + 1 + len))
		return false;
	if (s->is_continued) {
		/* A record of another kind may not stand inside of a cut line: end it here. */
		record_add(s, LOG_KIND_LINE, "", 0);
		s->is_continued = false;
		s->is_flushed = true;
	}
	at = s->out + s->out_len + LOG_PREFIX_LENGTH;
	record_add(s, LOG_KIND_SYSTEM, text, len);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)at[i] < ' ')
			at[i] = ' ';
	}
	return true;
}
