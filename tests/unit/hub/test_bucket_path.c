/* SPDX-License-Identifier: Apache-2.0 */
/* Names from strangers: which are taken, and that none leads out of its bucket. */
#include "vectors.h"

#include "hub/bucket_path.h"

#include <errno.h>
#include <sys/stat.h>

static void paths_that_are_fine(void **state)
{
	static const char *const FINE[] = {"a",
	                                   "script.py",
	                                   "20260901T101500-a1b2c3/script.py",
	                                   "a/b/c",
	                                   ".keep",
	                                   ".hearth",
	                                   "...",
	                                   "..a",
	                                   "a..",
	                                   "a b",
	                                   "-x",
	                                   "~",
	                                   "a\\b",
	                                   "f\xc3\xbc/\xe2\x82\xac",
	                                   "\xc2\xa0",
	                                   "CON",
	                                   "a:b",
	                                   "*?<>|\"'$`",
	                                   "a/.b/..c"};
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < sizeof(FINE) / sizeof(FINE[0]); i++) {
		if (bucket_path_check(FINE[i], &err) < 0)
			fail_msg("%s: %s", FINE[i], err.text);
	}
}

static const struct {
	const char *path, *reason;
} REFUSED[] = {
        {"", "path must not be empty"},
        {"/", "path must not begin or end with '/' nor have two of them together"},
        {"/etc/passwd", "path must not begin or end with '/' nor have two of them together"},
        {"a/", "path must not begin or end with '/' nor have two of them together"},
        {"a//b", "path must not begin or end with '/' nor have two of them together"},
        {".", "no part of path may be '.' or '..'"},
        {"..", "no part of path may be '.' or '..'"},
        {"../x", "no part of path may be '.' or '..'"},
        {"a/../../x", "no part of path may be '.' or '..'"},
        {"a/./b", "no part of path may be '.' or '..'"},
        {"a/..", "no part of path may be '.' or '..'"},
        {".hearth-x", "no part of path may begin with '.hearth-'"},
        {"a/.hearth-", "no part of path may begin with '.hearth-'"},
        {"a\nb", "path must be UTF-8 text without control characters"},
        {"a\x01", "path must be UTF-8 text without control characters"},
        {"a\x7f", "path must be UTF-8 text without control characters"},
        {"a\xc2\x85", "path must be UTF-8 text without control characters"},
        {"a\xff", "path must be UTF-8 text without control characters"},
        {"\xc0\xaf", "path must be UTF-8 text without control characters"},
        {"\xc0\xae\xc0\xae/x", "path must be UTF-8 text without control characters"},
        {"\xed\xa0\x80", "path must be UTF-8 text without control characters"},
};

static void paths_that_are_not(void **state)
{
	for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++) {
		struct error err = ERROR_INIT;

		assert_int_equal(bucket_path_check(REFUSED[i].path, &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_string_equal(err.text, REFUSED[i].reason);
	}
}

static void lengths(void **state)
{
	char path[BUCKET_PATH_MAX + 2];
	struct error err = ERROR_INIT;

	memset(path, 'x', sizeof(path));
	path[255] = '\0';
	assert_int_equal(bucket_path_check(path, &err), 0);
	path[255] = 'x';
	path[256] = '\0';
	assert_int_equal(bucket_path_check(path, &err), -1);
	assert_string_equal(err.text, "each part of path may have at most 255 bytes");
	path[256] = 'x';
	for (size_t i = 100; i < sizeof(path); i += 100)
		path[i] = '/';
	path[BUCKET_PATH_MAX] = '\0';
	assert_int_equal(bucket_path_check(path, &err), 0);
	path[BUCKET_PATH_MAX] = 'x';
	path[BUCKET_PATH_MAX + 1] = '\0';
	assert_int_equal(bucket_path_check(path, &err), -1);
	assert_string_equal(err.text, "path may have at most 1024 bytes");
}

static void bucket_names(void **state)
{
	static const char *const FINE[] = {"a", "jobs-artifacts", "A.b_c-9", "0", "x.."};
	static const char *const WRONG[] = {"",   ".",   "..",  ".tmp",     "-a",
	                                    "_a", "a/b", "a b", "\xc3\xbc", "a\n"};
	struct error err = ERROR_INIT;
	char name[BUCKET_NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(FINE) / sizeof(FINE[0]); i++)
		assert_int_equal(bucket_name_check(FINE[i], &err), 0);
	for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
		assert_int_equal(bucket_name_check(WRONG[i], &err), -1);
		assert_int_equal(err.code, E_INVALID);
		assert_non_null(strstr(err.text, "the bucket's name"));
	}
	memset(name, 'n', sizeof(name));
	name[BUCKET_NAME_MAX] = '\0';
	assert_int_equal(bucket_name_check(name, &err), 0);
	name[BUCKET_NAME_MAX] = 'n';
	name[BUCKET_NAME_MAX + 1] = '\0';
	assert_int_equal(bucket_name_check(name, &err), -1);
}

