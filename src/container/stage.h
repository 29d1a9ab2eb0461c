/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage: what a monitor builds for its container in its own mount namespace. It is a small tmpfs
 * over /tmp, because a path is needed that the job's root (an unprivileged user outside) can walk;
 * it vanishes with the monitor. Files of the host must be open before.
 *
 *   config.json       the bundle
 *   root/             the job's root file system (overlay.h)
 *   layers/<n>/       its id-mapped layers
 *   own/              a layer of ours above them: /etc/hosts and the like
 *   runtime/          the runtime's own state
 */
#ifndef HEARTH_CONTAINER_STAGE_H
#define HEARTH_CONTAINER_STAGE_H

#include "base/error.h"

#define STAGE_DIR "/tmp"
#define STAGE_ROOT STAGE_DIR "/root"
#define STAGE_LAYERS STAGE_DIR "/layers"
#define STAGE_OWN STAGE_DIR "/own"
#define STAGE_RUNTIME STAGE_DIR "/runtime"

/* Needs a mount namespace of our own. Also mounts a /proc of our PID namespace. */
int stage_build(struct error *err);
/* Show the file behind a descriptor as STAGE_DIR/<name>, read-only. */
int stage_bind_file(int fd, const char *name, struct error *err);

#endif
