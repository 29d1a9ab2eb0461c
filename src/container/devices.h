/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of one attempt, as the monitor gives them to its container: nodes made anew with the
 * job's own ids as owner (the host's nodes and their groups stay out of reach), files of the driver
 * bound read-only, variables, and the control group's rules, so that no other device can be opened,
 * whatever the image or its user says.
 */
#ifndef HEARTH_CONTAINER_DEVICES_H
#define HEARTH_CONTAINER_DEVICES_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "container/cgroup.h"

#include <stdbool.h>
#include <stdint.h>

struct devices;

/* `names`: CDI names (spec.json "devices"); empty or NULL: *ret is NULL, which all functions take.
 * Reads what lies on the host, so before the stage covers it. */
int devices_open(const struct configuration *configuration, const json_t *names,
                 struct devices **ret, struct error *err);
/* Make nodes below the stage, owned by these host ids. After stage_build(). */
int devices_make(struct devices *devices, uint32_t uid, uint32_t gid, struct error *err);
/* Append {"source","target","read_only","is_device","is_recursive"} for the bundle's mounts. After
 * devices_prepare_root(). */
void devices_add_mounts(const struct devices *devices, json_t *mounts);
/* Links and folders inside of the job's root (in-root resolver). */
int devices_prepare_root(struct devices *devices, int root_fd, uint32_t owner, struct error *err);
/* "NAME=value" strings that replace those of image and user: NVIDIA_VISIBLE_DEVICES=void and what
 * the specifications say. LD_LIBRARY_PATH and PATH are added to. */
void devices_set_env(const struct devices *devices, json_t *env);
/* Whether a program of that name, or at that path, comes with the devices and not with the image.
 */
bool devices_have_program(const struct devices *devices, const char *command);
/* Append paths of /proc that tell of devices, or open them, and are none of this job's business. */
void devices_add_masks(const struct devices *devices, json_t *paths);
/* Allow these devices and the harmless ones (null, zero, full, random, urandom, tty, ptmx, pts) and
 * deny all others: BPF_PROG_TYPE_CGROUP_DEVICE on v2, devices.allow/deny on v1. Also for jobs
 * without devices. */
int devices_restrict(const struct devices *devices, const struct cgroup *cgroup, struct error *err);
void devices_free(struct devices *devices);

#endif
