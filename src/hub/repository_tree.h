/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a repository at one commit, as far as they are known: a tree in memory, about 100 bytes per
 * file, from the answers of the tree API. Nodes never go away; a node's number is its inode number.
 */
#ifndef HEARTH_HUB_REPOSITORY_TREE_H
#define HEARTH_HUB_REPOSITORY_TREE_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_ROOT 1 /* as FUSE_ROOT_ID */
#define TREE_NODES_MAX (4 * 1024 * 1024)
#define TREE_OID_MAX 32

struct tree_node {
	uint32_t parent, first_child, last_child, next; /* 0: none */
	uint32_t name;			 /* offset of the text */
	bool is_directory, is_listed;	 /* listed: all its children are known */
	bool is_stale;			 /* the kernel may keep wrong contents of it */
	uint8_t oid_len;		 /* 20: git blob, 32: sha256 of an LFS file, 0: none */
	uint8_t oid[TREE_OID_MAX];
	int64_t size;
};

struct repository_tree;

/* `top`: the sub-folder that is the root, "" or without slashes at its ends. */
struct repository_tree *repository_tree_new(const char *top);
void repository_tree_free(struct repository_tree *tree);
struct tree_node *repository_tree_node(struct repository_tree *tree, uint32_t number); /* NULL: none */
const char *repository_tree_name(const struct repository_tree *tree, const struct tree_node *node);
uint32_t repository_tree_find(struct repository_tree *tree, uint32_t parent, const char *name); /* 0: none */
/* Path from the top of the repository, for URLs: not encoded. */
void repository_tree_path(struct repository_tree *tree, uint32_t number, struct buffer *ret);
/* Take a page: an array of entries. What is not below the top is left out; entries that no file system could show
 * (".." and the like) too. E_TOO_LARGE beyond TREE_NODES_MAX, E_UNAVAILABLE when it is not such a page. */
int repository_tree_add(struct repository_tree *tree, const json_t *page, struct error *err);
void repository_tree_set_all_listed(struct repository_tree *tree);
uint32_t repository_tree_count(const struct repository_tree *tree); /* numbers go from 1 to this */

#endif
