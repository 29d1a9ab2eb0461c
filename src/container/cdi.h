/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container Device Interface: specifications (cdiVersion 0.3.0 to 0.8.0 or newer 0.x/1.x; JSON or
 * YAML) in folders say what has to be in a container that gets a device (CNCF CDI, SPEC.md). We
 * read them; hooks in them are never run: what the known NVIDIA hooks do (create-symlinks,
 * update-ldcache, chmod) is done by us, and other hooks are told in the warning. Only
 * specifications that root or hearth's own user wrote and nobody else can write count.
 *
 * For nvidia.com/gpu without a specification, one is made of the installed driver (cdi_nvidia.c).
 */
#ifndef HEARTH_CONTAINER_CDI_H
#define HEARTH_CONTAINER_CDI_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

struct cdi;

/* Reads all folders. A bad file is left out and told by cdi_warnings(); never fails. `nvml`: see
 * devices.nvml; "off" also means that no NVIDIA specification is made. */
struct cdi *cdi_new(char *const *dirs, const char *nvml);
/* The same with an NVIDIA driver below another root: for tests. The folders are taken as they are.
 */
struct cdi *cdi_new_in(const char *root, char *const *dirs, const char *nvml);
void cdi_free(struct cdi *cdi);
const char *cdi_warnings(const struct cdi *cdi); /* lines; "": none */
/* Log them, unless they are those that this process has logged last: for who reads again and again.
 */
void cdi_log_warnings(const struct cdi *cdi);

/* Call `fn` for each device: its qualified name, its kind, the host's paths of its own nodes (array
 * of strings). Aliases (several names of the same nodes, "all") come too; cdi_nvidia.h says how the
 * devices are named that are made of the driver. */
void cdi_each(const struct cdi *cdi,
              void (*fn)(void *arg, const char *name, const char *kind, const json_t *nodes),
              void *arg);

/* What one container needs for these devices: containerEdits of the devices and of their
 * specifications, merged, as CDI writes them:
 * {"env":[…],"deviceNodes":[…],"mounts":[…],"additionalGids":[…]} plus
 * "symlinks":[{"path","target"}] and "libraryFolders":[…] for what hooks would have done.
 * E_NOT_FOUND: a device has gone; E_INVALID: two specifications contradict. */
int cdi_edits(const struct cdi *cdi, const json_t *names, json_t **ret, struct error *err);

#endif
