/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state directory as hearthd's two processes share it: one server at a time.
 *
 *   lock         held (flock) by both processes; holds the pid of the one that was started
 *   hearth.sock  the Unix socket of `hearth admin`
 *   db/          the HTTP process's own: hearth.db, seal.key
 *   spool/       bodies of requests and long answers of hearth-files, all without names
 *   attempts/  images/  run/     see server/spawner.h
 */
#ifndef HEARTH_SERVER_STATE_DIR_H
#define HEARTH_SERVER_STATE_DIR_H

#include "base/configuration.h"
#include "base/error.h"

/* The path from "/" on: monitors and pulls do not share hearthd's working directory. Yours to free.
 */
char *state_dir_absolute(const char *path);
/* Makes the directory if needed and takes its lock. E_CONFLICT names the pid of the server that has
 * it. Both descriptors stay open for the life of the process. */
int state_dir_lock(const char *path, int *ret_dir_fd, int *ret_lock_fd, struct error *err);
/* Can this process, which is not root any more, reach the directory? The error names the folder on
 * the way that is closed, and what opens it. */
int state_dir_check_reach(const char *path, struct error *err);

#endif
