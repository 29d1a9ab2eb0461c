/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See the header. The unpacker reads bytes of strangers with libarchive; if it is taken over, the
 * intruder finds a folder that it may fill, no network, no other process, no other file, and root's
 * name only inside a user namespace without the capabilities to mount or to load anything.
 */
#include "image/sandbox.h"

#include "base/cleanup.h"
#include "base/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SANDBOX_MEMORY_MAX (UINT64_C(2) << 30)
#define SANDBOX_CPU_MAX_S 3600
#define SANDBOX_FILES_MAX 1024

#define SANDBOX_FLAGS                                                                              \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

/* What it takes to give files to their owners; nothing else. */
static const int sandbox_capabilities[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                           CAP_SETFCAP};

static int sandbox_write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	size_t len = strlen(text);

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static int sandbox_map_ids(pid_t pid, struct error *err)
{
	char uids[64] = "0 0 65536\n", gids[64] = "0 0 65536\n";

	if (geteuid() != 0) {
		snprintf(uids, sizeof(uids), "0 %u 1\n", geteuid());
		snprintf(gids, sizeof(gids), "0 %u 1\n", getegid());
		if (sandbox_write_proc(pid, "setgroups", "deny") < 0)
			return fail_errno(err, E_INTERNAL, errno, "Unpacking: setgroups");
	}
	if (sandbox_write_proc(pid, "uid_map", uids) < 0 ||
	    sandbox_write_proc(pid, "gid_map", gids) < 0)
		return fail_errno(err, E_INTERNAL, errno,
		                  "Unpacking: the ids 0 to 65535 cannot be mapped");
	return 0;
}

/* A parent that dies takes the child along: nobody would read its result. */
static void sandbox_begin(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
}

pid_t sandbox_fork(struct error *err)
{
	int ready[2];
	char byte = 0;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: pipe");
	autoclose int in = ready[0];
	autoclose int out = ready[1];
	pid_t pid = (pid_t)syscall(SYS_clone, SANDBOX_FLAGS | SIGCHLD, 0, 0, 0, 0);

	if (pid < 0)
		return fail_errno(err, E_INTERNAL, errno,
		                  "Unpacking needs namespaces of its own, which are refused here");
	if (pid == 0) {
		sandbox_begin();
		close(take_fd(&out));
		/* no byte: the parent could not map the ids, or is gone */
		if (read(in, &byte, 1) != 1)
			_exit(1);
		return 0;
	}
	if (sandbox_map_ids(pid, err) < 0 || write(out, "x", 1) != 1) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return -1;
	}
	return pid;
}

/* The folder, bound onto itself, becomes the whole file system. */
static int sandbox_change_root(int dir_fd, struct error *err)
{
	struct mount_attr attr = {.attr_set =
	                                  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	char path[PATH_MAX];

	if (fchdir(dir_fd) < 0 || !getcwd(path, sizeof(path)))
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: the folder");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(path, path, NULL, MS_BIND, NULL) < 0 || chdir(path) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: mount");
	/* Only a further fence, which some mounts do not allow. */
	(void)mount_setattr(AT_FDCWD, ".", 0, &attr, sizeof(attr));
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: pivot_root");
	return 0;
}

static int sandbox_limit_capabilities(struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t mask = 0;

	for (size_t i = 0; i < sizeof(sandbox_capabilities) / sizeof(int); i++)
		mask |= UINT64_C(1) << sandbox_capabilities[i];
	for (int cap = 0; cap < 64; cap++) {
		if (!(mask >> cap & 1) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	for (int i = 0; i < 2; i++)
		data[i].permitted = data[i].effective = (uint32_t)(mask >> (32 * i));
	if (syscall(SYS_capset, &header, data) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: capabilities");
	return 0;
}

/* Hard limits are only ever lowered. */
static void sandbox_limit(int resource, rlim_t max)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > max)
		limit.rlim_max = max;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(resource, &limit);
}

static void sandbox_limit_resources(void)
{
	sandbox_limit(RLIMIT_CORE, 0);
	sandbox_limit(RLIMIT_CPU, SANDBOX_CPU_MAX_S);
	sandbox_limit(RLIMIT_NOFILE, SANDBOX_FILES_MAX);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory alone is larger */
	sandbox_limit(RLIMIT_AS, SANDBOX_MEMORY_MAX);
#endif
}

int sandbox_enter(int dir_fd, struct error *err)
{
	if (sandbox_change_root(dir_fd, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Unpacking: no_new_privs");
	sandbox_limit_resources();
	return sandbox_limit_capabilities(err) < 0 ? -1 : sandbox_filter_install(err);
}

pid_t sandbox_fork_plain(struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: fork");
	if (pid == 0)
		sandbox_begin();
	return pid;
}

int sandbox_become(const char *user, struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: no_new_privs");
	sandbox_limit(RLIMIT_CORE, 0);
	if (geteuid() != 0)
		return 0;
	errno = 0;
	const struct passwd *entry = user ? getpwnam(user) : NULL;

	if (!entry || entry->pw_uid == 0)
		entry = getpwnam("nobody");
	if (!entry || entry->pw_uid == 0)
		return fail(err, E_INTERNAL, "Pulling: there is no user '%s' to run as",
		            user ? user : "");
	if (setgroups(0, NULL) < 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Pulling: becoming user '%s'",
		                  entry->pw_name);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing the user clears it */
	return 0;
}

void sandbox_keep_fds(const int *keep, size_t count)
{
	int from = 3;

	/* `keep` is short: look for the next kept one above `from` again and again. */
	for (;;) {
		int next = -1;

		for (size_t i = 0; i < count; i++) {
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		}
		if (next < 0)
			break;
		if (next > from)
			(void)syscall(SYS_close_range, (unsigned)from, (unsigned)next - 1, 0);
		from = next + 1;
	}
	(void)syscall(SYS_close_range, (unsigned)from, ~0U, 0);
}
