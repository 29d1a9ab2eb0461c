/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets over the public API (hub-jobs-api 7). Files go up by Hearth's extension
 * `PUT /api/buckets/{ns}/{name}/files/{path}?mtime=` and come down by resolve.
 */
#ifndef HEARTH_CLI_BUCKET_HUB_H
#define HEARTH_CLI_BUCKET_HUB_H

#include "cli/bucket_uri.h"
#include "cli/hub.h"

#include <stdbool.h>
#include <stdint.h>

/* *ret_answer (may be NULL) has "url". An existing bucket is fine when `exist_ok`. `visibility`: "private", "public" or
 * NULL, the server's own. */
int bucket_hub_create(struct hub *hub, const struct bucket_uri *bucket, const char *visibility,
		      bool exist_ok, json_t **ret_answer, struct error *err);
int bucket_hub_info(struct hub *hub, const struct bucket_uri *bucket, json_t **ret, struct error *err);

/* After a failure: somebody has named a bucket by its bare name (`arguments`); says what it is called. */
void bucket_hub_suggest(struct hub *hub, char *const *arguments, size_t n, struct error *err);

/* Entries as the API has them, below bucket->path (or the file of that path). */
int bucket_hub_tree(struct hub *hub, const struct bucket_uri *bucket, bool is_recursive, json_t **ret,
		    struct error *err);
/* `paths`: array of strings, from the bucket's root. */
int bucket_hub_delete(struct hub *hub, const struct bucket_uri *bucket, const json_t *paths, struct error *err);

/* One local file, or what `fd` gives to its end (size -1: unknown). mtime_ms -1: now. */
int bucket_hub_upload(struct hub *hub, const struct bucket_uri *bucket, const char *path, int fd, int64_t size,
		      int64_t mtime_ms, struct error *err);
int bucket_hub_upload_file(struct hub *hub, const struct bucket_uri *bucket, const char *path, const char *local_path,
			   struct error *err);
/* Into a descriptor. */
int bucket_hub_download(struct hub *hub, const struct bucket_uri *bucket, const char *path, int fd, struct error *err);
/* Into a file, which is complete or as it was before; folders above it are made. mtime_ms -1: now. */
int bucket_hub_download_file(struct hub *hub, const struct bucket_uri *bucket, const char *path, const char *local_path,
			     int64_t mtime_ms, struct error *err);

/* mtime (else uploadedAt) of an entry in Unix milliseconds; -1: none. */
int64_t bucket_hub_mtime(const json_t *entry);

#endif
