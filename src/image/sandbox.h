/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes with less: the unpacker (namespaces of its own, a folder as its root, five capabilities)
 * and the fetcher (an ordinary user that may use the network).
 */
#ifndef HEARTH_IMAGE_SANDBOX_H
#define HEARTH_IMAGE_SANDBOX_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Fork into new user, mount, pid, network, IPC and UTS namespaces; the ids 0–65535 are mapped to
 * themselves (started as an ordinary user: that user is 0). Returns 0 in the child, and its pid in
 * the parent; the child waits until its ids are mapped. */
pid_t sandbox_fork(struct error *err);

/* In the child: `dir_fd` becomes the root, for ever; other rights and resources go. */
int sandbox_enter(int dir_fd, struct error *err);

/* Fork a process that will be `user`. Returns 0 in the child. */
pid_t sandbox_fork_plain(struct error *err);
/* In the child: become the user for ever; no new privileges. Not root already: nothing changes. */
int sandbox_become(const char *user, struct error *err);

/* Close everything but the standard descriptors and these. */
void sandbox_keep_fds(const int *keep, size_t count);

#endif
