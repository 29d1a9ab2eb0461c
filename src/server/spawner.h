/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The privileged half of hearthd. Started as root, hearthd splits in two: this process keeps the
 * rights that containers need and does nothing but what base/spawner_link.h lists; its child
 * becomes the user of setting server.user and talks HTTP.
 *
 * main.c, as root:
 *
 *   read the configuration, make STATE and its folders (spawner_prepare does), bind sockets under
 *   1024 if wanted, then
 *       if (spawner_split(c, &link_fd, &err) < 0) …
 *   which returns in the child only, as the unprivileged user, with its end of the link; the parent
 *   never returns: it exits with the child's status. Threads and the event loop come after it.
 */
#ifndef HEARTH_SERVER_SPAWNER_H
#define HEARTH_SERVER_SPAWNER_H

#include "base/configuration.h"
#include "base/error.h"

#include <sys/types.h>

/* Folders of STATE with owners and modes: attempts/ (0770 root:<group>, sticky: hearthd makes
 * attempt folders in it), images/ (root, 0755), run/ (root, 0700, with effective.ini 0600), db/
 * (user, 0700). */
int spawner_prepare(const struct configuration *c, struct error *err);

/* Sets up the host's network, forks; see above. The child has changed groups and user for good, has
 * no_new_privs, and dies when the spawner dies (the link reads EOF, and PR_SET_PDEATHSIG). */
int spawner_split(const struct configuration *c, int *ret_link_fd, struct error *err);

/* The loop itself: until the link closes or the child ends. Returns the exit status of the process.
 * `http_pid` -1: there is none (tests). Running monitors are not touched. */
int spawner_run(int link_fd, const struct configuration *c, pid_t http_pid);

#endif
