/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the spawner share (spawner.h). */
#ifndef HEARTH_SERVER_SPAWNER_PRIVATE_H
#define HEARTH_SERVER_SPAWNER_PRIVATE_H

#include "base/configuration.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct spawner {
	const struct configuration *configuration;
	int attempts_fd;
	uid_t uid;            /* of the HTTP process: who may own what it hands over */
	gid_t gid;            /* of its group: what monitors write is readable for it */
	char *monitor, *pull; /* programs */
	char *config_path;    /* STATE/run/effective.ini */
};

/* The system user of setting server.user. */
int spawner_user(const struct configuration *c, uid_t *ret_uid, gid_t *ret_gid, struct error *err);

/* spawner_folder.c: attempts/<name>, never through a link. *ret_is_ours: it belongs to root
 * already, a monitor was started in it before. E_NOT_FOUND when there is none. */
int spawner_folder_open(const struct spawner *s, const char *name, int *ret_fd, bool *ret_is_ours,
                        struct error *err);
/* Make it root's and see that it holds nothing but spec.json. */
int spawner_folder_take(const struct spawner *s, int dir_fd, struct error *err);
/* In a child process: what SPAWN_CLEAN and SPAWN_REMOVE mean. */
int spawner_folder_clean(const struct spawner *s, const char *name, bool remove, struct error *err);

/* spawner_start.c: start a program with `pair_fd` as descriptor 3 and, unless -1, `extra_fd` as 4.
 * Borrowed. */
int spawner_start_monitor(const struct spawner *s, int dir_fd, int pair_fd, struct error *err);
int spawner_start_pull(const struct spawner *s, int pair_fd, int extra_fd, struct error *err);
/* After fork: as a fresh process. */
void spawner_child_reset(void);

#endif
