/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of usage share. */
#ifndef HEARTH_API_USAGE_H
#define HEARTH_API_USAGE_H

#include "api/answer.h"
#include "job/billing.h"

#include <jansson.h>

/* What a request asks about. */
struct usage_scope {
	struct account ns;	  /* when has_namespace */
	bool has_namespace;	  /* false: all, for an admin on the Unix socket */
	int64_t from_day, to_day; /* to_day excluded; by default this month until today */
};
/* From the query: namespace (the caller's own by default; its read right is checked), from, to. False: answered. */
bool usage_read_scope(struct api *api, struct http_request *request, struct usage_scope *ret);

/* "2026-05-12" */
json_t *usage_day_json(int64_t day);
json_t *usage_time_json(int64_t unix_ms); /* null for 0 */
/* Budget, credits and what was spent this month. */
json_t *usage_month_json(struct api *api, const struct account *ns);

#endif
