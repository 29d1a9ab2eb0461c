/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the log share: a folder, a writer, reading records back. */
#ifndef HEARTH_TESTS_LOG_FOLDER_H
#define HEARTH_TESTS_LOG_FOLDER_H

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "container/log_format.h"
#include "container/log_writer.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
	char path[64];
	int fd;
};

static inline int folder_make(void **state)
{
	struct folder *f = xcalloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/hearth-log-test.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	*state = f;
	return 0;
}

static inline int folder_remove(void **state)
{
	struct folder *f = *state;
	struct error err = ERROR_INIT;

	assert_int_equal(file_remove_tree(AT_FDCWD, f->path, &err), 0);
	close(f->fd);
	free(f);
	return 0;
}

static inline struct log_writer *writer_open(const struct folder *f, int64_t limit)
{
	struct log_writer *w = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(log_writer_open(f->fd, limit, 0, &w, &err), 0);
	return w;
}

static inline void writer_end(struct log_writer *w)
{
	struct error err = ERROR_INIT;

	assert_int_equal(log_writer_finish(w, &err), 0);
	log_writer_free(w);
}

static inline char *text_read(const struct folder *f, const char *name, size_t *ret_len)
{
	struct buffer text = BUFFER_INIT(256 * 1024 * 1024);
	struct error err = ERROR_INIT;

	assert_int_equal(file_read(f->fd, name, &text, &err), 0);
	if (ret_len)
		*ret_len = text.len;
	return buffer_take(&text);
}

/* The log without its timestamps: "<kind> <text>\n" per record. Checks the form of each. */
static inline char *records_read(const struct folder *f, size_t *ret_len)
{
	size_t len, out = 0;
	char *text = text_read(f, "log", &len);

	for (char *at = text; at < text + len;) {
		char *end = memchr(at, '\n', (size_t)(text + len - at));
		size_t n;

		assert_non_null(end);
		assert_true(end - at >= LOG_PREFIX_LENGTH);
		assert_true(end - at <= LOG_PREFIX_LENGTH + LOG_PIECE_MAX);
		for (int i = 0; i < 13; i++)
			assert_true(at[i] >= '0' && at[i] <= '9');
		assert_true(at[13] == ' ' && at[15] == ' ');
		n = (size_t)(end + 1 - at) - 14;
		memmove(text + out, at + 14, n);
		out += n;
		at = end + 1;
	}
	text[out] = '\0';
	*ret_len = out;
	return text;
}

static inline void pump(struct poller *poller, struct log_writer *w, int64_t until_bytes,
                        int64_t ms)
{
	int64_t end = clock_monotonic_ms() + ms;

	while (log_writer_bytes(w) < until_bytes && clock_monotonic_ms() < end)
		poller_turn(poller, 20);
}

#endif
