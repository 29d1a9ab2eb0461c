/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of volumes.c (life of all), volume_folder.c (what is shown), volume_serve.c (mount and
 * process), volume_end.c (the end of both). */
#ifndef HEARTH_CONTAINER_VOLUMES_PRIVATE_H
#define HEARTH_CONTAINER_VOLUMES_PRIVATE_H

#include "base/volume.h"
#include "container/stage.h"
#include "container/volumes.h"

#include <sys/types.h>

struct volume {
	struct volumes *set;
	json_t *request; /* for hearth-mount; NULL once it is told */
	char *what;      /* "bucket alice/out" */
	char *target;
	char source[64]; /* on the stage */
	bool is_bucket, is_read_only, is_ready, is_mounted;
	bool is_cut;                        /* its process hung, and was killed */
	int64_t patience_ms;                /* until it is ready; 0: for ever */
	int folder_fd, link_fd, request_fd; /* request: its standard input */
	pid_t pid;                          /* 0: not started, or reaped */
	int status;                         /* of the process, once reaped */
	struct poller_watch *watch;
	char error[ERROR_TEXT_SIZE]; /* that it told */
};

struct volumes {
	const struct configuration *configuration;
	int program_fd;
	uid_t uid; /* of hearthd */
	gid_t gid;
	struct volume list[VOLUMES_MAX];
	size_t count;
	char remark[ERROR_TEXT_SIZE];
	struct control *control; /* that hears of progress; NULL: nobody waits */
};

/* Read one of "mounts" into a volume that is all zero but for `set`, and open its folder. */
int volume_folder_open(struct volume *volume, json_t *mount, struct error *err);

/* Mount volume number `index` and start its process. */
int volume_serve_start(struct volume *volume, size_t index, struct error *err);
/* Tell it what to serve. */
void volume_serve_tell(struct volume *volume, uint32_t owner_uid, uint32_t owner_gid);
/* Read one message; false: the link is closed. */
bool volume_serve_hear(struct volume *volume);
/* How many bytes the kernel reads ahead; a hint. */
void volume_serve_set_read_ahead(const struct volume *volume);
/* volume_end.c: unmount; wait for the end of the process. */
int volume_serve_end(struct volume *volume, struct error *err);

#endif
