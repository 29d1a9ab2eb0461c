/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets, as the API and jobs see them: rows of store/buckets.h, folders below STATE/buckets, and
 * hearth-files for the work on them. Rights are the caller's business (api/access.h).
 */
#ifndef HEARTH_JOB_BUCKET_SERVICE_H
#define HEARTH_JOB_BUCKET_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/file_worker.h"
#include "net/loop.h"
#include "store/buckets.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket_service;
struct webhook_service;

struct bucket_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	struct file_worker *worker;
	const char *state_dir;
	struct webhook_service *webhooks; /* hears of every change; NULL: nobody */
};

/* Makes STATE/buckets and STATE/xet if missing; after a reboot forgets xorbs that were not flushed and, if there were
 * any, begins a new epoch (xet-cas.md 2.7). */
int bucket_service_new(const struct bucket_service_options *options, struct bucket_service **ret, struct error *err);
void bucket_service_free(struct bucket_service *service);

/* `caused_by_job`, here and below: the job that does it, for webhooks; NULL: no job.
 * Row and folder. E_CONFLICT: it exists, *ret is it. */
int bucket_create(struct bucket_service *service, const struct account *owner, const char *name, bool is_private,
		  const char *caused_by_job, struct bucket *ret, struct error *err);
/* E_CONFLICT while a job has it mounted (the sentence names the job). The files go away in the background. */
int bucket_delete(struct bucket_service *service, const struct bucket *bucket, const char *caused_by_job,
		  struct error *err);
int bucket_move(struct bucket_service *service, const struct bucket *bucket, const struct account *owner, const char *name,
		const char *caused_by_job, struct error *err);
/* The folder of a bucket, for reading files of it (hub/bucket_path.h); yours to close. */
int bucket_folder_open(struct bucket_service *service, const struct bucket *bucket, int *ret_fd, struct error *err);
/* Absolute path of that folder. Yours to free. */
char *bucket_folder_path(const struct bucket_service *service, const struct bucket *bucket);

/*
 * Files. `entry` is called once per file or folder, in order, from a later turn, then `done` once.
 * Every file has its hash: what is not known yet is hashed first.
 */
struct bucket_entry {
	const char *path;
	bool is_directory;
	const struct bucket_file *file; /* NULL for a directory */
};
typedef void bucket_done_fn(void *arg, bool has_more, const struct error *err); /* err NULL: fine */
typedef void bucket_entry_fn(void *arg, const struct bucket_entry *entry);
enum bucket_order { BUCKET_BY_PATH, BUCKET_BY_UPLOAD };
/* Any order but that of ascending paths looks at everything below the prefix for each page. */
struct bucket_list_query {
	const char *prefix; /* "" or a path; matched at component boundaries */
	bool is_recursive;
	const char *after; /* NULL: from the first */
	int64_t after_uploaded_ms; /* with BUCKET_BY_UPLOAD: of `after`; 0 for a folder */
	int limit;
	enum bucket_order order;
	bool is_descending;
};
void bucket_list(struct bucket_service *service, const struct bucket *bucket, const struct bucket_list_query *query,
		 bucket_entry_fn *entry, bucket_done_fn *done, void *arg);
void bucket_stat(struct bucket_service *service, const struct bucket *bucket, const char *const *paths, size_t count,
		 bucket_entry_fn *entry, bucket_done_fn *done, void *arg);

/* One change of many files: lines as in hub-jobs-api 7.6, already checked for form (an array of objects; `copyFile` has got
 * "sourceBucketId" by the caller, who has checked the right to read it). `result`, an array of {"path","error"}, is
 * borrowed. */
typedef void bucket_batch_fn(void *arg, int processed, int succeeded, const json_t *failed, const struct error *err);
void bucket_batch(struct bucket_service *service, const struct bucket *bucket, const json_t *operations,
		  const char *caused_by_job, bucket_batch_fn *fn, void *arg);
/* One file from a body (an extension of Hearth, for `hearth bucket cp`). mtime_ns -1: now. */
void bucket_put(struct bucket_service *service, const struct bucket *bucket, const char *path, int body_fd,
		int64_t mtime_ns, const char *caused_by_job, bucket_entry_fn *entry, bucket_done_fn *done, void *arg);

/* A job that had the bucket mounted read-write has ended: count and hash what it wrote, tell webhooks. */
void bucket_refresh(struct bucket_service *service, const char *bucket_id, const char *job_id);
/* Live jobs that have it mounted; kept by the job service. */
void bucket_set_mounted(struct bucket_service *service, const char *bucket_id, const char *job_id, bool is_mounted);
/* E_TOO_LARGE with a sentence when `more` bytes would pass the quota of the bucket or its namespace. */
int bucket_check_quota(struct bucket_service *service, const struct bucket *bucket, int64_t more, struct error *err);
int bucket_check_namespace_quota(struct bucket_service *service, const char *namespace_id, int64_t more,
				 struct error *err);
struct file_worker *bucket_service_worker(struct bucket_service *service);

#endif
