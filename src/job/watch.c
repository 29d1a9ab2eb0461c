/* SPDX-License-Identifier: Apache-2.0 */
/* Those who want to know when a job changes: log and event streams, the API's waiting calls. */
#include "job/active.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

struct watched {
	struct id_entry entry;
	struct job_watch *first;
};

struct job_watch {
	struct job_service *service;
	struct watched *watched;
	struct job_watch *previous, *next;
	void (*fn)(void *arg);
	void *arg;
};

struct job_watch *job_watch(struct job_service *service, const char *id, void (*fn)(void *arg),
                            void *arg)
{
	struct watched *watched = id_table_find(&service->watched, id);
	struct job_watch *watch = xcalloc(1, sizeof(*watch));

	if (!watched) {
		watched = xcalloc(1, sizeof(*watched));
		snprintf(watched->entry.id, ID_SIZE, "%s", id);
		id_table_add(&service->watched, &watched->entry);
	}
	*watch = (struct job_watch){service, watched, NULL, watched->first, fn, arg};
	if (watched->first)
		watched->first->previous = watch;
	watched->first = watch;
	return watch;
}

void job_unwatch(struct job_watch *watch)
{
	struct job_service *service;

	if (!watch)
		return;
	service = watch->service;
	if (service->next_watch == watch)
		service->next_watch = watch->next;
	*(watch->previous ? &watch->previous->next : &watch->watched->first) = watch->next;
	if (watch->next)
		watch->next->previous = watch->previous;
	if (!watch->watched->first) {
		id_table_remove(&service->watched, &watch->watched->entry);
		free(watch->watched);
	}
	free(watch);
}

/* A watcher may unwatch itself or any other from inside; one that comes meanwhile is not told. */
void watch_tell(struct job_service *service, const char *id)
{
	struct watched *watched = id_table_find(&service->watched, id);

	service->next_watch = watched ? watched->first : NULL;
	while (service->next_watch) {
		struct job_watch *watch = service->next_watch;

		service->next_watch = watch->next;
		watch->fn(watch->arg);
	}
}

static void watch_free(struct id_entry *entry)
{
	struct watched *watched = (struct watched *)entry;

	while (watched->first) {
		struct job_watch *watch = watched->first;

		watched->first = watch->next;
		free(watch);
	}
	free(watched);
}

void watch_clear(struct job_service *service)
{
	id_table_clear(&service->watched, watch_free);
}
