/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of a listing in another order than that of hearth-files: all entries come by, those that
 * belong to the page are kept. Memory is that of one page, however large the bucket is.
 */
#ifndef HEARTH_JOB_BUCKET_SELECT_H
#define HEARTH_JOB_BUCKET_SELECT_H

#include "job/bucket_service.h"

struct listed {
	struct listed *next;
	char *path, *content_type;
	bool is_directory;
	bool is_known; /* `file` has its hash; its uploaded_ms counts anyway */
	struct bucket_file file;
};
void listed_free(struct listed *listed);

struct bucket_select;
/* NULL if the order of the query is that of hearth-files. Strings of the query are copied. */
struct bucket_select *bucket_select_new(const struct bucket_list_query *query);
void bucket_select_free(struct bucket_select *select); /* NULL is fine */
void bucket_select_add(struct bucket_select *select, struct listed *take_listed);
/* The page as a list in its order, yours; once. */
struct listed *bucket_select_take(struct bucket_select *select, bool *ret_has_more);

#endif
