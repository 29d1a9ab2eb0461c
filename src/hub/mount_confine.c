/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth-mount's sandbox. It runs as hearthd's own user: taken over by a job, or by what a Hub
 * sends, it must not find the database, other buckets, or anybody to talk to.
 */
#include "hub/mount.h"

#include "base/landlock.h"
#include "base/sandbox_filter.h"

#include <errno.h>
#include <sys/prctl.h>

#ifndef __SANITIZE_ADDRESS__ /* its search for leaks needs a process, its reports read files */

/* What name resolution and TLS read, wherever systems keep it. Folders, not files: a file that is
 * replaced would be another one. */
static const char *const client_reads[] = {
        "/etc",
        "/usr",
        "/lib",
        "/lib32",
        "/lib64",
        "/run/systemd/resolve",
        "/run/NetworkManager",
        "/run/resolvconf",
        "/run/connman",
        "/run/nscd",
        "/var/lib/ca-certificates",
        "/nix/store",
        "/gnu/store",
        "/mnt/wsl",
        "/dev/null",
        "/dev/urandom",
        "/proc/sys/crypto",
};

static int allow_client(struct landlock *landlock, struct error *err)
{
	for (size_t i = 0; i < sizeof(client_reads) / sizeof(client_reads[0]); i++) {
		if (landlock_allow(landlock, client_reads[i], LANDLOCK_MAY_READ, err) < 0)
			return -1;
	}
	/* Wherever the link leads. */
	return landlock_allow(landlock, "/etc/resolv.conf", LANDLOCK_MAY_READ, err);
}

static int confine_files(const struct mount *mount, const struct mount_source *source,
                         struct error *err)
{
	/* That of a client is its cache. */
	bool is_writer = source->needs_network || !mount->is_read_only;
	enum landlock_right right = is_writer ? LANDLOCK_MAY_WRITE : LANDLOCK_MAY_READ;
	struct landlock landlock;
	int failed;

	if (landlock_open(&landlock, source->needs_network, err) < 0)
		return -1;
	failed = landlock_allow_fd(&landlock, mount->folder_fd, right, err) < 0 ||
	         (source->needs_network && allow_client(&landlock, err) < 0) ||
	         landlock_enter(&landlock, err) < 0;
	landlock_close(&landlock);
	return failed ? -1 : 0;
}

#endif

int mount_confine(const struct mount *mount, const struct mount_source *source, struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot give up privileges");
#ifdef __SANITIZE_ADDRESS__
	(void)mount;
	(void)source;
	return 0;
#else
	if (confine_files(mount, source, err) < 0)
		return -1;
	return source->needs_network ? sandbox_filter_install_client(err)
	                             : sandbox_filter_install(err);
#endif
}
