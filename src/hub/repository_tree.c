/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in one array, names in one text, and a hash table from (parent, name) to the node. */
#include "hub/repository_tree.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX ((size_t)1 << 30)
#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 4096
#define SLOTS_FIRST 1024

struct repository_tree {
	char *top;
	struct tree_node *nodes; /* [0] is not used */
	uint32_t count, cap;
	struct buffer names;
	uint32_t *slots; /* a power of two; 0: free */
	uint32_t n_slots;
};

struct repository_tree *repository_tree_new(const char *top)
{
	struct repository_tree *tree = xcalloc(1, sizeof(*tree));

	tree->top = xstrdup(top);
	tree->cap = 256;
	tree->nodes = xcalloc(tree->cap, sizeof(*tree->nodes));
	tree->n_slots = SLOTS_FIRST;
	tree->slots = xcalloc(tree->n_slots, sizeof(*tree->slots));
	tree->names = BUFFER_INIT(NAMES_MAX);
	(void)buffer_add(&tree->names, "", 1);
	tree->count = TREE_ROOT;
	tree->nodes[TREE_ROOT] = (struct tree_node){.is_directory = true};
	return tree;
}

void repository_tree_free(struct repository_tree *tree)
{
	if (!tree)
		return;
	free(tree->top);
	free(tree->nodes);
	free(tree->slots);
	buffer_clear(&tree->names);
	free(tree);
}

struct tree_node *repository_tree_node(struct repository_tree *tree, uint32_t number)
{
	return number >= TREE_ROOT && number <= tree->count ? &tree->nodes[number] : NULL;
}

const char *repository_tree_name(const struct repository_tree *tree, const struct tree_node *node)
{
	return tree->names.data + node->name;
}

uint32_t repository_tree_count(const struct repository_tree *tree)
{
	return tree->count;
}

/* FNV-1a: names of a repository choose which ones collide, and hurt only its own readers. */
static uint32_t tree_hash(uint32_t parent, const char *name, size_t len)
{
	uint32_t hash = 2166136261u ^ parent * 2654435761u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash ^ hash >> 15;
}

/* The slot of that name, or the free one where it belongs. */
static uint32_t *tree_slot(const struct repository_tree *tree, uint32_t parent, const char *name,
                           size_t len)
{
	uint32_t at = tree_hash(parent, name, len) & (tree->n_slots - 1);

	for (;; at = (at + 1) & (tree->n_slots - 1)) {
		const struct tree_node *node = &tree->nodes[tree->slots[at]];
		const char *text = tree->names.data + node->name;

		if (tree->slots[at] == 0)
			return &tree->slots[at];
		if (node->parent == parent && strncmp(text, name, len) == 0 && text[len] == '\0')
			return &tree->slots[at];
	}
}

uint32_t repository_tree_find(struct repository_tree *tree, uint32_t parent, const char *name)
{
	return *tree_slot(tree, parent, name, strlen(name));
}

static void tree_grow_slots(struct repository_tree *tree)
{
	free(tree->slots);
	tree->n_slots *= 2;
	tree->slots = xcalloc(tree->n_slots, sizeof(*tree->slots));
	for (uint32_t i = TREE_ROOT + 1; i <= tree->count; i++) {
		const char *name = tree->names.data + tree->nodes[i].name;

		*tree_slot(tree, tree->nodes[i].parent, name, strlen(name)) = i;
	}
}

static void tree_link(struct repository_tree *tree, uint32_t parent, uint32_t number)
{
	struct tree_node *folder = &tree->nodes[parent];

	if (folder->last_child)
		tree->nodes[folder->last_child].next = number;
	else
		folder->first_child = number;
	folder->last_child = number;
}

