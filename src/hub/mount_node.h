/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel knows of a folder's files, as nodes of a tree: a node is a name in a parent, with
 * the inode that was found there. No descriptor is kept for it, so that a job may walk through
 * millions of files; each operation opens the path anew, below the volume's folder and through no
 * link, and finds out if somebody else has replaced the file meanwhile (ESTALE: the kernel looks
 * the name up again).
 */
#ifndef HEARTH_HUB_MOUNT_NODE_H
#define HEARTH_HUB_MOUNT_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define NODE_PATH_MAX 1024 /* as paths in a bucket */

struct mount_handle; /* an open file */

struct node {
	struct node *parent; /* NULL: the root, or a name that was removed */
	struct node *next;   /* in its bucket of the table */
	char *name;
	uint64_t inode;
	uint64_t lookups; /* that the kernel has not forgotten */
	uint32_t children;
	bool is_folder;
	struct mount_handle *handles; /* that are open */
	struct timespec mtime; /* when it was last opened, and its size: whether the kernel's pages
	                          are good */
	int64_t size;
	struct timespec
	        told_mtime; /* the kernel was told last; size -1: it knows another one since */
	int64_t told_size;
};

struct node_table;

struct node_table *node_table_new(uint64_t root_inode);
void node_table_free(struct node_table *table,
                     void (*close)(struct mount_handle *handle)); /* what is still open */
struct node *node_root(struct node_table *table);

/* The node of a name, with one more lookup; what was known under the name with another inode loses
 * it. */
struct node *node_get(struct node_table *table, struct node *parent, const char *name,
                      const struct stat *st);
/* The node of a name if it is known. */
struct node *node_find(const struct node_table *table, const struct node *parent, const char *name);
void node_forget(struct node_table *table, struct node *node, uint64_t lookups);
/* The name is gone; the node lives on while the kernel knows it. */
void node_detach(struct node_table *table, struct node *node);
void node_move(struct node_table *table, struct node *node, struct node *parent, const char *name);
void node_exchange(struct node_table *table, struct node *a, struct node *b);

/* Path below the volume's folder of the node ("." is the root), or of `name` in it (NULL: itself).
 * 0, or ESTALE when it has none any more, or ENAMETOOLONG. */
int node_path(const struct node *node, const char *name, char ret[NODE_PATH_MAX + 1]);

#endif
