/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the folder source of hearth-mount:
 *   mount_folder.c        opening, paths, look-ups and attributes
 *   mount_folder_files.c  what is done with open files
 *   mount_folder_names.c  what changes folders: making, removing, renaming; listing
 *   mount_folder_quota.c  how much may still be written
 * All functions that return int give 0 or an errno value.
 */
#ifndef HEARTH_HUB_MOUNT_FOLDER_H
#define HEARTH_HUB_MOUNT_FOLDER_H

#include "hub/mount.h"
#include "hub/mount_node.h"

#include <dirent.h>

struct folder {
	struct mount *mount;
	struct node_table *nodes;
	int64_t limit_bytes, used_bytes; /* limit 0: none */
	bool has_written;
	char *full_text, *quota_text; /* sentences of mount_tell_full() */
};

/* An open file, or an open folder. */
struct mount_handle {
	struct node *node;
	struct mount_handle *next; /* of the node */
	int fd;
	bool is_append;
	DIR *dir; /* NULL: a file */
	off_t dir_offset;
};

/* Others write to the folder too (uploads, other jobs), so the kernel may not trust what it knows
 * for long. */
#define FOLDER_VALID_S 1.0

struct folder *folder_of(fuse_req_t req);
struct node *folder_node(const struct folder *folder, fuse_ino_t ino);
struct mount_handle *folder_handle(const struct fuse_file_info *fi);

/* Below the volume, through no link; links themselves are not there (ENOENT). ESTALE: the volume
 * was removed. */
int folder_open_path(const struct folder *folder, const char *path, int flags, int *ret_fd);
/* A node's file; ESTALE when it is another one now. *ret_st may be NULL. */
int folder_open_node(const struct folder *folder, const struct node *node, int flags, int *ret_fd,
                     struct stat *ret_st);
/* Look the name up in the folder and answer as `ret`; the kernel knows it then. */
int folder_lookup(struct folder *folder, struct node *parent, const char *name,
                  struct fuse_entry_param *ret);
int folder_entry(struct folder *folder, struct node *parent, const char *name,
                 const struct stat *st, struct fuse_entry_param *ret);
/* What the kernel is about to be told of a node, as the job sees it: owner, mode. */
void folder_show(const struct folder *folder, struct node *node, struct stat *st);
/* Let the kernel ask again if the file is not as it was told. */
void folder_correct(const struct folder *folder, struct node *node, const struct stat *st);
bool folder_is_hidden(const char *name);
/* May a file get this name? */
int folder_check_name(const char *name);
mode_t folder_file_mode(mode_t wanted);

struct mount_handle *handle_new(struct node *node, int take_fd, int flags);
void handle_free(struct mount_handle *handle);
/* What the kernel has in its memory of this file is still good: nobody changed it since it was last
 * open. */
bool folder_is_unchanged(struct node *node, const struct stat *st);

/* Before a file grows from `from` to `to` bytes: EDQUOT if that is too much. Afterwards tell what
 * happened. */
int folder_quota_ask(struct folder *folder, int64_t from, int64_t to);
void folder_quota_changed(struct folder *folder, int64_t from, int64_t to);
int folder_quota_open(struct folder *folder, struct error *err);
/* An error of a write, on its way to the job. */
int folder_write_failed(struct folder *folder, int code);
void folder_statfs(fuse_req_t req, fuse_ino_t ino);

/* mount_folder_files.c */
void folder_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                 struct fuse_file_info *fi);
void folder_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                  struct fuse_file_info *fi);
void folder_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void folder_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                      struct fuse_file_info *fi);
void folder_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
                  struct fuse_file_info *fi);
void folder_copy_range(fuse_req_t req, fuse_ino_t in, off_t in_offset, struct fuse_file_info *in_fi,
                       fuse_ino_t out, off_t out_offset, struct fuse_file_info *out_fi, size_t size,
                       int flags);
/* Set the size of an open file, within the quota. */
int folder_truncate(struct folder *folder, int fd, int64_t size);

/* mount_folder_names.c */
void folder_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                   struct fuse_file_info *fi);
void folder_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void folder_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void folder_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void folder_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void folder_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void folder_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                   const char *new_name, unsigned flags);
void folder_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                    struct fuse_file_info *fi);
void folder_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                        struct fuse_file_info *fi);
void folder_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);

#endif
