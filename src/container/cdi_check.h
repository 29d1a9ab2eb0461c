/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One CDI specification, checked and brought into a form without choices:
 *
 *   {"kind": "vendor/class", "edits": EDITS, "devices": {NAME: EDITS, …}}
 *   EDITS: {"env": ["NAME=value"], "deviceNodes": [{"path", "hostPath", "permissions", "type"?,
 * "major"?, "minor"?, "fileMode"?}], "mounts": [{"hostPath", "containerPath", "options": […]}],
 *           "additionalGids": […], "symlinks": [{"path", "target"}], "libraryFolders": […]}
 *
 * Paths are absolute and clean; nodes of the container lie below /dev and are none of its own.
 */
#ifndef HEARTH_CONTAINER_CDI_CHECK_H
#define HEARTH_CONTAINER_CDI_CHECK_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

/* Appends a line for each hook that is not known to `warnings`. E_INVALID: the sentence says what
 * is wrong and where, without the file's name. */
int cdi_check(const json_t *json, struct buffer *warnings, json_t **ret, struct error *err);

bool cdi_kind_is_valid(const char *kind);
bool cdi_name_is_valid(const char *name); /* of a device, without its kind */
/* Absolute, without "//", "." and "..", not "/" alone, no control characters. */
bool cdi_path_is_clean(const char *path);

/* What a hook would do goes to "symlinks" and "libraryFolders" of `edits`. */
int cdi_hooks_read(const json_t *hooks, const char *where, json_t *edits, struct buffer *warnings,
                   struct error *err);

#endif