/* ---- opening ------------------------------------------------------------------------------ */

struct place {
	char folder[64];
	int fd; /* of the bucket, FOLDER/bucket */
};

static void make_file(int dir_fd, const char *path, const char *text)
{
	autoclose int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int make_place(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));

	strncpy(place->folder, "/tmp/hearth-bucket-XXXXXX", sizeof(place->folder) - 1);
	assert_non_null(mkdtemp(place->folder));
	autoclose int top = open(place->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(mkdirat(top, "bucket", 0700), 0);
	make_file(top, "secret", "outside");
	place->fd = openat(top, "bucket", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
	make_file(place->fd, "folder/file", "inside");
	assert_int_equal(symlinkat("folder/file", place->fd, "link"), 0);
	assert_int_equal(symlinkat("folder", place->fd, "link-folder"), 0);
	assert_int_equal(symlinkat("../secret", place->fd, "link-out"), 0);
	assert_int_equal(symlinkat("/", place->fd, "link-root"), 0);
	*state = place;
	return 0;
}

static int drop_place(void **state)
{
	static const char *const NAMES[] = {"folder/file", "folder/new", "link",
	                                    "link-folder", "link-out",   "link-root"};
	struct place *place = *state;
	char path[128];

	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
		(void)unlinkat(place->fd, NAMES[i], 0);
	(void)unlinkat(place->fd, "folder", AT_REMOVEDIR);
	(void)close(place->fd);
	(void)snprintf(path, sizeof(path), "%s/bucket", place->folder);
	(void)rmdir(path);
	(void)snprintf(path, sizeof(path), "%s/secret", place->folder);
	(void)unlink(path);
	(void)rmdir(place->folder);
	free(place);
	return 0;
}

static void opens_what_is_inside(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;
	char text[16] = "";
	autoclose int file = -1, made = -1;

	assert_int_equal(bucket_open(place->fd, "folder/file", O_RDONLY, &file, &err), 0);
	assert_int_equal(read(file, text, sizeof(text)), 6);
	assert_string_equal(text, "inside");
	assert_int_equal(fcntl(file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(
	        bucket_open(place->fd, "folder/new", O_WRONLY | O_CREAT | O_EXCL, &made, &err), 0);
}

/* Would wait for ever for somebody who writes. */
static void a_pipe_does_not_stop_us(void **state)
{
	struct place *place = *state;
	struct error err = ERROR_INIT;
	autoclose int fd = -1;
	int none = -1;

	assert_int_equal(mkfifoat(place->fd, "folder/new", 0600), 0);
	assert_int_equal(bucket_open(place->fd, "folder/new", O_WRONLY, &none, &err), -1);
	assert_int_equal(err.code, E_NOT_FOUND);
	assert_int_equal(bucket_open(place->fd, "folder/new", O_RDONLY, &fd, &err), 0);
}

static void nothing_outside(void **state)
{
	static const char *const PATHS[] = {"none",
	                                    "folder/none",
	                                    "folder/file/x",
	                                    "link",
	                                    "link-folder/file",
	                                    "link-out",
	                                    "link-root/etc/passwd",
	                                    "../secret",
	                                    "folder/../../secret",
	                                    "/etc/passwd",
	                                    "link-root/proc/self"};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
		struct error err = ERROR_INIT;
		int fd = -1;

		assert_int_equal(bucket_open(place->fd, PATHS[i], O_RDONLY, &fd, &err), -1);
		assert_int_equal(fd, -1);
		assert_int_equal(err.code, E_NOT_FOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(paths_that_are_fine),
	        cmocka_unit_test(paths_that_are_not),
	        cmocka_unit_test(lengths),
	        cmocka_unit_test(bucket_names),
	        cmocka_unit_test_setup_teardown(opens_what_is_inside, make_place, drop_place),
	        cmocka_unit_test_setup_teardown(a_pipe_does_not_stop_us, make_place, drop_place),
	        cmocka_unit_test_setup_teardown(nothing_outside, make_place, drop_place),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
