/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of hearth-mount, the program that serves one volume of a job over FUSE (base/volume.h says
 * how the monitor starts it and what they tell each other).
 *
 *   mount_main.c         descriptors, the request on standard input, the loop, the link
 *   mount_confine.c      what it gives away before it looks at anything
 *   mount_folder*.c      source of the kinds "bucket" and "mirror": a plain folder
 *   mount_repository*.c  source of the kind "repository": files of a Hub, fetched as they are read
 *
 * One process, one thread, one volume. A source is a table of libfuse's low-level operations and a
 * few moments of its own. Operations get the source's state by fuse_req_userdata(); they may answer
 * later (keep the fuse_req_t), as long as `wait` is given and brings the answer.
 */
#ifndef HEARTH_HUB_MOUNT_H
#define HEARTH_HUB_MOUNT_H

#define FUSE_USE_VERSION 314

#include "base/error.h"

#include <fuse_lowlevel.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What is served; lives as long as the process. */
struct mount {
	const json_t *request; /* the whole object of standard input */
	const char *kind;
	bool is_read_only; /* the kernel refuses writes (MS_RDONLY); a source need not check */
	uint32_t owner_uid, owner_gid; /* of all files, as the job's root */
	int folder_fd;                 /* VOLUME_FOLDER_FD */
	int link_fd;                   /* VOLUME_LINK_FD */
	bool has_told_full;
	struct fuse_session *session; /* once requests come; for fuse_lowlevel_notify_*() */
};

struct mount_source {
	const struct fuse_lowlevel_ops
	        *operations; /* `init` may set what it wants of the connection; main's defaults
	                        (1 MiB reads and writes, splice, no writeback cache) come first */
	bool needs_network;  /* the sandbox leaves sockets, resolver and CA certificates */
	/* Confined already; no request has come. *ret_state is the user data of the
	 * operations. When it returns, the first request can be answered: main tells "ready", or
	 * the sentence of `err`. */
	int (*open)(struct mount *mount, void **ret_state, struct error *err);
	/* Wait until `fuse_fd` is readable, doing what else is to do meanwhile (curl_multi_poll
	 * with fuse_fd as an extra descriptor). False: it is not readable yet, call again. NULL:
	 * nothing to do besides; the loop simply reads. */
	bool (*wait)(void *state, int fuse_fd);
	/* The volume is unmounted: make what was written durable and release the state. May be
	 * NULL. */
	int (*close)(void *state, struct error *err);
};

extern const struct mount_source mount_folder;     /* "bucket" and "mirror" */
extern const struct mount_source mount_repository; /* "repository" */

/* System calls, files and sockets that `source` has no use for are gone, for ever. */
int mount_confine(const struct mount *mount, const struct mount_source *source, struct error *err);

/* Tell the monitor once that a write failed for want of space or quota; `text` is for the job's
 * owner. */
void mount_tell_full(struct mount *mount, const char *text);

#endif
