/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a job may wait for. A new job closes no cycle, since nobody can wait for it yet; a changed
 * label can. An element waits for what its array waits for, and the array for its elements: on the
 * way through the graph both are one.
 */
#include "job/dependency.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "job/active.h"
#include "store/arrays.h"
#include "store/dependencies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "labels.hearth.after"
#define NAMED_MAX 8      /* of a cycle */
#define VISITED_MAX 1000 /* each costs the loop some 15 microseconds */

struct visit {
	struct id_entry entry;
	const struct visit *from; /* who waits for it; NULL: the job in question */
	struct visit *next;
};

struct search {
	struct job_service *service;
	struct id_table visited;
	struct visit *first, **end;
	const struct visit *from;
};

static void search_add(struct search *search, const char *id)
{
	struct visit *visit;

	if (id_table_find(&search->visited, id))
		return;
	visit = xcalloc(1, sizeof(*visit));
	memcpy(visit->entry.id, id, ID_SIZE);
	visit->from = search->from;
	id_table_add(&search->visited, &visit->entry);
	*search->end = visit;
	search->end = &visit->next;
}

static void search_add_after(void *arg, const struct dependency *after)
{
	search_add(arg, after->id);
}

static void search_expand(struct search *search, const struct visit *visit)
{
	struct database *db = search->service->db;
	char array_id[ID_SIZE];
	int number;

	search->from = visit;
	dependencies_each_after(db, visit->entry.id, search_add_after, search);
	if (elements_find_array(db, visit->entry.id, array_id, &number))
		search_add(search, array_id);
}

static void search_free_visit(struct id_entry *entry)
{
	free(entry);
}

/* "A, which waits for B, which waits for job_id"; the middle of a long one is left out. */
static void search_describe(const struct visit *last, char *ret, size_t size)
{
	const struct visit *path[NAMED_MAX] = {0};
	size_t n = 0, steps = 0, len = 0;

	for (; last; last = last->from, steps++) {
		if (n < NAMED_MAX)
			n++;
		path[n - 1] = last;
	}
	for (size_t i = n; i-- > 0 && len < size;) {
		const char *joint = ", which waits for ";

		if (i == n - 1)
			joint = "";
		else if (i == n - 2 && steps > n)
			joint = ", which waits for others, and those for ";
		len += (size_t)snprintf(ret + len, size - len, "%s%s", joint, path[i]->entry.id);
	}
}

static int dependency_check_cycle(struct job_service *service, const char *job_id,
                                  const struct job_wishes *wishes, struct error *err)
{
	struct search search = {.service = service};
	struct visit *visit;
	int rc = 0;

	search.end = &search.first;
	for (int i = 0; i < wishes->n_after; i++)
		search_add(&search, wishes->after[i]);
	for (visit = search.first; visit && rc == 0; visit = visit->next) {
		char path[384];

		if (search.visited.count > VISITED_MAX) {
			rc = fail(err, E_TOO_LARGE,
			          LABEL ": those jobs wait for more than %d others in turn, which "
			                "are too many to look for a cycle; submit the job anew "
			                "with the label",
			          VISITED_MAX);
			break;
		}
		if (strcmp(visit->entry.id, job_id) != 0) {
			search_expand(&search, visit);
			continue;
		}
		search_describe(visit, path, sizeof(path));
		rc = fail(err, E_INVALID,
		          LABEL ": the job would wait for itself: it for %s; leave one of them out",
		          path);
	}
	id_table_clear(&search.visited, search_free_visit);
	return rc;
}

static int dependency_check_one(struct job_service *service, const struct account *caller,
                                const char *id, struct error *err)
{
	struct dependency after;

	if (!dependencies_look(service->db, id, &after) || after.stage == STAGE_DELETED ||
	    accounts_role(service->db, caller->id, after.namespace_id) < ROLE_READ)
		return fail(err, E_NOT_FOUND, LABEL ": job %s was not found", id);
	if (stage_is_terminal(after.stage) && after.stage != STAGE_COMPLETED)
		return fail(
		        err, E_CONFLICT,
		        LABEL
		        ": job %s has ended with %s, so what waits for it would never run; name "
		        "one that is waiting, running or COMPLETED",
		        id, stage_name(after.stage));
	return 0;
}

int dependency_check(struct job_service *service, const char *job_id, const struct account *caller,
                     const struct job_wishes *wishes, struct error *err)
{
	char array_id[ID_SIZE];
	int number;

	for (int i = 0; i < wishes->n_after; i++) {
		if (job_id && strcmp(wishes->after[i], job_id) == 0)
			return fail(err, E_INVALID, LABEL ": a job cannot wait for itself");
		if (dependency_check_one(service, caller, wishes->after[i], err) < 0)
			return -1;
	}
	if (!job_id || wishes->n_after == 0)
		return 0;
	if (elements_find_array(service->db, job_id, array_id, &number))
		return fail(err, E_CONFLICT,
		            LABEL ": the job is element %d of array %s; set the label of the array",
		            number, array_id);
	return dependency_check_cycle(service, job_id, wishes, err);
}
