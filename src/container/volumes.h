/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes of an attempt (base/volume.h): the monitor opens what is to be shown, mounts a FUSE file
 * system for each on its stage, and starts a hearth-mount that serves it, as hearthd's user and
 * outside of the job's control group. The runtime binds them into the job.
 *
 * A hearth-mount that dies takes its volume along: the job gets errors, nobody waits for ever.
 */
#ifndef HEARTH_CONTAINER_VOLUMES_H
#define HEARTH_CONTAINER_VOLUMES_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "container/poller.h"

#include <stdbool.h>
#include <stdint.h>

struct volumes;
struct control;
struct monitor_end;

/* Before the stage covers /tmp: find the program and open the folders. `mounts` is the member of
 * spec.json (NULL: none); kinds that are no business of ours are passed over. The sentence of a
 * failure is for the job's owner. */
int volumes_open(const struct configuration *configuration, const json_t *mounts,
                 struct volumes **ret, struct error *err);
/* On the stage: mount, and start what serves. Programs take a while to start: other things can be
 * done meanwhile. */
int volumes_start(struct volumes *volumes, struct error *err);
/* Tell them what to serve, and for whom, and wait until all can be used; `control` hears how far
 * they are. `poller` runs meanwhile; an end ordered through it is E_CONFLICT. */
int volumes_await(struct volumes *volumes, uint32_t owner_uid, uint32_t owner_gid,
                  struct poller *poller, const struct monitor_end *end, struct control *control,
                  struct error *err);
/* Append {"source","target","read_only"} for the bundle. */
void volumes_add_mounts(const struct volumes *volumes, json_t *mounts);

/* What the job's owner should know (a full disk, a broken volume), "" if nothing. */
const char *volumes_remark(const struct volumes *volumes);
/* Let them go at once, what they have not flushed included: nobody that waits for them waits on. */
void volumes_kill(struct volumes *volumes);
/* Nothing of the job lives: unmount, and wait until what it wrote is on disk. May be called again.
 */
int volumes_finish(struct volumes *volumes, struct error *err);
void volumes_free(struct volumes *volumes); /* finished before; NULL is fine */

#endif
