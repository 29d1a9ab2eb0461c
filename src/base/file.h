/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files relative to a directory descriptor. Descriptors are close-on-exec from birth. Names never
 * follow a symbolic link in the last component, unless said otherwise.
 */
#ifndef HEARTH_BASE_FILE_H
#define HEARTH_BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Open a directory, making it and missing parents with `mode`; the path may follow links. */
int file_open_dir(const char *path, mode_t mode, int *ret_fd, struct error *err);
/* mkdirat + open of one level; an existing directory is fine. */
int file_open_subdir(int dir_fd, const char *name, mode_t mode, int *ret_fd, struct error *err);
/* Tell the file system that the folders in this one have nothing to do with each other: ext4 then
 * spreads them over the disk instead of crowding one block group, which gets slow when many files
 * come and go there. A hint; other file systems ignore it. */
void file_spread_subdirs(int dir_fd);
/* openat2 with RESOLVE_IN_ROOT: `path` can never leave the directory (S16, S30). */
int file_open_in_root(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd,
                      struct error *err);

/* Append the whole file to `ret`; E_TOO_LARGE beyond its maximum, E_NOT_FOUND if missing. */
int file_read(int dir_fd, const char *name, struct buffer *ret, struct error *err);
/* Exactly `len` bytes at `offset`; false at the end of the file or on an error. */
bool file_read_at(int fd, void *data, size_t len, int64_t offset);
/* Replace the file atomically (temporary name, rename); `durable` adds fsync of file and folder. */
int file_write_atomic(int dir_fd, const char *name, const void *data, size_t len, mode_t mode,
                      bool durable, struct error *err);
int file_write_all(int fd, const void *data, size_t len, struct error *err);
/* Remove a file or a whole tree without following links; a missing one is fine. */
int file_remove_tree(int dir_fd, const char *name, struct error *err);
/* Exclusive lock of the file, made if missing; E_CONFLICT when another process holds it. The lock
 * lives as long as the descriptor. */
int file_lock(int dir_fd, const char *name, int *ret_fd, struct error *err);
int file_sync_dir(int dir_fd, struct error *err);

#endif
