/* SPDX-License-Identifier: Apache-2.0 */
/* The log pump: the same records for every chunking, partial lines, pieces, system lines. */
#include "log_folder.h"

/* What the job wrote, put together again from records. */
static char *lines_read(const struct folder *f, size_t *ret_len)
{
	size_t len, out = 0;
	char *text = records_read(f, &len);

	for (char *at = text; at < text + len;) {
		char *end = memchr(at, '\n', (size_t)(text + len - at));
		char kind = at[0];
		size_t n = (size_t)(end - at) - 2;

		memmove(text + out, at + 2, n);
		out += n;
		if (kind != LOG_KIND_CONTINUED)
			text[out++] = '\n';
		at = end + 1;
	}
	*ret_len = out;
	return text;
}

static void expect_records(const struct folder *f, const char *input, size_t len,
                           const char *expected)
{
	struct log_writer *w = writer_open(f, 0);
	autofree char *records = NULL;
	size_t n;

	log_writer_feed(w, input, len);
	writer_end(w);
	records = records_read(f, &n);
	assert_string_equal(records, expected);
	assert_int_equal(unlinkat(f->fd, "log", 0), 0);
}

#define EXPECT(input, expected) expect_records(*state, input, sizeof(input) - 1, expected)

static void test_lines(void **state)
{
	EXPECT("", "");
	EXPECT("\n", "o \n");
	EXPECT("a\nb\n", "o a\no b\n");
	EXPECT("a\n\nb", "o a\no \no b\n");
	EXPECT("dos\r\ntwo\r\r\nbar\r10%\r20%\n", "o dos\no two\r\no bar\r10%\r20%\n");
	EXPECT("\r\n", "o \n");
	EXPECT("bad \xff\xfe\x80 utf-8\n", "o bad \xff\xfe\x80 utf-8\n");
}

static void test_bytes_of_all_kinds(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	char input[512], *lines;
	size_t len = 0, n;

	for (int i = 0; i < 256; i++) {
		if (i != '\n')
			input[len++] = (char)i;
		if (i % 16 == 15)
			input[len++] = '\n';
	}
	log_writer_feed(w, input, len);
	writer_end(w);
	lines = lines_read(f, &n);
	assert_int_equal(n, len);
	assert_memory_equal(lines, input, len);
	free(lines);
}

/* Deterministic noise: short and long lines, multi-byte characters, cuts. */
static char *noise_make(size_t *ret_len)
{
	static const char *const words[] = {
	        "x",  "hello ", "\xc3\xa4",         "\xe2\x82\xac", "\xf0\x9f\x94\xa5",
	        "\r", "\n",     "0123456789abcdef", "\xff",         "\n\n"};
	struct buffer b = BUFFER_INIT(64 * 1024 * 1024);
	uint32_t seed = 12345;

	for (int i = 0; i < 60000; i++) {
		seed = seed * 1103515245u + 12345u;
		(void)buffer_add_text(&b, words[(seed >> 16) % 10]);
		if (i % 20000 == 10000) {
			for (int k = 0; k < 60000; k++)
				(void)buffer_add_text(&b, words[2 + k % 3]);
		}
	}
	*ret_len = b.len;
	return buffer_take(&b);
}

static void test_chunking(void **state)
{
	static const size_t sizes[] = {1, 7, 4096, 65536, 65537, 131072, 1u << 30};
	struct folder *f = *state;
	size_t len, n, expected_len = 0;
	autofree char *input = noise_make(&len);
	autofree char *expected = NULL;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct log_writer *w = writer_open(f, 0);
		char *records;

		for (size_t at = 0; at < len; at += sizes[i])
			log_writer_feed(w, input + at, len - at < sizes[i] ? len - at : sizes[i]);
		writer_end(w);
		records = records_read(f, &n);
		assert_int_equal(unlinkat(f->fd, "log", 0), 0);
		if (!expected) {
			expected = records;
			expected_len = n;
			continue;
		}
		assert_int_equal(n, expected_len);
		assert_memory_equal(records, expected, n);
		free(records);
	}
}

static void test_ten_megabytes(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	size_t len = 10 * 1024 * 1024, n;
	autofree char *input = xmalloc(len + 1);
	autofree char *lines = NULL;

	for (size_t i = 0; i < len; i++)
		input[i] = (char)('!' + i % 90);
	input[len] = '\n';
	log_writer_feed(w, input, len + 1);
	writer_end(w);
	lines = lines_read(f, &n);
	assert_int_equal(n, len + 1);
	assert_memory_equal(lines, input, n);
}

