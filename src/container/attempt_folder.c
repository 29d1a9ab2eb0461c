/* SPDX-License-Identifier: Apache-2.0 */
/* Names of outcomes and the lock of an attempt folder; exit_record.c has the exit record. */
#include "container/attempt_folder.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

static const char *const outcome_names[] = {
        [OUTCOME_NONE] = "none",         [OUTCOME_EXITED] = "exited",
        [OUTCOME_SIGNALED] = "signaled", [OUTCOME_OOM] = "oom",
        [OUTCOME_TIMEOUT] = "timeout",   [OUTCOME_CANCELED] = "canceled",
        [OUTCOME_STORAGE] = "storage",   [OUTCOME_FAILED] = "failed",
        [OUTCOME_LOST] = "lost",
};
#define OUTCOME_COUNT (sizeof(outcome_names) / sizeof(outcome_names[0]))

const char *outcome_name(enum attempt_outcome outcome)
{
	if ((size_t)outcome >= OUTCOME_COUNT)
		BUG("outcome %d", (int)outcome);
	return outcome_names[outcome];
}

int outcome_by_name(const char *name)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++) {
		if (strcmp(outcome_names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

bool attempt_folder_is_locked(int dir_fd)
{
	autoclose int fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	/* A shared lock is enough to see an exclusive one, and two askers do not disturb each
	 * other. */
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
}
