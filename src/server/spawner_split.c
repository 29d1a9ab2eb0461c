/* SPDX-License-Identifier: Apache-2.0 */
/* Before the spawner's loop: folders with their owners, the host's network, and the split. */
#include "server/spawner.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "container/network.h"
#include "server/spawner_private.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	const char *name;
	mode_t mode;
	bool is_users, is_groups; /* else root's */
	bool is_spread;
};

static const struct folder folders[] = {
        /* Sticky: what became root's in it stays. */
        {"attempts", 01770, false, true, true}, {"images", 0755, false, false, false},
        {"run", 0700, false, false, false},     {"db", 0700, true, true, false},
        {"buckets", 0750, true, true, true},    {"xet", 0750, true, true, false},
        {"hub-cache", 0700, true, true, true},  {"spool", 0700, true, true, false},
};

int spawner_user(const struct configuration *c, uid_t *ret_uid, gid_t *ret_gid, struct error *err)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(c->user);
	if (!entry)
		return fail(err, E_INVALID,
		            "server.user: there is no system user \"%s\"; make it: "
		            "useradd --system --shell /usr/sbin/nologin %s",
		            c->user, c->user);
	*ret_uid = entry->pw_uid;
	*ret_gid = entry->pw_gid;
	return 0;
}

static int folder_make(int state_fd, const struct folder *folder, uid_t uid, gid_t gid,
                       struct error *err)
{
	autoclose int fd = -1;

	if (file_open_subdir(state_fd, folder->name, 0700, &fd, err) < 0)
		return -1;
	if (fchown(fd, folder->is_users ? uid : 0, folder->is_groups ? gid : 0) < 0 ||
	    fchmod(fd, folder->mode) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot set the owner of the folder %s",
		                  folder->name);
	if (folder->is_spread)
		file_spread_subdirs(fd);
	return 0;
}

static int effective_write(int state_fd, const struct configuration *c, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(1024 * 1024);
	autobuffer struct buffer before = BUFFER_INIT(1024 * 1024);
	struct error ignored = ERROR_INIT;
	autoclose int run_fd = -1;

	if (configuration_print(c, false, &text) < 0)
		return fail(err, E_INTERNAL, "the settings are too long");
	if (file_open_subdir(state_fd, "run", 0700, &run_fd, err) < 0)
		return -1;
	/* Usually nothing has changed; and then a full disk is no reason not to start. */
	if (file_read(run_fd, "effective.ini", &before, &ignored) == 0 && before.len == text.len &&
	    memcmp(before.data, text.data, text.len) == 0)
		return 0;
	return file_write_atomic(run_fd, "effective.ini", text.data, text.len, 0600, false, err);
}

int spawner_prepare(const struct configuration *c, struct error *err)
{
	autoclose int state_fd = -1;
	uid_t uid = 0;
	gid_t gid = 0;

	if (spawner_user(c, &uid, &gid, err) < 0 ||
	    file_open_dir(c->state_dir, 0755, &state_fd, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (folder_make(state_fd, &folders[i], uid, gid, err) < 0)
			return error_prefix(err, "%s", c->state_dir);
	}
	return effective_write(state_fd, c, err);
}

/* For good: no way back to root, no new rights by running programs, no core with secrets. */
static int become(uid_t uid, gid_t gid, struct error *err)
{
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot become the user of server.user");
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		BUG("root could be regained");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot give up rights");
	return 0;
}

static int child_begin(uid_t uid, gid_t gid, pid_t parent, struct error *err)
{
	if (become(uid, gid, err) < 0)
		return -1;
	/* After the change of the user, which would clear it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

/* Listening sockets and files that main() opened are the child's alone. */
static void close_others(int link_fd)
{
	(void)close_range(3, (unsigned)link_fd - 1, 0);
	(void)close_range((unsigned)link_fd + 1, ~0U, 0);
}

int spawner_split(const struct configuration *c, int *ret_link_fd, struct error *err)
{
	pid_t parent = getpid();
	int pair[2];
	uid_t uid = 0;
	gid_t gid = 0;
	pid_t pid;

	if (geteuid() != 0)
		return fail(err, E_UNSUPPORTED,
		            "hearthd must be started as root: containers, their "
		            "networks and their limits need it");
	if (spawner_user(c, &uid, &gid, err) < 0 || network_host_setup(c, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot make the spawner's link");
	pid = fork();
	if (pid < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot start the HTTP process");
	if (pid == 0) {
		close(pair[0]);
		*ret_link_fd = pair[1];
		return child_begin(uid, gid, parent, err);
	}
	close(pair[1]);
	if (pair[0] > 3)
		close_others(pair[0]);
	exit(spawner_run(pair[0], c, pid));
}
