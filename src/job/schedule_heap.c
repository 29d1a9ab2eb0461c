/* SPDX-License-Identifier: Apache-2.0 */
/* Which schedule is next: a binary heap by next_ms, each schedule knowing its place. */
#include "job/schedule_private.h"

#include "base/memory.h"

#include <stdlib.h>

struct schedule *heap_first(const struct schedule_service *service)
{
	return service->heap_count ? service->heap[0] : NULL;
}

static void heap_put(struct schedule_service *service, size_t place, struct schedule *schedule)
{
	service->heap[place] = schedule;
	schedule->place = place;
}

static void heap_up(struct schedule_service *service, size_t place)
{
	struct schedule *schedule = service->heap[place];

	while (place > 0) {
		size_t parent = (place - 1) / 2;

		if (service->heap[parent]->next_ms <= schedule->next_ms)
			break;
		heap_put(service, place, service->heap[parent]);
		place = parent;
	}
	heap_put(service, place, schedule);
}

static void heap_down(struct schedule_service *service, size_t place)
{
	struct schedule *schedule = service->heap[place];

	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= service->heap_count)
			break;
		if (child + 1 < service->heap_count &&
		    service->heap[child + 1]->next_ms < service->heap[child]->next_ms)
			child++;
		if (service->heap[child]->next_ms >= schedule->next_ms)
			break;
		heap_put(service, place, service->heap[child]);
		place = child;
	}
	heap_put(service, place, schedule);
}

static void heap_add(struct schedule_service *service, struct schedule *schedule)
{
	if (service->heap_count == service->heap_cap) {
		service->heap_cap = service->heap_cap ? service->heap_cap * 2 : 256;
		service->heap = xrealloc(service->heap, service->heap_cap * sizeof(*service->heap));
	}
	heap_put(service, service->heap_count++, schedule);
	heap_up(service, schedule->place);
}

static void heap_remove(struct schedule_service *service, struct schedule *schedule)
{
	struct schedule *last = service->heap[--service->heap_count];
	size_t place = schedule->place;

	schedule->place = NOT_IN_HEAP;
	if (last == schedule)
		return;
	heap_put(service, place, last);
	heap_up(service, place);
	heap_down(service, last->place);
}

void heap_update(struct schedule_service *service, struct schedule *schedule)
{
	bool is_in = schedule->place != NOT_IN_HEAP;

	if (schedule->next_ms == SCHEDULE_NEVER) {
		if (is_in)
			heap_remove(service, schedule);
	} else if (!is_in) {
		heap_add(service, schedule);
	} else {
		heap_up(service, schedule->place);
		heap_down(service, schedule->place);
	}
}

void heap_clear(struct schedule_service *service)
{
	free(service->heap);
	service->heap = NULL;
	service->heap_count = service->heap_cap = 0;
}
