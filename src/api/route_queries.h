/* SPDX-License-Identifier: Apache-2.0 */
/* The query parameters of the routes, for the table in routes.c. Each ends with a row of zeros. */
#ifndef HEARTH_API_ROUTE_QUERIES_H
#define HEARTH_API_ROUTE_QUERIES_H

#include "api/routes.h"

extern const struct route_query list_query[];
extern const struct route_query count_query[];
extern const struct route_query schedules_query[];
extern const struct route_query history_query[];
extern const struct route_query usage_query[];
extern const struct route_query usage_records_query[];
extern const struct route_query logs_query[];
extern const struct route_query metrics_history_query[];
extern const struct route_query import_query[];
extern const struct route_query pull_query[];
extern const struct route_query bucket_list_query[];
extern const struct route_query tree_query[];
extern const struct route_query put_query[];
extern const struct route_query resolve_query[];
extern const struct route_query queue_query[];
extern const struct route_query deliveries_query[];

#endif