/* Exactly at and around the size of a piece, and never inside of a character. */
static void test_pieces(void **state)
{
	struct folder *f = *state;

	for (size_t len = LOG_PIECE_MAX - 2; len <= LOG_PIECE_MAX + 2; len++) {
		struct log_writer *w = writer_open(f, 0);
		autofree char *input = xmalloc(len + 1);
		autofree char *records = NULL;
		const char *cut;
		size_t n;

		memset(input, 'a', len);
		memcpy(input + LOG_PIECE_MAX - 2, "\xe2\x82\xac",
		       len - (LOG_PIECE_MAX - 2) < 3 ? len - (LOG_PIECE_MAX - 2) : 3);
		input[len] = '\n';
		log_writer_feed(w, input, len + 1);
		writer_end(w);
		records = records_read(f, &n);
		cut = memchr(records, '\n', n);
		if (len <= LOG_PIECE_MAX) {
			assert_int_equal(records[0], LOG_KIND_LINE);
			assert_ptr_equal(cut, records + n - 1);
		} else {
			assert_int_equal(records[0], LOG_KIND_CONTINUED);
			assert_int_equal(cut - records, 2 + LOG_PIECE_MAX - 2);
			assert_memory_equal(cut + 1, "o \xe2\x82\xac", 5);
		}
		assert_int_equal(unlinkat(f->fd, "log", 0), 0);
	}
}

static void test_partial_line(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	int64_t now = clock_monotonic_ms();
	autofree char *records = NULL;
	size_t n;

	assert_int_equal(log_writer_tick(w, now), -1);
	log_writer_feed(w, "Password: \xe2\x82", 12);
	assert_in_range(log_writer_tick(w, now + 10), now + 990, now + 1500);
	assert_int_equal(log_writer_bytes(w), 0);
	/* Written without the unfinished character, which nothing is waited for. */
	assert_int_equal(log_writer_tick(w, now + 1500), -1);
	assert_int_equal(log_writer_bytes(w), LOG_PREFIX_LENGTH + 10 + 1);
	log_writer_feed(w, "\xac rest\n", 7);
	log_writer_feed(w, "again", 5);
	(void)log_writer_tick(w, clock_monotonic_ms() + 1500);
	/* Its newline ends what was written; it is not an empty line. */
	log_writer_feed(w, "\nlast", 5);
	writer_end(w);
	records = records_read(f, &n);
	assert_string_equal(records, "o Password: \no \xe2\x82\xac rest\no again\no last\n");
}

static void test_system_lines(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	autofree char *big = xmalloc(LOG_PIECE_MAX + 10);
	autofree char *records = NULL;
	size_t n;

	memset(big, 'z', LOG_PIECE_MAX + 10);
	log_writer_system(w, "===== Job started =====");
	log_writer_feed(w, big, LOG_PIECE_MAX + 10);
	log_writer_system(w, "two\nlines");
	log_writer_feed(w, "\nx\n", 3);
	writer_end(w);
	records = records_read(f, &n);
	assert_memory_equal(records, "s ===== Job started =====\nc zzz", 31);
	/* A cut line is ended before another kind of record. */
	assert_string_equal(records + n - 32, "o \ns two lines\no zzzzzzzzzz\no x\n");
}

static void test_pipe(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	struct poller *poller = poller_new();
	struct error err = ERROR_INIT;
	autofree char *records = NULL;
	int in, out;
	size_t n;

	assert_int_equal(log_writer_pipe(&in, &out, &err), 0);
	log_writer_attach(w, poller, in);
	assert_int_equal(write(out, "one\ntwo", 7), 7);
	pump(poller, w, LOG_PREFIX_LENGTH + 4, 500);
	assert_int_equal(log_writer_bytes(w), LOG_PREFIX_LENGTH + 4);
	/* Alone for a second: written by the writer's own timer. */
	pump(poller, w, 2 * (LOG_PREFIX_LENGTH + 4), 3000);
	assert_int_equal(log_writer_bytes(w), 2 * (LOG_PREFIX_LENGTH + 4));
	assert_int_equal(write(out, "\nthree\nfour", 11), 11);
	/* Drained at the end although nobody turned the poller, and a writer is still there. */
	assert_int_equal(log_writer_finish(w, &err), 0);
	close(out);
	log_writer_free(w);
	poller_free(poller);
	records = records_read(f, &n);
	assert_string_equal(records, "o one\no two\no three\no four\n");
}

static void test_memory_is_given_back(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 0);
	autofree char *line = xmalloc(1 << 20);

	memset(line, 'm', 1 << 20);
	log_writer_feed(w, line, 1 << 20);
	log_writer_feed(w, "\nkept", 5);
	/* Shrinks, and the pending text survives it. */
	(void)log_writer_tick(w, clock_monotonic_ms() + 5000);
	log_writer_feed(w, " more\n", 6);
	writer_end(w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(test_lines),
	        T(test_bytes_of_all_kinds),
	        T(test_chunking),
	        T(test_ten_megabytes),
	        T(test_pieces),
	        T(test_partial_line),
	        T(test_system_lines),
	        T(test_pipe),
	        T(test_memory_is_given_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
