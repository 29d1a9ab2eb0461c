/* SPDX-License-Identifier: Apache-2.0 */
/* The upper layer is measured in the monitor while it is small, in a child when it is not: both
 * have to see the same. */
#include "base/clock.h"
#include "container/poller.h"
#include "container/storage_watch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES 8192

struct tree {
	char path[24];
	int fd;
	struct storage_watch *watch;
	int64_t bytes;
	int n_exceeded;
};

static void add_file(const struct tree *t, const char *name)
{
	static const char data[FILE_BYTES];
	int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_int_equal(write(fd, data, sizeof(data)), sizeof(data));
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

static void count(struct tree *t, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(t->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	t->bytes += st.st_blocks * 512;
}

static void count_exceeded(void *arg)
{
	((struct tree *)arg)->n_exceeded++;
}

static void tree_open(struct tree *t, int n_files)
{
	char name[48];

	(void)snprintf(t->path, sizeof(t->path), "storage-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->fd, "folder", 0755), 0);
	assert_int_equal(mkdirat(t->fd, "folder/below", 0755), 0);
	for (int i = 0; i < n_files; i++) {
		(void)snprintf(name, sizeof(name), "folder/below/%d", i);
		add_file(t, name);
		count(t, name);
	}
	/* Two names of one file, and a link that leads out of the tree. */
	assert_int_equal(linkat(t->fd, "folder/below/0", t->fd, "again", 0), 0);
	assert_int_equal(symlinkat("/", t->fd, "out"), 0);
	count(t, "out");
	count(t, "folder/below");
	count(t, "folder");
	count(t, ".");
}

static void tree_close(struct tree *t)
{
	char command[256];

	storage_watch_free(t->watch);
	(void)snprintf(command, sizeof(command), "rm -r %s", t->path);
	FILE *shell = popen(command, "r");
	assert_int_equal(pclose(shell), 0);
}

static void test_small_and_large(void **state)
{
	struct tree trees[3] = {{.n_exceeded = 0}};
	static const int n_files[] = {3, 200, 3};
	struct poller *poller = poller_new();
	int64_t end_ms = clock_monotonic_ms() + 20000;

	for (int i = 0; i < 3; i++) {
		tree_open(&trees[i], n_files[i]);
		/* The last one has too much in it. */
		trees[i].watch = storage_watch_new(poller, trees[i].fd,
		                                   i == 2 ? FILE_BYTES : INT64_C(1) << 40,
		                                   count_exceeded, &trees[i]);
	}
	for (int i = 0; i < 3; i++) {
		while (storage_watch_bytes(trees[i].watch) == 0 && clock_monotonic_ms() < end_ms)
			poller_turn(poller, 100);
		assert_int_equal(storage_watch_bytes(trees[i].watch), trees[i].bytes);
		assert_int_equal(trees[i].n_exceeded, i == 2);
	}
	for (int i = 0; i < 3; i++)
		tree_close(&trees[i]);
	poller_free(poller);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_small_and_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
