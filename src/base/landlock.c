/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Numbers that headers of older systems lack are here: the kernel decides. */
#include "base/landlock.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first release refuses every move from folder to folder, which we cannot do without. */
#define ABI_MOVES 2
#define ABI_TRUNCATE 3
#define ABI_TCP 4
#define ABI_DEVICES 5
#define ABI_SCOPES 6

#define RIGHT_TRUNCATE (UINT64_C(1) << 14)
#define RIGHT_DEVICE_CONTROL (UINT64_C(1) << 15)
#define RIGHT_TCP_BIND (UINT64_C(1) << 0)
#define RIGHT_TCP_CONNECT (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define SCOPE_SIGNALS (UINT64_C(1) << 1)

#define RIGHTS_OF_FILES                                                                            \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_READ_FILE | RIGHT_TRUNCATE | RIGHT_DEVICE_CONTROL)
#define RIGHTS_ALL_MOVES ((LANDLOCK_ACCESS_FS_REFER << 1) - 1)
#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_REMOVE (RIGHTS_READ | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define RIGHTS_WRITE                                                                               \
	(RIGHTS_REMOVE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |             \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | RIGHT_TRUNCATE)

/* linux/landlock.h's landlock_ruleset_attr with all that has been added to it. */
struct rules {
	uint64_t files, network, scopes;
};

static long ask_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool landlock_is_there(void)
{
	return ask_version() >= ABI_MOVES;
}

int landlock_open(struct landlock *ret, bool may_connect, struct error *err)
{
	long version = ask_version();
	struct rules rules = {.files = RIGHTS_ALL_MOVES};

	*ret = (struct landlock){.fd = -1};
	if (version < ABI_MOVES) {
		log_debug("this kernel has no Landlock to confine files with");
		return 0;
	}
	if (version >= ABI_TRUNCATE)
		rules.files |= RIGHT_TRUNCATE;
	if (version >= ABI_TCP)
		rules.network = RIGHT_TCP_BIND | (may_connect ? 0 : RIGHT_TCP_CONNECT);
	if (version >= ABI_DEVICES)
		rules.files |= RIGHT_DEVICE_CONTROL;
	if (version >= ABI_SCOPES)
		rules.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	/* An older kernel takes a longer structure, if what it does not know is zero. */
	ret->fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	if (ret->fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "Landlock cannot be used");
	ret->handled = rules.files;
	return 0;
}

static uint64_t rights_of(enum landlock_right right)
{
	switch (right) {
	case LANDLOCK_MAY_WRITE:
		return RIGHTS_WRITE;
	case LANDLOCK_MAY_REMOVE:
		return RIGHTS_REMOVE;
	case LANDLOCK_MAY_READ:
		break;
	}
	return RIGHTS_READ;
}

int landlock_allow_fd(struct landlock *landlock, int fd, enum landlock_right right,
                      struct error *err)
{
	struct landlock_path_beneath_attr rule = {
	        .allowed_access = rights_of(right) & landlock->handled,
	        .parent_fd = fd,
	};
	struct stat st;

	if (landlock->fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Landlock: descriptor %d", fd);
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= RIGHTS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Landlock: a folder cannot be allowed");
	return 0;
}

int landlock_allow(struct landlock *landlock, const char *path, enum landlock_right right,
                   struct error *err)
{
	autoclose int fd = landlock->fd < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? 0 : landlock_allow_fd(landlock, fd, right, err);
}

int landlock_enter(struct landlock *landlock, struct error *err)
{
	if (landlock->fd >= 0 && syscall(SYS_landlock_restrict_self, landlock->fd, 0) < 0)
		return fail_errno(err, E_INTERNAL, errno, "Landlock cannot be entered");
	return 0;
}

void landlock_close(struct landlock *landlock)
{
	if (landlock->fd >= 0)
		(void)close(landlock->fd);
	landlock->fd = -1;
}
