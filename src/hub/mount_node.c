/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of nodes, and a hash table from (parent, name) to them. */
#include "hub/mount_node.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024

struct node_table {
	struct node root;
	struct node **slots;
	size_t n_slots, count; /* n_slots: a power of two */
};

static uint64_t hash_name(const struct node *parent, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ (uint64_t)(uintptr_t)parent;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ULL;
	return hash ^ (hash >> 29);
}

static struct node **slot_of(const struct node_table *table, const struct node *parent,
                             const char *name)
{
	return &table->slots[hash_name(parent, name) & (table->n_slots - 1)];
}

static void table_add(struct node_table *table, struct node *node)
{
	struct node **slot = slot_of(table, node->parent, node->name);

	node->next = *slot;
	*slot = node;
}

static void table_remove(const struct node_table *table, struct node *node)
{
	struct node **at = slot_of(table, node->parent, node->name);

	while (*at && *at != node)
		at = &(*at)->next;
	if (*at)
		*at = node->next;
	node->next = NULL;
}

static void table_grow(struct node_table *table)
{
	struct node **old = table->slots;
	size_t n_old = table->n_slots;

	if (table->count < n_old)
		return;
	table->n_slots *= 2;
	table->slots = xcalloc(table->n_slots, sizeof(struct node *));
	for (size_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct node *node = old[i];
			old[i] = node->next;
			table_add(table, node);
		}
	}
	free(old);
}

struct node_table *node_table_new(uint64_t root_inode)
{
	struct node_table *table = xcalloc(1, sizeof(*table));

	table->n_slots = SLOTS_MIN;
	table->slots = xcalloc(table->n_slots, sizeof(struct node *));
	table->root = (struct node){.inode = root_inode, .lookups = 1, .is_folder = true};
	return table;
}

static void close_handles(const struct node *node, void (*close)(struct mount_handle *handle))
{
	while (node->handles)
		close(node->handles);
}

void node_table_free(struct node_table *table, void (*close)(struct mount_handle *handle))
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_slots; i++) {
		while (table->slots[i]) {
			struct node *node = table->slots[i];
			table->slots[i] = node->next;
			close_handles(node, close);
			free(node->name);
			free(node);
		}
	}
	close_handles(&table->root, close);
	free(table->slots);
	free(table);
}

struct node *node_root(struct node_table *table)
{
	return &table->root;
}

struct node *node_find(const struct node_table *table, const struct node *parent, const char *name)
{
	struct node *node = *slot_of(table, parent, name);

	while (node && (node->parent != parent || strcmp(node->name, name) != 0))
		node = node->next;
	return node;
}

/* Free it and, upwards, what only it held. */
static void release(struct node_table *table, struct node *node)
{
	while (node && node != &table->root && node->lookups == 0 && node->children == 0) {
		struct node *parent = node->parent;

		if (parent) {
			table_remove(table, node);
			table->count--;
			parent->children--;
		}
		free(node->name);
		free(node);
		node = parent;
	}
}

struct node *node_get(struct node_table *table, struct node *parent, const char *name,
                      const struct stat *st)
{
	struct node *node = node_find(table, parent, name);

	if (node && (node->inode != st->st_ino || node->is_folder != S_ISDIR(st->st_mode))) {
		node_detach(table, node);
		node = NULL;
	}
	if (!node) {
		node = xcalloc(1, sizeof(*node));
		node->parent = parent;
		node->name = xstrdup(name);
		node->inode = st->st_ino;
		node->is_folder = S_ISDIR(st->st_mode);
		node->size = node->told_size = -1;
		parent->children++;
		table->count++;
		table_grow(table);
		table_add(table, node);
	}
	node->lookups++;
	return node;
}

void node_forget(struct node_table *table, struct node *node, uint64_t lookups)
{
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	release(table, node);
}

void node_detach(struct node_table *table, struct node *node)
{
	struct node *parent = node->parent;

	if (!parent)
		return;
	table_remove(table, node);
	table->count--;
	node->parent = NULL;
	parent->children--;
	release(table, node);
	release(table, parent);
}

void node_move(struct node_table *table, struct node *node, struct node *parent, const char *name)
{
	struct node *before = node->parent;

	if (before)
		table_remove(table, node);
	else
		table->count++;
	parent->children++;
	node->parent = parent;
	free(node->name);
	node->name = xstrdup(name);
	table_add(table, node);
	if (before) {
		before->children--;
		release(table, before);
	}
}

void node_exchange(struct node_table *table, struct node *a, struct node *b)
{
	struct node *parent = a->parent;
	char *name = a->name;

	table_remove(table, a);
	table_remove(table, b);
	a->parent = b->parent;
	a->name = b->name;
	b->parent = parent;
	b->name = name;
	table_add(table, a);
	table_add(table, b);
}

int node_path(const struct node *node, const char *name, char ret[NODE_PATH_MAX + 1])
{
	size_t at = NODE_PATH_MAX;

	ret[at] = '\0';
	for (;;) {
		size_t len = name ? strlen(name) : 0;

		if (name && len + 1 > at)
			return ENAMETOOLONG;
		if (name) {
			at -= len;
			memcpy(ret + at, name, len);
			ret[--at] = '/';
		}
		if (!node->parent)
			break;
		name = node->name;
		node = node->parent;
	}
	/* A detached node has a name but no parent; so does what was below it. */
	if (node->name)
		return ESTALE;
	if (at == NODE_PATH_MAX)
		memcpy(ret, ".", 2);
	else
		memmove(ret, ret + at + 1, NODE_PATH_MAX - at);
	return 0;
}
