/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of list and count, from the query of a request (hub-jobs-api 2.5). */
#ifndef HEARTH_API_JOBS_FILTER_H
#define HEARTH_API_JOBS_FILTER_H

#include "net/http_server.h"
#include "store/jobs.h"

#define JOBS_FILTER_LABELS_MAX 32

struct jobs_filter {
	struct jobs_query query; /* points into this struct: do not copy it */
	char *keys[JOBS_FILTER_LABELS_MAX], *values[JOBS_FILTER_LABELS_MAX];
	char before_id[ID_SIZE];
};
void jobs_filter_clear(struct jobs_filter *filter);
#define autofilter __attribute__((cleanup(jobs_filter_clear)))

/* Stages and labels. */
int jobs_filter_read(const struct http_request *request, const char *namespace_id,
		     struct jobs_filter *ret, struct error *err);
/* Cursor and limit besides. */
int jobs_filter_read_page(const struct http_request *request, struct jobs_filter *filter,
			  struct error *err);

#endif
