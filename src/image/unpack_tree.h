/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target folder while a layer is unpacked into it: parents looked up inside the root only,
 * whiteouts as overlayfs wants them, and folders' times set at the end.
 */
#ifndef HEARTH_IMAGE_UNPACK_TREE_H
#define HEARTH_IMAGE_UNPACK_TREE_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

struct unpack_tree;

struct unpack_tree *unpack_tree_new(int root_fd);
void unpack_tree_free(struct unpack_tree *tree);

/* The folder that holds `path` (clean, not ""), made if missing, and the last component. Links on
 * the way are followed inside the root. *ret_fd (O_PATH) is borrowed until the next call. */
int unpack_tree_parent(struct unpack_tree *tree, const char *path, int *ret_fd,
		       const char **ret_base, struct error *err);
/* The same without making anything; E_NOT_FOUND. *ret_fd is yours. */
int unpack_tree_find_parent(struct unpack_tree *tree, const char *path, int *ret_fd,
			    const char **ret_base, struct error *err);
/* The parent's group is given on to new files. */
bool unpack_tree_parent_is_setgid(const struct unpack_tree *tree);
/* Something that was looked up may be another thing now. */
void unpack_tree_forget(struct unpack_tree *tree);

/* Make room for a new thing. *ret_was_whiteout: lower layers' content was hidden here. */
int unpack_tree_remove(struct unpack_tree *tree, int parent_fd, const char *base,
		       bool *ret_was_whiteout, struct error *err);
int unpack_tree_whiteout(struct unpack_tree *tree, int parent_fd, const char *name,
			 struct error *err);
int unpack_tree_make_opaque(struct unpack_tree *tree, int parent_fd, const char *name,
			    struct error *err);
bool unpack_tree_is_whiteout(const struct stat *st);

/* A folder's time is set when nothing is written into it any more. */
void unpack_tree_defer_time(struct unpack_tree *tree, const char *path, struct timespec mtime);
void unpack_tree_apply_times(struct unpack_tree *tree);

/* A sentence for a failed system call; a full disk gets its own. Returns -1. */
int unpack_tree_fail(struct error *err, int errno_value, const char *doing, const char *path);

#endif