static int tree_insert(struct repository_tree *tree, uint32_t parent, const char *name, size_t len,
                       bool is_directory, uint32_t *ret, struct error *err)
{
	uint32_t *slot = tree_slot(tree, parent, name, len);

	if (*slot) {
		*ret = *slot;
		return 0;
	}
	if (tree->count >= TREE_NODES_MAX || buffer_reserve(&tree->names, len + 1) < 0)
		return fail(err, E_TOO_LARGE,
		            "the repository has more than %d files; mount a folder of it (path)",
		            TREE_NODES_MAX);
	if (tree->count + 1 >= tree->cap) {
		tree->cap *= 2;
		tree->nodes = xrealloc(tree->nodes, tree->cap * sizeof(*tree->nodes));
	}
	*slot = ++tree->count;
	*ret = *slot;
	tree->nodes[*ret] = (struct tree_node){
	        .parent = parent, .name = (uint32_t)tree->names.len, .is_directory = is_directory};
	(void)buffer_add(&tree->names, name, len);
	(void)buffer_add(&tree->names, "", 1);
	tree_link(tree, parent, *ret);
	if (tree->count * 2 > tree->n_slots)
		tree_grow_slots(tree);
	return 0;
}

static bool tree_name_is_plain(const char *name, size_t len)
{
	return len > 0 && len <= NAME_MAX_BYTES && !(len == 1 && name[0] == '.') &&
	       !(len == 2 && name[0] == '.' && name[1] == '.');
}

/* The path below the top; NULL when it is not below it, or cannot be shown. */
static const char *tree_relative(const struct repository_tree *tree, const char *path)
{
	size_t len = strlen(tree->top);
	const char *part;

	if (strlen(path) > PATH_MAX_BYTES)
		return NULL;
	if (len > 0) {
		if (strncmp(path, tree->top, len) != 0 || path[len] != '/')
			return NULL;
		path += len + 1;
	}
	for (part = path;; part++) {
		size_t n = strcspn(part, "/");

		if (!tree_name_is_plain(part, n))
			return NULL;
		part += n;
		if (!*part)
			return path;
	}
}

static int tree_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void tree_set_oid(struct tree_node *node, const char *hex)
{
	size_t len = strlen(hex) / 2;

	node->oid_len = 0;
	if ((len != 20 && len != 32) || strlen(hex) % 2)
		return;
	for (size_t i = 0; i < len; i++) {
		int high = tree_hex_digit(hex[2 * i]), low = tree_hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		node->oid[i] = (uint8_t)(high << 4 | low);
	}
	node->oid_len = (uint8_t)len;
}

static int tree_add_entry(struct repository_tree *tree, const json_t *entry, struct error *err)
{
	const char *type = json_get_text(entry, "type", "");
	const char *path = json_get_text(entry, "path", "");
	const json_t *lfs = json_object_get(entry, "lfs");
	bool is_directory = strcmp(type, "directory") == 0;
	uint32_t number = TREE_ROOT;
	int64_t size = json_get_int(lfs, "size", json_get_int(entry, "size", 0));

	path = tree_relative(tree, path);
	if (!path || (!is_directory && strcmp(type, "file") != 0) || size < 0)
		return 0;
	while (*path) {
		size_t len = strcspn(path, "/");
		bool is_last = path[len] == '\0';

		if (!tree->nodes[number].is_directory)
			return 0;
		if (tree_insert(tree, number, path, len, !is_last || is_directory, &number, err) <
		    0)
			return -1;
		path += len + !is_last;
	}
	if (!is_directory && !tree->nodes[number].is_directory) {
		tree->nodes[number].size = size;
		tree_set_oid(&tree->nodes[number],
		             json_get_text(lfs, "oid", json_get_text(entry, "oid", "")));
	}
	return 0;
}

int repository_tree_add(struct repository_tree *tree, const json_t *page, struct error *err)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(page))
		return fail(err, E_UNAVAILABLE, "the Hub's list of files is not an array");
	json_array_foreach(page, i, entry)
	{
		if (tree_add_entry(tree, entry, err) < 0)
			return -1;
	}
	return 0;
}

void repository_tree_set_all_listed(struct repository_tree *tree)
{
	for (uint32_t i = TREE_ROOT; i <= tree->count; i++)
		tree->nodes[i].is_listed = true;
}

void repository_tree_path(struct repository_tree *tree, uint32_t number, struct buffer *ret)
{
	const struct tree_node *node = &tree->nodes[number];

	if (number == TREE_ROOT) {
		(void)buffer_add_text(ret, tree->top);
		return;
	}
	repository_tree_path(tree, node->parent, ret);
	if (ret->len > 0)
		(void)buffer_add_byte(ret, '/');
	(void)buffer_add_text(ret, repository_tree_name(tree, node));
}
