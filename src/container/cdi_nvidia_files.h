/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the installed NVIDIA driver that a container needs, and small readers for its tables. */
#ifndef HEARTH_CONTAINER_CDI_NVIDIA_FILES_H
#define HEARTH_CONTAINER_CDI_NVIDIA_FILES_H

#include "base/json.h"

#include <stdbool.h>

#define NVIDIA_VERSION_SIZE 32

/* "535.183.01"; false: no driver is loaded. */
bool nvidia_read_version(int root_fd, char ret[NVIDIA_VERSION_SIZE]);
/* A small file as text, "" if there is none. `path` is below the root; yours to free. */
char *nvidia_read_text(int root_fd, const char *path);
/* The value behind "NAME:" at the beginning of a line; false: there is none. */
bool nvidia_find_value(const char *text, const char *name, char *ret, size_t size);
bool nvidia_exists(int root_fd, const char *path);

/* Append the "mounts" of a specification: libraries of this version, programs, firmware, sockets.
 */
void nvidia_add_mounts(int root_fd, const char *version, json_t *mounts);

#endif
