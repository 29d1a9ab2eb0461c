/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting hearth-monitor and hearth-pull. A child gets its few descriptors, a fresh signal state
 * and an environment made here; nothing of the spawner's own leaks into it.
 *
 * Until it has become the program, a child borrows the spawner's memory, on a stack of its own, and
 * the spawner waits (as posix_spawn() does it): copying the address space takes longer than all of
 * the rest. So a child must not allocate, and every signal is blocked, as in all of the spawner.
 */
#include "server/spawner_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRONMENT_MAX 16
#define SEARCH_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define LIFTED_MIN 16
#define CHILD_STACK_SIZE (64 * 1024)

/* What of the environment passes on: to both, or to pulls only (the way to registries). */
static const char *const passed[] = {"JOURNAL_STREAM", "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL};
static const char *const passed_to_pull[] = {"http_proxy",   "https_proxy", "no_proxy",
                                             "HTTPS_PROXY",  "NO_PROXY",    "SSL_CERT_FILE",
                                             "SSL_CERT_DIR", "all_proxy",   NULL};

struct start {
	const char *program;
	const char *config_path;
	int dir_fd; /* working directory; -1: / */
	int pair_fd, extra_fd;
	int flags; /* of clone() */
	const char *const *passed;
	char *environment[ENVIRONMENT_MAX];
};

static size_t environment_add(struct start *start, size_t count, const char *const *names)
{
	for (; names && *names && count < ENVIRONMENT_MAX - 1; names++) {
		const char *value = getenv(*names);

		if (value)
			start->environment[count++] = xasprintf("%s=%s", *names, value);
	}
	return count;
}

static void environment_make(struct start *start)
{
	size_t count = 0;

	start->environment[count++] = xstrdup(SEARCH_PATH);
	count = environment_add(start, count, passed);
	(void)environment_add(start, count, start->passed);
}

static void environment_clear(struct start *start)
{
	for (size_t i = 0; i < ENVIRONMENT_MAX; i++)
		free(start->environment[i]);
}

void spawner_child_reset(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Sources above the numbers that are filled, so that no filling overwrites a later source. */
static int descriptors_place(const struct start *start)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pair_fd = fcntl(start->pair_fd, F_DUPFD_CLOEXEC, LIFTED_MIN);
	int extra_fd =
	        start->extra_fd < 0 ? -1 : fcntl(start->extra_fd, F_DUPFD_CLOEXEC, LIFTED_MIN);

	if (null_fd < 0 || pair_fd < 0 || (start->extra_fd >= 0 && extra_fd < 0))
		return -1;
	if (dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0 || dup2(pair_fd, 3) < 0)
		return -1;
	if (extra_fd >= 0 && dup2(extra_fd, 4) < 0)
		return -1;
	return close_range(extra_fd >= 0 ? 5 : 4, ~0U, 0);
}

static int start_child(void *arg)
{
	const struct start *start = arg;
	const char *argv[] = {start->program, "--config", start->config_path, NULL};

	spawner_child_reset();
	(void)setsid();
	if (descriptors_place(start) == 0)
		(void)execve(start->program, (char *const *)argv, start->environment);
	log_error("cannot start %s: %s", start->program, strerror(errno));
	_exit(127);
}

static int start_process(struct start *start, struct error *err)
{
	static char stack[CHILD_STACK_SIZE] __attribute__((aligned(64)));
	int pid;

	/* Before the clone: the kernel carries the working directory over into the new mount
	 * namespace, but no descriptor, and overlayfs refuses layers of another namespace. */
	if (start->dir_fd >= 0 ? fchdir(start->dir_fd) < 0 : chdir("/") < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot enter the attempt folder");
	environment_make(start);
	pid = clone(start_child, stack + sizeof(stack),
	            CLONE_VM | CLONE_VFORK | SIGCHLD | start->flags, start);
	if (pid < 0)
		fail_errno(err, E_UNAVAILABLE, errno, "cannot start %s", start->program);
	environment_clear(start);
	(void)!chdir("/");
	return pid < 0 ? -1 : 0;
}

int spawner_start_monitor(const struct spawner *s, int dir_fd, int pair_fd, struct error *err)
{
	struct start start = {
	        .program = s->monitor,
	        .config_path = s->config_path,
	        .dir_fd = dir_fd,
	        .pair_fd = pair_fd,
	        .extra_fd = -1,
	        .flags = CLONE_NEWPID | CLONE_NEWNS,
	};

	return start_process(&start, err);
}

int spawner_start_pull(const struct spawner *s, int pair_fd, int extra_fd, struct error *err)
{
	struct start start = {
	        .program = s->pull,
	        .config_path = s->config_path,
	        .dir_fd = -1,
	        .pair_fd = pair_fd,
	        .extra_fd = extra_fd,
	        .passed = passed_to_pull,
	};

	return start_process(&start, err);
}
