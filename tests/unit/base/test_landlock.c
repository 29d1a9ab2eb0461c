/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that confined itself can still open, and what it cannot. */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/landlock.h"
#include "base/memory.h"
#include "base/sandbox_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/hearth-test-XXXXXX";

static int make_root(void **state)
{
	static const char *const folders[] = {"in", "in/below", "read", "out"};
	static const char *const files[] = {"in/a", "read/a", "out/a"};

	if (!mkdtemp(root) || chdir(root) < 0)
		return -1;
	for (size_t i = 0; i < 4; i++)
		(void)mkdir(folders[i], 0755);
	for (size_t i = 0; i < 3; i++)
		(void)close(open(files[i], O_CREAT | O_WRONLY, 0644));
	return symlink("../out/a", "in/link");
}

static int drop_root(void **state)
{
	struct error err;

	return chdir("/") < 0 ? -1 : file_remove_tree(AT_FDCWD, root, &err);
}

/* 0, or errno. */
static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "# line %d: %s (%s)\n", __LINE__, #condition,        \
			              strerror(errno));                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void confine(bool may_connect)
{
	struct landlock landlock;
	struct error err;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(landlock_open(&landlock, may_connect, &err) == 0);
	CHECK(landlock_allow(&landlock, "in", LANDLOCK_MAY_WRITE, &err) == 0);
	CHECK(landlock_allow(&landlock, "read", LANDLOCK_MAY_READ, &err) == 0);
	CHECK(landlock_allow(&landlock, "missing", LANDLOCK_MAY_WRITE, &err) == 0);
	CHECK(landlock_allow(&landlock, "/dev/null", LANDLOCK_MAY_READ, &err) == 0);
	CHECK(landlock_enter(&landlock, &err) == 0);
	landlock_close(&landlock);
}

static void in_child(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void look_around(void)
{
	int held = open("out", O_RDONLY | O_DIRECTORY), file = open("out/a", O_RDWR);

	confine(false);
	CHECK(try_open("in/a", O_RDWR | O_TRUNC) == 0);
	CHECK(try_open("in/below/new", O_CREAT | O_EXCL | O_RDWR) == 0);
	CHECK(rename("in/below/new", "in/moved") == 0 && unlink("in/moved") == 0);
	CHECK(try_open("in", O_TMPFILE | O_RDWR) == 0);
	CHECK(try_open("read/a", O_RDONLY) == 0 && try_open("/dev/null", O_RDONLY) == 0);
	CHECK(try_open("read/a", O_WRONLY) == EACCES);
	CHECK(try_open("read/new", O_CREAT | O_RDWR) == EACCES);
	CHECK(unlink("read/a") < 0 && errno == EACCES);
	CHECK(try_open("out/a", O_RDONLY) == EACCES && try_open("in/link", O_RDONLY) == EACCES);
	CHECK(try_open("in/../out/a", O_RDONLY) == EACCES && try_open("out", O_RDONLY) == EACCES);
	CHECK(try_open("/etc/passwd", O_RDONLY) == EACCES);
	CHECK(openat(held, "a", O_RDONLY) < 0 && errno == EACCES);
	CHECK(rename("in/a", "out/b") < 0 && errno == EACCES);
	CHECK(link("out/a", "in/b") < 0 && (errno == EXDEV || errno == EACCES));
	CHECK(symlink("a", "in/other") < 0 && errno == EACCES);
	CHECK(mkfifo("in/fifo", 0644) < 0 && errno == EACCES);
	CHECK(write(file, "x", 1) == 1 && ftruncate(file, 0) == 0);
}

static void files_outside_are_gone(void **state)
{
	if (!landlock_is_there()) {
		SKIP_TEST("this kernel has no Landlock");
	}
	in_child(look_around);
}

static void *nothing(void *arg)
{
	return arg;
}

/* A Hub's client: threads, copies and sockets, but neither programs nor a port of its own. */
static void be_client(void)
{
	struct error err;
	pthread_t thread;
	char *const argv[] = {(char[]){"true"}, NULL};

	confine(true);
	CHECK(sandbox_filter_install_client(&err) == 0);
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	      errno == ECONNREFUSED);
	CHECK(listen(fd, 1) < 0 && errno == EPERM);
	CHECK(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM);
	pid_t pid = fork();
	if (pid == 0)
		_exit(listen(fd, 1) < 0 && errno == EPERM ? 0 : 1);
	int status = -1;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(execve("/bin/true", argv, NULL) < 0 && errno == EPERM);
	CHECK(unshare(CLONE_NEWNS) < 0 && errno == EPERM);
}

static void clients_connect_and_no_more(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	SKIP_TEST("the sanitizer needs system calls that are refused");
#endif
	in_child(be_client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(files_outside_are_gone),
	        cmocka_unit_test(clients_connect_and_no_more),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, drop_root);
}
