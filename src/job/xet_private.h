/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the Xet service: xet_service.c (wiring, flushing, collecting), xet_token.c, xet_upload.c (xorbs and shards),
 * xet_file.c (a file of a bucket by its hash), xet_reconstruct.c, xet_data.c, xet_prune.c. */
#ifndef HEARTH_JOB_XET_PRIVATE_H
#define HEARTH_JOB_XET_PRIVATE_H

#include "base/buffer.h"
#include "base/seal.h"
#include "hub/file_table.h"
#include "job/xet_service.h"

struct xet_service {
	struct loop *loop;
	struct database *db;
	struct bucket_service *buckets;
	struct seal_key *key;
	char *folder; /* STATE/xet */
	int epoch;
	int64_t keep_ms;
	struct loop_timer *sync_timer, *collect_timer;
	bool is_sync_wanted, is_syncing;
	int64_t sync_before_ms, sync_wanted_ms; /* real; monotonic: since then */
	int64_t table_cursor;
	struct xet_prune *prune;
};

/* Looks now and then for files that no row names (xet_prune.c). */
struct xet_prune *xet_prune_new(struct xet_service *service);
void xet_prune_free(struct xet_prune *prune); /* NULL is fine */

/* Uploads are in the page cache only: flush them soon. */
void xet_sync_later(struct xet_service *service);

/* Text that only we can have written, as digits; and back: false if it is not. */
void xet_seal_text(const struct xet_service *service, const char *text, struct buffer *ret);
bool xet_unseal_text(const struct xet_service *service, const char *digits, char *ret, size_t size);

/* A plain file of a bucket that has this content now, open. E_NOT_FOUND. */
struct xet_file {
	int fd;
	char *path;
	int64_t size, mtime_ns, ctime_ns;
	uint64_t inode;
};
int xet_file_open(struct xet_service *service, const struct bucket *bucket, const char *hash, struct xet_file *ret,
		  struct error *err);
bool xet_file_is_same(const struct xet_file *file); /* it has not been touched since */
void xet_file_close(struct xet_file *file);

/* Its chunk table, from the database or from <store>/tables. E_NOT_FOUND. */
struct xet_table {
	struct file_table view;
	struct buffer owned;
	void *mapped;
	size_t mapped_len;
};
int xet_table_open(struct xet_service *service, const char *namespace_id, const char *hash, struct xet_table *ret,
		   struct error *err);
void xet_table_close(struct xet_table *table);

/* What a data URL stands for: chunks [first, end) of a group of a file. */
struct xet_range {
	char bucket_id[ID_SIZE];
	char hash[BUCKET_HASH_SIZE]; /* of the file */
	struct file_group group;
	uint32_t first, end;
	int64_t expires_s;
};
char *xet_range_url(const struct xet_service *service, const struct xet_range *range, const char *data_url);

#endif
