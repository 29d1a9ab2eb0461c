/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the namespaces by a short-lived child: it is born in them, waits until its maps are written
 * and its namespaces opened, and is killed. The descriptors keep them alive.
 */
#include "container/user_namespace.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int write_map(int proc_fd, const char *name, uint32_t first_id, struct error *err)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "0 %u %d\n", first_id, USER_NAMESPACE_IDS);
	autoclose int fd = openat(proc_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return fail_errno(err, E_INTERNAL, errno,
		                  "cannot map the ids %u to %u into a user namespace", first_id,
		                  first_id + USER_NAMESPACE_IDS - 1);
	return 0;
}

static int open_namespaces(pid_t pid, uint32_t first_id, struct user_namespace *ret,
                           struct error *err)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	autoclose int proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open %s", path);
	if (write_map(proc_fd, "uid_map", first_id, err) ||
	    write_map(proc_fd, "gid_map", first_id, err))
		return -1;
	autoclose int user_fd = openat(proc_fd, "ns/user", O_RDONLY | O_CLOEXEC);
	autoclose int network_fd = openat(proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
	if (user_fd < 0 || network_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot open the job's namespaces");
	ret->user_fd = take_fd(&user_fd);
	ret->network_fd = take_fd(&network_fd);
	return 0;
}

int user_namespace_create(uint32_t first_id, struct user_namespace *ret, struct error *err)
{
	/* Like fork(), but born in the new namespaces. */
	long pid =
	        syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		for (;;)
			(void)syscall(SYS_pause);
	}
	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot make a user namespace");
	int rc = open_namespaces((pid_t)pid, first_id, ret, err);
	(void)kill((pid_t)pid, SIGKILL);
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}

void user_namespace_close(struct user_namespace *ns)
{
	if (ns->user_fd >= 0)
		(void)close(ns->user_fd);
	if (ns->network_fd >= 0)
		(void)close(ns->network_fd);
	ns->user_fd = ns->network_fd = -1;
}
