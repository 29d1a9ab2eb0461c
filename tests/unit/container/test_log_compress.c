/* SPDX-License-Identifier: Apache-2.0 */
/* log.zst: independent frames with an index; unpacked they are the log byte by byte. */
#include "log_folder.h"

#include <zstd.h>

static void log_fill(const struct folder *f, int64_t limit, int lines)
{
	struct log_writer *w = writer_open(f, limit);
	char line[64];

	for (int i = 0; i < lines; i++) {
		int n = snprintf(line, sizeof(line), "step %08d loss %d\n", i, i * 7919 % 1000);

		log_writer_feed(w, line, (size_t)n);
	}
	writer_end(w);
}

static bool exists(const struct folder *f, const char *name)
{
	struct stat st;

	return fstatat(f->fd, name, &st, 0) == 0;
}

/* Each frame by itself, as a reader who seeks does it. */
static void expect_same(const struct folder *f, const char *text, size_t len)
{
	size_t packed_len, index_len;
	autofree char *packed = text_read(f, "log.zst", &packed_len);
	autofree char *index_text = text_read(f, "log.zst.index", &index_len);
	autofree char *frame = xmalloc(LOG_FRAME_SIZE);
	const uint64_t *index = (const uint64_t *)(const void *)index_text;
	size_t frames = (len + LOG_FRAME_SIZE - 1) / LOG_FRAME_SIZE;

	assert_int_equal(index_len, frames * sizeof(uint64_t));
	for (size_t i = frames; i-- > 0;) {
		size_t end = i + 1 < frames ? index[i + 1] : packed_len;
		size_t want = i + 1 < frames ? LOG_FRAME_SIZE : len - i * LOG_FRAME_SIZE;
		size_t n =
		        ZSTD_decompress(frame, LOG_FRAME_SIZE, packed + index[i], end - index[i]);

		assert_int_equal(n, want);
		assert_memory_equal(frame, text + i * LOG_FRAME_SIZE, n);
	}
}

static void test_frames(void **state)
{
	struct folder *f = *state;
	struct error err = ERROR_INIT;
	autofree char *text = NULL;
	size_t len;

	log_fill(f, 0, 100000);
	text = text_read(f, "log", &len);
	assert_true(len > 3 * LOG_FRAME_SIZE);
	assert_int_equal(log_compress(f->fd, &err), 0);
	assert_false(exists(f, "log"));
	assert_false(exists(f, "log.zst.new"));
	expect_same(f, text, len);
}

static void test_small_stays_plain(void **state)
{
	struct folder *f = *state;
	struct error err = ERROR_INIT;

	log_fill(f, 0, 100);
	assert_int_equal(log_compress(f->fd, &err), 0);
	assert_true(exists(f, "log"));
	assert_false(exists(f, "log.zst"));
}

static void test_gap(void **state)
{
	struct folder *f = *state;
	struct error err = ERROR_INIT;
	autofree char *text = NULL;
	size_t len;

	log_fill(f, 256 * 1024, 150000);
	text = text_read(f, "log", &len);
	assert_true(len > 5 * LOG_FRAME_SIZE);
	assert_int_equal(log_compress(f->fd, &err), 0);
	assert_true(exists(f, "log.gap"));
	expect_same(f, text, len);
}

static void test_failure_keeps_the_log(void **state)
{
	struct folder *f = *state;
	struct error err = ERROR_INIT;

	log_fill(f, 0, 10000);
	/* In the way of the result. */
	assert_int_equal(mkdirat(f->fd, "log.zst", 0700), 0);
	assert_int_equal(log_compress(f->fd, &err), -1);
	assert_true(exists(f, "log"));
	assert_false(exists(f, "log.zst.new"));
	assert_false(exists(f, "log.zst.index"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(test_frames),
	        T(test_small_stays_plain),
	        T(test_gap),
	        T(test_failure_keeps_the_log),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
