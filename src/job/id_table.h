/* SPDX-License-Identifier: Apache-2.0 */
/* Things by their id: a hash table of structs that begin with a struct id_entry. Owns nothing. */
#ifndef HEARTH_JOB_ID_TABLE_H
#define HEARTH_JOB_ID_TABLE_H

#include "base/id.h"

#include <stddef.h>

struct id_entry {
	char id[ID_SIZE];
	struct id_entry *next;
};

struct id_table {
	struct id_entry **buckets;
	size_t n_buckets, count;
};

void id_table_clear(struct id_table *table, void (*free_entry)(struct id_entry *entry));
void *id_table_find(const struct id_table *table, const char *id); /* NULL: there is none */
/* `entry->id` must be set and not yet in the table. */
void id_table_add(struct id_table *table, struct id_entry *entry);
void id_table_remove(struct id_table *table, struct id_entry *entry);

/* Ids in the order of adding. */
struct id_list {
	char (*ids)[ID_SIZE];
	size_t count, cap;
};

void id_list_add(struct id_list *list, const char *id);
void id_list_clear(struct id_list *list);

#endif
