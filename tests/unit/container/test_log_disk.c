/* SPDX-License-Identifier: Apache-2.0 */
/* The log pump and the disk: the limit of a log, a disk that is full for a while or for long. */
#include "../unit.h"

#include "log_folder.h"

#include <sched.h>
#include <sys/mount.h>

/* 8 MiB through a limit of 1 MiB: head and tail are there, the gap says what is missing. */
static void test_limit(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 1024 * 1024);
	char line[64];
	autofree char *text = NULL, *gap = NULL;
	long long from, to, records, seen = 0;
	struct stat st;
	size_t len;
	int total = 100000;

	for (int i = 0; i < total; i++) {
		int n = snprintf(line, sizeof(line), "line %08d of the long story, padded\n", i);

		log_writer_feed(w, line, (size_t)n);
	}
	writer_end(w);
	assert_int_equal(fstatat(f->fd, "log", &st, 0), 0);
	assert_in_range(st.st_blocks * 512, 512 * 1024, 1024 * 1024 + 65536);
	text = text_read(f, "log", &len);
	gap = text_read(f, "log.gap", NULL);
	assert_int_equal(
	        sscanf(gap, "{\"from\":%lld,\"to\":%lld,\"records\":%lld}", &from, &to, &records),
	        3);
	assert_true(from > 512 * 1024 - 100 && from <= 512 * 1024);
	assert_true((long long)len - to <= 512 * 1024 && (long long)len - to > 400 * 1024);
	for (long long i = from; i < to; i++)
		assert_int_equal(text[i], 0);
	for (size_t at = 0; at < len;) {
		int number = -1;

		if ((long long)at == from) {
			at = (size_t)to;
			seen += records;
		}
		assert_int_equal(sscanf(text + at + LOG_PREFIX_LENGTH, "line %d of", &number), 1);
		assert_int_equal(number, seen);
		seen++;
		at = (size_t)((char *)memchr(text + at, '\n', len - at) + 1 - text);
	}
	assert_int_equal(seen, total);
}

static void test_under_the_limit(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = writer_open(f, 1024 * 1024);
	autofree char *line = xmalloc(1000);
	struct stat st;

	memset(line, 'u', 999);
	line[999] = '\n';
	for (int i = 0; i < 1024 * 1024 / 1017; i++)
		log_writer_feed(w, line, 1000);
	writer_end(w);
	assert_int_equal(fstatat(f->fd, "log.gap", &st, 0), -1);
}

/* A file system of 1 MiB; skipped without the right to mount. */
static bool tiny_disk(const struct folder *f)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", f->path, "tmpfs", 0, "size=1m") == 0;
}

static void test_disk_full(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = NULL;
	struct poller *poller;
	struct error err = ERROR_INIT;
	char line[128];
	autofree char *records = NULL;
	int in, out, filler, dir_fd;
	size_t n;

	if (!tiny_disk(f))
		SKIP_TEST("a small disk cannot be mounted here");
	dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(f->fd);
	f->fd = dir_fd;
	filler = openat(dir_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(filler, 0, 900 * 1024), 0);
	assert_int_equal(log_writer_open(dir_fd, 0, 60000, &w, &err), 0);
	poller = poller_new();
	assert_int_equal(log_writer_pipe(&in, &out, &err), 0);
	log_writer_attach(w, poller, in);
	memset(line, 'd', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 4000; i++)
		assert_int_equal(write(out, line, sizeof(line)), sizeof(line));
	for (int i = 0; i < 10; i++)
		poller_turn(poller, 10);
	assert_true(log_writer_bytes(w) < 200 * 1024);
	/* Room again: everything comes, nothing twice. */
	assert_int_equal(ftruncate(filler, 0), 0);
	close(filler);
	pump(poller, w, 4000 * (int64_t)(sizeof(line) + LOG_PREFIX_LENGTH), 5000);
	close(out);
	assert_int_equal(log_writer_finish(w, &err), 0);
	log_writer_free(w);
	poller_free(poller);
	records = records_read(f, &n);
	assert_int_equal(n, 4000 * (sizeof(line) + 2));
	close(dir_fd);
	assert_int_equal(umount2(f->path, MNT_DETACH), 0);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_disk_stays_full(void **state)
{
	struct folder *f = *state;
	struct log_writer *w = NULL;
	struct error err = ERROR_INIT;
	char line[128];
	autofree char *records = NULL;
	long kept = 0, told = 0;
	int filler, dir_fd;
	size_t n;

	if (!tiny_disk(f))
		SKIP_TEST("a small disk cannot be mounted here");
	dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(f->fd);
	f->fd = dir_fd;
	filler = openat(dir_fd, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(filler, 0, 900 * 1024), 0);
	assert_int_equal(log_writer_open(dir_fd, 0, 50, &w, &err), 0);
	memset(line, 'd', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 4000; i++)
		log_writer_feed(w, line, sizeof(line));
	assert_int_equal(ftruncate(filler, 0), 0);
	close(filler);
	log_writer_feed(w, "after\n", 6);
	assert_int_equal(log_writer_finish(w, &err), 0);
	log_writer_free(w);
	records = records_read(f, &n);
	for (char *at = records; at < records + n; at = strchr(at, '\n') + 1) {
		if (at[0] == 'o' && at[2] == 'd')
			kept++;
		if (at[0] == 's') {
			long more = 0;

			assert_int_equal(sscanf(at, "s ===== The disk was full: %ld lines", &more),
			                 1);
			told += more;
		}
	}
	assert_true(told > 0);
	assert_int_equal(kept + told, 4000);
	assert_string_equal(records + n - 8, "o after\n");
	close(dir_fd);
	assert_int_equal(umount2(f->path, MNT_DETACH), 0);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

#define T(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(test_limit),
	        T(test_under_the_limit),
	        T(test_disk_full),
	        T(test_disk_stays_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
