/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "image/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ % 256;                                                     \
	} while (0)

/* Runs inside; the line of the first surprise, or 0. */
static int look_around(int dir_fd)
{
	struct error err = ERROR_INIT;
	struct stat st;

	CHECK(sandbox_enter(dir_fd, &err) == 0);
	CHECK(getpid() == 1 && getuid() == 0);
	/* the folder is all there is */
	CHECK(open("/etc/passwd", O_RDONLY) < 0 && open("/../etc/passwd", O_RDONLY) < 0);
	CHECK(open("/proc/self/root", O_RDONLY) < 0 && stat("/inside", &st) == 0);
	/* what it is for works */
	int fd = open("/file", O_WRONLY | O_CREAT, 0600);

	CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fchown(fd, 65535, 65535) == 0);
	CHECK(fchmod(fd, 04755) == 0 && mknod("/whiteout", S_IFCHR, makedev(0, 0)) == 0);
	CHECK(fchown(fd, 65536, 0) < 0);
	CHECK(mknod("/null", S_IFCHR | 0666, makedev(1, 3)) < 0);
	/* the rest does not */
	CHECK(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
	CHECK(chroot("/") < 0 && errno == EPERM);
	CHECK(mount("none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	CHECK(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	CHECK(setresuid(1, 1, 1) < 0);
	CHECK(fork() < 0 && errno == EPERM);
	CHECK(execl("/file", "file", NULL) < 0 && errno == EPERM);
	return 0;
}

static void test_unpacker(void **state)
{
	char path[] = "/var/tmp/hearth-sandbox.XXXXXX";
	struct error err = ERROR_INIT;
	int dir_fd = -1, status = 0;
	struct stat st;

	if (geteuid() != 0)
		SKIP_TEST("only root can make a sandbox");
	assert_non_null(mkdtemp(path));
	assert_int_equal(file_open_dir(path, 0700, &dir_fd, &err), 0);
	assert_int_equal(mkdirat(dir_fd, "inside", 0700), 0);
	pid_t pid = sandbox_fork(&err);

	if (pid < 0)
		fail_msg("%s", err.text);
	if (pid == 0)
		_exit(look_around(dir_fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("signal %d, or surprise in line %d", WTERMSIG(status),
		         WEXITSTATUS(status));
	assert_int_equal(fstatat(dir_fd, "file", &st, 0), 0);
	assert_int_equal(st.st_uid, 65535);
	close(dir_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, path, &err), 0);
}

static int look_as_fetcher(int kept, int other)
{
	struct error err = ERROR_INIT;

	sandbox_keep_fds(&kept, 1);
	CHECK(sandbox_become("nobody", &err) == 0);
	CHECK(getuid() != 0 && geteuid() == getuid() && getgid() != 0 && getgroups(0, NULL) == 0);
	CHECK(setuid(0) < 0 && seteuid(0) < 0);
	CHECK(fcntl(kept, F_GETFD) >= 0 && fcntl(other, F_GETFD) < 0);
	CHECK(open("/etc/shadow", O_RDONLY) < 0);
	return 0;
}

static void test_fetcher(void **state)
{
	struct error err = ERROR_INIT;
	int kept = dup(0), other = dup(0), status = 0;

	if (geteuid() != 0)
		SKIP_TEST("only root can make a sandbox");
	pid_t pid = sandbox_fork_plain(&err);

	if (pid == 0)
		_exit(look_as_fetcher(kept, other));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(kept);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_unpacker),
	        cmocka_unit_test(test_fetcher),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
