/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the job's root file system, before the job runs. The image decides what is there, so every
 * path is resolved inside the root (openat2) and only regular files are read.
 */
#ifndef HEARTH_CONTAINER_ROOT_FILES_H
#define HEARTH_CONTAINER_ROOT_FILES_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdint.h>

/* Make a folder and its missing parents, owned by `owner`. An existing one stays as it is. */
int root_files_make_dir(int root_fd, const char *path, uint32_t owner, struct error *err);
/* Replace a file or link by a file with this text, 0644. A folder there is an error. */
int root_files_write(int root_fd, const char *dir, const char *name, const char *text,
		     uint32_t owner, struct error *err);
/* Append a file to `ret`; nothing at all if it is missing, no regular file or too large. */
void root_files_read(int root_fd, const char *path, struct buffer *ret);

#endif
