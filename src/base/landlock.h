/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: a process takes away from itself all files but those below a few folders. Descriptors
 * that are open already keep working. As much as the kernel knows (5.19 and later; with 6.7 TCP,
 * with 6.12 signals to others and abstract sockets); on an older one nothing happens, and what else
 * confines the process has to do.
 */
#ifndef HEARTH_BASE_LANDLOCK_H
#define HEARTH_BASE_LANDLOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum landlock_right {
	LANDLOCK_MAY_READ,   /* files and lists of folders */
	LANDLOCK_MAY_REMOVE, /* and remove names */
	LANDLOCK_MAY_WRITE,  /* and make and move plain files and folders; no links, no devices */
};

struct landlock {
	int fd; /* -1: the kernel has none */
	uint64_t handled;
};

/* False: the calls below succeed and do nothing. */
bool landlock_is_there(void);
/* Begin. No TCP port is ever listened on; `may_connect`: connections go out. */
int landlock_open(struct landlock *ret, bool may_connect, struct error *err);
/* `path` and everything below; one that is missing or cannot be opened is passed over. */
int landlock_allow(struct landlock *landlock, const char *path, enum landlock_right right,
                   struct error *err);
int landlock_allow_fd(struct landlock *landlock, int fd, enum landlock_right right,
                      struct error *err);
/* For this process, for ever; needs no_new_privs, and that there are no other threads. */
int landlock_enter(struct landlock *landlock, struct error *err);
/* Also after landlock_enter(). */
void landlock_close(struct landlock *landlock);

#endif
