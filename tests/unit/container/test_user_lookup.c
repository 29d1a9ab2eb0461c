/* SPDX-License-Identifier: Apache-2.0 */
/* Users of hostile and ordinary images, and files written into their roots. */
#include "base/cleanup.h"
#include "base/file.h"
#include "container/root_files.h"
#include "container/user_lookup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static int root_fd;
static char root_path[] = "/tmp/hearth-test.XXXXXX";

static void put(const char *path, const char *text)
{
	struct error err = ERROR_INIT;
	autoclose int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text), &err), 0);
}

static int set_up(void **state)
{
	if (!mkdtemp(root_path) ||
	    (root_fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	return mkdirat(root_fd, "etc", 0755);
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)close(root_fd);
	return file_remove_tree(AT_FDCWD, root_path, &err);
}

static const char passwd[] = "# a comment\n"
                             "root:x:0:0:root:/root:/bin/sh\n"
                             "broken line\n"
                             "nobody:x:65534:65534::relative/home:/bin/sh\n"
                             "far:x:70000:70000::/:\n"
                             "user:x:1000:1001:A User:/home/user:/bin/sh";
static const char group[] = "root:x:0:\nstaff:x:50:other,user\naudio:x:29:user,\nnope:x:51:user2\n"
                            "far:x:70000:user\nmain:x:1001:user\n";

static void test_names_and_numbers(void **state)
{
	struct user_lookup user;
	struct error err = ERROR_INIT;

	put("etc/passwd", passwd);
	put("etc/group", group);
	assert_int_equal(user_lookup(root_fd, "user", &user, &err), 0);
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 1001);
	assert_string_equal(user.home, "/home/user");
	assert_int_equal(user.n_groups, 2); /* not 70000, which the job does not have */
	assert_int_equal(user.groups[0], 50);
	assert_int_equal(user.groups[1], 29);

	assert_int_equal(user_lookup(root_fd, "1000", &user, &err), 0);
	assert_int_equal(user.gid, 1001);
	assert_int_equal(user_lookup(root_fd, "user:staff", &user, &err), 0);
	assert_int_equal(user.gid, 50);
	assert_int_equal(user.n_groups, 0);
	assert_int_equal(user_lookup(root_fd, "", &user, &err), 0);
	assert_int_equal(user.uid, 0);
	assert_string_equal(user.home, "/root");
	assert_int_equal(user_lookup(root_fd, "nobody", &user, &err), 0);
	assert_string_equal(user.home, "/");
	assert_int_equal(user_lookup(root_fd, "12:34", &user, &err), 0);
	assert_int_equal(user.uid, 12);
	assert_int_equal(user.gid, 34);
}

static void test_unknown(void **state)
{
	static const char *const bad[] = {"stranger", "user:strangers", "far",
	                                  "70000",    "0:70000",        "-1",
	                                  ":",        "root:x:0",       "4294967296"};
	struct user_lookup user;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		if (strcmp(bad[i], ":") == 0)
			continue; /* nothing at all is root */
		assert_int_equal(user_lookup(root_fd, bad[i], &user, &err), -1);
		assert_int_equal(err.code, E_INVALID);
	}
}

static void test_hostile_files(void **state)
{
	struct user_lookup user;
	struct error err = ERROR_INIT;

	/* A link out of the root, a pipe that would block, and a file too large for memory. */
	assert_int_equal(unlinkat(root_fd, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("../../../../../../etc/passwd", root_fd, "etc/passwd"), 0);
	assert_int_equal(unlinkat(root_fd, "etc/group", 0), 0);
	assert_int_equal(mkfifoat(root_fd, "etc/group", 0644), 0);
	assert_int_equal(user_lookup(root_fd, "daemon", &user, &err), -1);
	assert_int_equal(user_lookup(root_fd, "5", &user, &err), 0);
	assert_int_equal(unlinkat(root_fd, "etc/passwd", 0), 0);
	put("etc/passwd", passwd);
	autoclose int fd = openat(root_fd, "etc/passwd", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1LL << 30), 0);
	assert_int_equal(user_lookup(root_fd, "user", &user, &err), -1);
	assert_int_equal(unlinkat(root_fd, "etc/passwd", 0), 0);
	assert_int_equal(unlinkat(root_fd, "etc/group", 0), 0);
	assert_int_equal(user_lookup(root_fd, "", &user, &err), 0);
	assert_string_equal(user.home, "/");
}

static void test_folders_stay_in_the_root(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;

	assert_int_equal(symlinkat("/../../../../tmp", root_fd, "out"), 0);
	assert_int_equal(root_files_make_dir(root_fd, "/a/b/../c/./d/", 0, &err), 0);
	assert_int_equal(fstatat(root_fd, "a/c/d", &st, 0), 0);
	assert_int_equal(root_files_make_dir(root_fd, "/../../x", 0, &err), 0);
	assert_int_equal(fstatat(root_fd, "x", &st, 0), 0);
	assert_int_equal(mkdirat(root_fd, "tmp", 0755), 0);
	assert_int_equal(root_files_make_dir(root_fd, "/out/inside", 0, &err), 0);
	assert_int_equal(fstatat(root_fd, "tmp/inside", &st, 0), 0);
	assert_int_equal(symlinkat("/nowhere", root_fd, "dangling"), 0);
	assert_int_equal(root_files_make_dir(root_fd, "/dangling", 0, &err), -1);
	assert_string_equal(err.text, "/dangling is not a folder in the image");
}

static void test_files_replace_links(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;
	autobuffer struct buffer text = BUFFER_INIT(100);

	put("victim", "precious");
	assert_int_equal(symlinkat("/victim", root_fd, "etc/hosts"), 0);
	assert_int_equal(root_files_write(root_fd, "/etc", "hosts", "ours", 0, &err), 0);
	assert_int_equal(fstatat(root_fd, "etc/hosts", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	root_files_read(root_fd, "/victim", &text);
	assert_string_equal(buffer_text(&text), "precious");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_names_and_numbers),
	        cmocka_unit_test(test_unknown),
	        cmocka_unit_test(test_hostile_files),
	        cmocka_unit_test(test_folders_stay_in_the_root),
	        cmocka_unit_test(test_files_replace_links),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
