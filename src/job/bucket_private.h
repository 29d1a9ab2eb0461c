/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the bucket service: bucket_service.c (folders, quotas, who has a bucket mounted), bucket_change.c (create,
 * delete, move), bucket_recover.c (what a crash left), bucket_list.c (entries with their hashes),
 * bucket_select.c (other orders, bucket_select.h), bucket_batch.c and
 * bucket_put.c (changes of files), bucket_refresh.c (counting, and what jobs wrote).
 */
#ifndef HEARTH_JOB_BUCKET_PRIVATE_H
#define HEARTH_JOB_BUCKET_PRIVATE_H

#include "job/bucket_service.h"
#include "job/id_table.h"

#define BUCKET_LINES_PER_TURN 100 /* of an answer of hearth-files, or entries handed out */
#define BUCKET_TEXT_MAX 1024

struct bucket_service {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	struct file_worker *worker;
	struct webhook_service *webhooks;
	char *root; /* STATE/buckets */
	char *xet;  /* STATE/xet */
	char *tmp, *trash, *found; /* in root */
	struct id_table states;
};

/* What is going on with a bucket; gone when nothing is. */
struct bucket_state {
	struct id_entry entry; /* of the bucket */
	struct bucket_service *service;
	struct id_list mounted_by; /* jobs */
	int busy;		   /* changes by hearth-files that run */
	bool is_count_wanted, is_counting;
	struct loop_timer *count_timer;
};

struct bucket_state *bucket_state_of(struct bucket_service *service, const char *bucket_id);
void bucket_state_release(struct bucket_state *state); /* forget it if nothing is going on */
/* A change of files begins and ends; a bucket in the middle of one is neither moved nor deleted. */
void bucket_busy_begin(struct bucket_service *service, const char *bucket_id);
void bucket_busy_end(struct bucket_service *service, const char *bucket_id);

/* Absolute folder of what a namespace has uploaded, made if missing. Yours to free. */
char *bucket_store_path(const struct bucket_service *service, const char *namespace_id);
void bucket_store_remove(const struct bucket_service *service, const char *namespace_id, const char *hash); /* a xorb */
char *bucket_path_of(const struct bucket_service *service, const char *namespace_name, const char *name);
void bucket_recover(struct bucket_service *service);
/* Remove a tree below .trash in the background. */
void bucket_wipe(struct bucket_service *service, const char *path);

/* Take a FILE line of hearth-files into the rows (file and chunk table). `ret` borrows from `line`. -1: it is not one. */
int bucket_note_file(struct bucket_service *service, const char *bucket_id, const json_t *line, const char *content_type,
		     int64_t uploaded_ms, struct bucket_file *ret);

void bucket_list_at_leisure(struct bucket_service *service, const struct bucket *bucket,
			    const struct bucket_list_query *query, bucket_entry_fn *entry, bucket_done_fn *done, void *arg);

/* Files have changed: by so much as is known at once; an exact count follows some seconds later. */
void bucket_usage_add(struct bucket_service *service, const char *bucket_id, int64_t bytes, int64_t files);
void bucket_count_later(struct bucket_service *service, const char *bucket_id);

#endif
