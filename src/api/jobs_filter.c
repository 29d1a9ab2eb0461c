/* SPDX-License-Identifier: Apache-2.0 */
/* A filter that cannot be understood is refused, never ignored: a script must not act on too much.
 */
#include "api/jobs_filter.h"
#include "api/query_number.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000

void jobs_filter_clear(struct jobs_filter *filter)
{
	for (size_t i = 0; i < filter->query.n_labels; i++) {
		free(filter->keys[i]);
		free(filter->values[i]);
	}
	filter->query.n_labels = 0;
}

struct filter_reading {
	struct jobs_filter *filter;
	struct error *err; /* code E_NONE while all is well */
};

static bool jobs_filter_add_stage(void *arg, const char *value)
{
	struct filter_reading *reading = arg;
	int stage = stage_by_name(value);

	if (stage < 0) {
		fail(reading->err, E_INVALID,
		     "stage: unknown value \"%.64s\"; known are SCHEDULING, RUNNING, COMPLETED, "
		     "ERROR, CANCELED and DELETED",
		     value);
		return false;
	}
	reading->filter->query.stage_mask |= 1u << stage;
	return true;
}

static bool jobs_filter_add_label(void *arg, const char *value)
{
	struct filter_reading *reading = arg;
	struct jobs_filter *filter = reading->filter;
	const char *equals = strchr(value, '=');
	size_t n = filter->query.n_labels;

	if (n == JOBS_FILTER_LABELS_MAX || value[0] == '=' || !value[0]) {
		if (n == JOBS_FILTER_LABELS_MAX)
			fail(reading->err, E_INVALID, "label: more than %d filters",
			     JOBS_FILTER_LABELS_MAX);
		else
			fail(reading->err, E_INVALID, "label: must be key=value, got \"%.64s\"",
			     value);
		return false;
	}
	filter->keys[n] = equals ? xstrndup(value, (size_t)(equals - value)) : xstrdup(value);
	filter->values[n] = xstrdup(equals ? equals + 1 : "");
	filter->query.n_labels++;
	return true;
}

int jobs_filter_read(const struct http_request *request, const char *namespace_id,
                     struct jobs_filter *ret, struct error *err)
{
	struct filter_reading reading = {.filter = ret, .err = err};

	ret->query = (struct jobs_query){
	        .namespace_id = namespace_id,
	        .label_keys = (const char *const *)ret->keys,
	        .label_values = (const char *const *)ret->values,
	        .limit = PAGE_DEFAULT,
	};
	http_query_each(request, "stage", jobs_filter_add_stage, &reading);
	if (err->code == E_NONE)
		http_query_each(request, "label", jobs_filter_add_label, &reading);
	return err->code == E_NONE ? 0 : -1;
}

int jobs_filter_read_page(const struct http_request *request, struct jobs_filter *filter,
                          struct error *err)
{
	const char *cursor = http_query(request, "cursor");
	int64_t limit = filter->query.limit;

	if (cursor && cursor[0]) {
		if (!id_is_valid(cursor))
			return fail(err, E_INVALID,
			            "cursor: not one that this server gave; take it from the Link "
			            "header of the page before");
		memcpy(filter->before_id, cursor, ID_SIZE);
		filter->query.before_id = filter->before_id;
	}
	if (!query_number(request, "limit", 1, PAGE_MAX, &limit))
		return fail(err, E_INVALID, "limit: must be a number from 1 to %d", PAGE_MAX);
	filter->query.limit = (int)limit;
	return 0;
}
