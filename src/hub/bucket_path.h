/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of files in buckets: what is allowed, so that a path can never leave its bucket and that
 * the folder on disk stays a plain one. */
#ifndef HEARTH_HUB_BUCKET_PATH_H
#define HEARTH_HUB_BUCKET_PATH_H

#include "base/error.h"

#define BUCKET_PATH_MAX 1024
#define BUCKET_NAME_MAX 96 /* of a bucket: [A-Za-z0-9][A-Za-z0-9._-]* */

/* Components of 1 to 255 bytes, valid UTF-8 without control characters, none of them "." or "..",
 * no leading or final '/', not beginning with ".hearth-" (our temporary files). E_INVALID says
 * which rule. */
int bucket_path_check(const char *path, struct error *err);
int bucket_name_check(const char *name, struct error *err);
/* Open below the bucket's folder: never through a symbolic link, never out of it, never into
 * another file system (openat2: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV), and
 * never waiting for the other end of a pipe (O_NONBLOCK; plain files ignore it). E_NOT_FOUND. */
int bucket_open(int bucket_fd, const char *path, int flags, int *ret_fd, struct error *err);

#endif
