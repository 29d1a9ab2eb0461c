/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a volume: unmounted, its process gone, what was written on disk. None of it for ever.
 */
#include "container/volumes_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define END_AGAIN_MS 1000
#define END_PATIENCE_MS 5000
#define UNMOUNT_PATIENCE_MS 10000
#define STATUS_MAX 4096

/* How often it has been on a processor; "" while it runs or waits for a disk. */
static void look_at(pid_t pid, char ret[STATUS_MAX])
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, STATUS_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
	const char *state = strstr(ret, "\nState:\t"), *switches = strstr(ret, "\nvoluntary_ctxt");
	bool is_idle = state && switches && strchr("STt", state[8]);
	if (is_idle)
		memmove(ret, switches, strlen(switches) + 1);
	else
		ret[0] = '\0';
}

/* Unmounting flushes what is still to be, and that takes as long as the server of the volume makes
 * progress. One that makes none is killed: with the only descriptor of the connection, everything
 * that waits for it ends. */
static void await_unmount(struct volume *v, int unmount_fd)
{
	struct pollfd fds = {.fd = unmount_fd, .events = POLLIN};
	int64_t kill_ms = clock_monotonic_ms() + UNMOUNT_PATIENCE_MS;
	char before[STATUS_MAX] = "", now[STATUS_MAX];

	while (poll(&fds, 1, END_AGAIN_MS) <= 0) {
		if (v->pid <= 0)
			continue;
		look_at(v->pid, now);
		if (now[0] == '\0' || strcmp(before, now) != 0)
			kill_ms = clock_monotonic_ms() + UNMOUNT_PATIENCE_MS;
		memcpy(before, now, sizeof(before));
		if (clock_monotonic_ms() < kill_ms)
			continue;
		log_warning("volume %s: its server hangs and is killed", v->target);
		v->is_cut = true;
		(void)kill(v->pid, SIGKILL);
	}
}

/* False: something else holds it. */
static bool unmount(const struct volume *v)
{
	if (umount2(v->source, 0) == 0)
		return true;
	(void)umount2(v->source, MNT_DETACH);
	return false;
}

/* By a child, since nothing can wake who unmounts. */
static bool unmount_patiently(struct volume *v)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return unmount(v);
	if (pid == 0)
		_exit(unmount(v) ? 0 : 1);
	autoclose int pid_fd = pidfd_open(pid, 0);
	await_unmount(v, pid_fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0;
}

/* Something may hold it (a process of the host that looked in): then it is told to end, again and
 * again, since a signal may come just before it begins to wait. To flush much takes long, and so we
 * do that ourselves before one that does not end is killed. */
static void await_end(struct volume *v, bool is_told)
{
	autoclose int pid_fd = pidfd_open(v->pid, 0);
	struct pollfd fds = {.fd = pid_fd, .events = POLLIN};
	bool has_flushed = !v->is_bucket || v->is_read_only;
	int64_t kill_ms = clock_monotonic_ms() + END_PATIENCE_MS;

	while (poll(&fds, 1, END_AGAIN_MS) <= 0) {
		if (is_told)
			(void)kill(v->pid, SIGTERM);
		if (clock_monotonic_ms() < kill_ms)
			continue;
		if (!has_flushed) {
			(void)syncfs(v->folder_fd);
			has_flushed = true;
			kill_ms = clock_monotonic_ms() + END_PATIENCE_MS;
		} else {
			log_warning("volume %s: its server does not end and is killed", v->target);
			(void)kill(v->pid, SIGKILL);
		}
	}
	while (waitpid(v->pid, &v->status, 0) < 0 && errno == EINTR)
		;
	v->pid = 0;
}

int volume_serve_end(struct volume *v, struct error *err)
{
	bool is_held = v->is_mounted && !unmount_patiently(v);

	v->is_mounted = false;
	if (v->pid <= 0)
		return 0;
	if (is_held)
		(void)kill(v->pid, SIGTERM);
	await_end(v, is_held);
	while (v->link_fd >= 0 && volume_serve_hear(v) && v->error[0] == '\0') {
		if (recv(v->link_fd, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
			break;
	}
	if (v->status == 0 || !v->is_bucket || v->is_read_only)
		return 0;
	/* It could not do this itself. */
	if (syncfs(v->folder_fd) < 0)
		return fail_errno(err, E_INTERNAL, errno,
		                  "What the job wrote to the %s could not be put on disk", v->what);
	if (v->is_cut)
		return fail(
		        err, E_INTERNAL,
		        "The server of the %s hung and was killed; what the job wrote last may be "
		        "missing",
		        v->what);
	return v->error[0] ? fail(err, E_INTERNAL, "%s", v->error) : 0;
}
