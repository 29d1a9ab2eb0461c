/* SPDX-License-Identifier: Apache-2.0 */
/* The reserved labels of schedules and what follows from them. */
#include "job/schedule_policy.h"

#include <stdlib.h>
#include <string.h>

#define CATCH_UP_NUMBER_MAX 1000

static const char *const overlap_names[] = {
        [OVERLAP_SKIP] = "skip",
        [OVERLAP_ALLOW] = "allow",
        [OVERLAP_QUEUE] = "queue",
        [OVERLAP_REPLACE] = "replace",
};

static int overlap_by_name(const char *name)
{
	for (int i = OVERLAP_SKIP; i <= OVERLAP_REPLACE; i++)
		if (strcmp(name, overlap_names[i]) == 0)
			return i;
	return -1;
}

/* "latest", "none", "all" or a number; -1: none of them. */
static int catch_up_count(const char *text, int all)
{
	size_t len = strlen(text);
	long number;

	if (strcmp(text, "latest") == 0)
		return 1;
	if (strcmp(text, "none") == 0)
		return 0;
	if (strcmp(text, "all") == 0)
		return all;
	if (len == 0 || len > 4 || strspn(text, "0123456789") != len)
		return -1;
	number = strtol(text, NULL, 10);
	return number <= CATCH_UP_NUMBER_MAX ? (int)number : -1;
}

int schedule_policy_read(const json_t *labels, const char **ret_catch_up, const char **ret_overlap,
                         struct error *err)
{
	const char *catch_up = json_string_value(json_object_get(labels, SCHEDULE_CATCH_UP_LABEL));
	const char *overlap = json_string_value(json_object_get(labels, SCHEDULE_OVERLAP_LABEL));

	if (catch_up && catch_up_count(catch_up, 1) < 0)
		return fail(err, E_INVALID,
		            "labels." SCHEDULE_CATCH_UP_LABEL
		            " must be latest, none, all, or a number of ticks up to %d",
		            CATCH_UP_NUMBER_MAX);
	if (overlap && overlap_by_name(overlap) < 0)
		return fail(err, E_INVALID,
		            "labels." SCHEDULE_OVERLAP_LABEL
		            " must be skip, allow, queue or replace");
	*ret_catch_up = catch_up;
	*ret_overlap = overlap;
	return 0;
}

struct schedule_policy schedule_policy_make(const struct configuration *configuration,
                                            const char *catch_up, const char *overlap,
                                            bool concurrency)
{
	int64_t all = configuration->schedule_catch_up_max;
	struct schedule_policy policy;
	int by_name;

	if (all > CATCH_UP_NUMBER_MAX)
		all = CATCH_UP_NUMBER_MAX;
	if (!catch_up)
		catch_up = configuration->schedule_catch_up;
	if (!overlap)
		overlap = concurrency ? "allow" : configuration->schedule_overlap;
	by_name = overlap_by_name(overlap);
	policy.overlap = by_name < 0 ? OVERLAP_SKIP : (enum overlap)by_name;
	policy.catch_up_max = catch_up_count(catch_up, (int)all);
	if (policy.catch_up_max < 0)
		policy.catch_up_max = 1;
	policy.is_catch_up_late = policy.catch_up_max > 1;
	return policy;
}
