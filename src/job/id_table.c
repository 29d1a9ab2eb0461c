/* SPDX-License-Identifier: Apache-2.0 */
/* A chained hash table that doubles; small enough not to need a library. */
#include "job/id_table.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64

static size_t id_table_hash(const char *id)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 0x100000001b3u;
	return (size_t)(hash ^ hash >> 32);
}

static struct id_entry **id_table_bucket(const struct id_table *table, const char *id)
{
	return &table->buckets[id_table_hash(id) & (table->n_buckets - 1)];
}

static void id_table_grow(struct id_table *table)
{
	struct id_table bigger = {.n_buckets =
	                                  table->n_buckets ? table->n_buckets * 2 : FIRST_BUCKETS};

	bigger.buckets = xcalloc(bigger.n_buckets, sizeof(*bigger.buckets));
	for (size_t i = 0; i < table->n_buckets; i++) {
		while (table->buckets[i]) {
			struct id_entry *entry = table->buckets[i];
			struct id_entry **bucket = id_table_bucket(&bigger, entry->id);

			table->buckets[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	bigger.count = table->count;
	free(table->buckets);
	*table = bigger;
}

void id_table_clear(struct id_table *table, void (*free_entry)(struct id_entry *entry))
{
	for (size_t i = 0; i < table->n_buckets; i++) {
		while (table->buckets[i]) {
			struct id_entry *entry = table->buckets[i];

			table->buckets[i] = entry->next;
			free_entry(entry);
		}
	}
	free(table->buckets);
	*table = (struct id_table){0};
}

void *id_table_find(const struct id_table *table, const char *id)
{
	if (!table->n_buckets)
		return NULL;
	for (struct id_entry *entry = *id_table_bucket(table, id); entry; entry = entry->next)
		if (strcmp(entry->id, id) == 0)
			return entry;
	return NULL;
}

void id_table_add(struct id_table *table, struct id_entry *entry)
{
	struct id_entry **bucket;

	if (table->count >= table->n_buckets)
		id_table_grow(table);
	bucket = id_table_bucket(table, entry->id);
	entry->next = *bucket;
	*bucket = entry;
	table->count++;
}

void id_table_remove(struct id_table *table, struct id_entry *entry)
{
	struct id_entry **at = id_table_bucket(table, entry->id);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	table->count--;
}

void id_list_add(struct id_list *list, const char *id)
{
	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 16;
		list->ids = xrealloc(list->ids, list->cap * sizeof(*list->ids));
	}
	memcpy(list->ids[list->count++], id, ID_SIZE);
}

void id_list_clear(struct id_list *list)
{
	free(list->ids);
	*list = (struct id_list){0};
}
