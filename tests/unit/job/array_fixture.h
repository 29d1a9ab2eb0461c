/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of arrays share: submitting them, and looking at their elements. */
#ifndef HEARTH_TESTS_ARRAY_FIXTURE_H
#define HEARTH_TESTS_ARRAY_FIXTURE_H

#include "job_fixture.h"

#include "job/active.h"
#include "job/array.h"
#include "store/arrays.h"
#include "store/dependencies.h"

#define UNFINISHED ((1u << STAGE_SCHEDULING) | (1u << STAGE_RUNNING))

static inline json_t *array(const char *range)
{
	return json_pack("{s:{s:s}}", "labels", "hearth.array", range);
}

static inline json_t *array_with(const char *range, const char *label, const char *value)
{
	return json_pack("{s:{s:s, s:s}}", "labels", "hearth.array", range, label, value);
}

struct elements {
	char ids[ARRAY_ELEMENTS_MAX][ID_SIZE];
	int numbers[ARRAY_ELEMENTS_MAX];
	int count;
};

static inline void elements_note(void *arg, const struct array_element *element)
{
	struct elements *elements = arg;

	elements->numbers[elements->count] = element->number;
	memcpy(elements->ids[elements->count++], element->job_id, ID_SIZE);
}

static inline struct elements *elements_of(struct job_fixture *f, const char *id, unsigned stages)
{
	static struct elements elements;

	elements.count = 0;
	elements_each(f->store->db, id, 0, stages, ARRAY_ELEMENTS_MAX, elements_note, &elements);
	return &elements;
}

static inline bool is_live(struct job_fixture *f, const char *id)
{
	const struct active_job *active = active_find(f->service, id);

	return active && active->is_live;
}

static inline void wait_made(struct job_fixture *f, const char *id)
{
	struct array_plan plan;

	do {
		turn(f);
		assert_true(arrays_find(f->store->db, id, &plan));
	} while (plan.next <= plan.last);
	turn(f);
}

static inline void wait_over(struct job_fixture *f, const char *id)
{
	while (!job_is_settled(f->service, id) || elements_of(f, id, UNFINISHED)->count > 0)
		turn(f);
}

static inline int count_live(struct job_fixture *f, const char *id)
{
	const struct elements *elements = elements_of(f, id, UNFINISHED);
	int live = 0;

	for (int i = 0; i < elements->count; i++)
		live += is_live(f, elements->ids[i]);
	return live;
}

#endif
