/* SPDX-License-Identifier: Apache-2.0 */
/* A heap whose root is the last entry of the page so far: the first to make room. */
#include "job/bucket_select.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct bucket_select {
	enum bucket_order order;
	bool is_descending, has_more;
	struct listed *after; /* NULL: from the first */
	struct listed **heap;
	size_t count, limit;
};

void listed_free(struct listed *listed)
{
	free(listed->path);
	free(listed->content_type);
	free(listed);
}

struct bucket_select *bucket_select_new(const struct bucket_list_query *query)
{
	struct bucket_select *select;

	if (query->order == BUCKET_BY_PATH && !query->is_descending)
		return NULL;
	select = xcalloc(1, sizeof(*select));
	select->order = query->order;
	select->is_descending = query->is_descending;
	select->limit = (size_t)query->limit;
	select->heap = xcalloc(select->limit, sizeof(struct listed *));
	if (query->after) {
		select->after = xcalloc(1, sizeof(struct listed));
		select->after->path = xstrdup(query->after);
		select->after->file.uploaded_ms = query->after_uploaded_ms;
	}
	return select;
}

void bucket_select_free(struct bucket_select *select)
{
	if (!select)
		return;
	for (size_t i = 0; i < select->count; i++)
		listed_free(select->heap[i]);
	if (select->after)
		listed_free(select->after);
	free(select->heap);
	free(select);
}

/* Folders have no time of upload: they count as older than every file. */
static int compare(const struct bucket_select *select, const struct listed *a,
                   const struct listed *b)
{
	int order = 0;

	if (select->order == BUCKET_BY_UPLOAD)
		order = (a->file.uploaded_ms > b->file.uploaded_ms) -
		        (a->file.uploaded_ms < b->file.uploaded_ms);
	if (order == 0)
		order = strcmp(a->path, b->path);
	return select->is_descending ? -order : order;
}

static void swap(struct bucket_select *select, size_t a, size_t b)
{
	struct listed *held = select->heap[a];

	select->heap[a] = select->heap[b];
	select->heap[b] = held;
}

static void sink(struct bucket_select *select)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < select->count) {
		if (child + 1 < select->count &&
		    compare(select, select->heap[child + 1], select->heap[child]) > 0)
			child++;
		if (compare(select, select->heap[at], select->heap[child]) >= 0)
			return;
		swap(select, at, child);
		at = child;
	}
}

static void push(struct bucket_select *select, struct listed *listed)
{
	size_t at = select->count++;

	select->heap[at] = listed;
	while (at > 0 && compare(select, select->heap[at], select->heap[(at - 1) / 2]) > 0) {
		swap(select, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

void bucket_select_add(struct bucket_select *select, struct listed *take_listed)
{
	if (select->after && compare(select, take_listed, select->after) <= 0) {
		listed_free(take_listed);
		return;
	}
	if (select->count < select->limit) {
		push(select, take_listed);
		return;
	}
	select->has_more = true;
	if (compare(select, take_listed, select->heap[0]) >= 0) {
		listed_free(take_listed);
		return;
	}
	listed_free(select->heap[0]);
	select->heap[0] = take_listed;
	sink(select);
}

struct listed *bucket_select_take(struct bucket_select *select, bool *ret_has_more)
{
	struct listed *first = NULL;

	while (select->count > 0) {
		struct listed *last = select->heap[0];

		select->heap[0] = select->heap[--select->count];
		sink(select);
		last->next = first;
		first = last;
	}
	*ret_has_more = select->has_more;
	return first;
}
