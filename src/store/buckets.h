/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets and what is known about their files: the rows. The truth about a bucket's files is its folder
 * (STATE/buckets/<namespace>/<name>); `bucket_files` only remembers hashes, and a row counts only while
 * size, mtime, ctime and inode are those of the file. Xorbs and registered files belong to a namespace.
 */
#ifndef HEARTH_STORE_BUCKETS_H
#define HEARTH_STORE_BUCKETS_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/id.h"
#include "store/accounts.h"
#include "store/database.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_HASH_SIZE 65

struct bucket {
	char id[ID_SIZE];
	char namespace_id[ID_SIZE];
	char namespace_name[ACCOUNT_NAME_MAX + 1];
	char name[ACCOUNT_NAME_MAX + 1];
	bool is_private;
	int64_t created_ms, updated_ms;
	int64_t size, files; /* as last counted */
};

/* E_CONFLICT if the namespace has one of that name (in any case: "Out" and "out" are one); ret is that one then. */
int buckets_create(struct database *db, const struct account *owner, const char *name, bool is_private,
		   struct bucket *ret, struct error *err);
bool buckets_find(struct database *db, const char *namespace_name, const char *name, struct bucket *ret);
bool buckets_find_by_id(struct database *db, const char *id, struct bucket *ret);
/* In order of name; `search` NULL: all; `after` NULL: from the first. */
void buckets_each(struct database *db, const char *namespace_id, const char *search, bool only_public, const char *after,
		  int limit, void (*fn)(void *, const struct bucket *), void *arg);
void buckets_remove(struct database *db, const char *id); /* and all that is known about its files */
int buckets_move(struct database *db, const char *id, const struct account *owner, const char *name, struct error *err);
void buckets_set_private(struct database *db, const char *id, bool is_private);
void buckets_set_usage(struct database *db, const char *id, int64_t size, int64_t files, int64_t now_ms);
/* A move is noted until the folder has followed; `moved_from` is the "namespace/name" that it had. */
void buckets_move_done(struct database *db, const char *id);
void buckets_each_of_all(struct database *db, bool only_moved,
			 void (*fn)(void *, const struct bucket *, const char *moved_from), void *arg);
int64_t buckets_namespace_size(struct database *db, const char *namespace_id); /* bytes of all its buckets */

struct bucket_file {
	const char *path;
	int64_t size, mtime_ns, ctime_ns;
	uint64_t inode;
	char hash[BUCKET_HASH_SIZE];
	const char *content_type; /* NULL: none */
	int64_t uploaded_ms;
};
void bucket_files_put(struct database *db, const char *bucket_id, const struct bucket_file *file);
/* Strings of `ret` live until the next call of this function. */
bool bucket_files_find(struct database *db, const char *bucket_id, const char *path, struct bucket_file *ret);
/* Some file of the bucket with this content; the caller checks that it is still so. */
void bucket_files_each_with_hash(struct database *db, const char *bucket_id, const char *hash,
				 bool (*fn)(void *, const struct bucket_file *), void *arg);
/* The same in any bucket of a namespace; strings as in bucket_files_find(). */
bool bucket_files_find_in_namespace(struct database *db, const char *namespace_id, const char *hash,
				    char ret_bucket_id[ID_SIZE], struct bucket_file *ret);
void bucket_files_remove(struct database *db, const char *bucket_id, const char *path); /* and below "path/" */

/* Chunk tables of files (hub/file_work.h), by hash, whoever has them; NULL when it is in a file. */
void chunk_tables_put(struct database *db, const char *hash, const void *table, size_t len);
bool chunk_tables_get(struct database *db, const char *hash, struct buffer *ret);
/* Of content that no file has any more; looks at `limit` of them. *cursor: 0 at first and when all have been looked at. */
void chunk_tables_forget_unused(struct database *db, int64_t *cursor, int limit);

/* Xorbs of a namespace. `is_durable` false: not flushed yet (a reboot may lose it). */
void xorbs_put(struct database *db, const char *namespace_id, const char *hash, int64_t bytes, int64_t now_ms);
bool xorbs_find(struct database *db, const char *namespace_id, const char *hash);
void xorbs_touch(struct database *db, const char *namespace_id, const char *hash, int64_t now_ms);
int64_t xorbs_namespace_size(struct database *db, const char *namespace_id);
bool xorbs_are_all_durable(struct database *db);
void xorbs_set_all_durable(struct database *db, int64_t put_before_ms);
int64_t xorbs_drop_not_durable(struct database *db, void (*fn)(void *, const char *namespace_id, const char *hash), void *arg);
/* All of all namespaces, and the files that they were registered for: the store is another one. */
void xorbs_forget_all(struct database *db);
/* Unused since then, oldest first; removed from the table before `fn` is called. */
void xorbs_take_unused(struct database *db, int64_t before_ms, int limit,
		       void (*fn)(void *, const char *namespace_id, const char *hash), void *arg);

/* Files that an accepted shard registered in a namespace: hash, size, terms as JSON text. */
void registered_files_put(struct database *db, const char *namespace_id, const char *hash, int64_t size, const char *terms,
			  int64_t now_ms);
bool registered_files_find(struct database *db, const char *namespace_id, const char *hash, int64_t *ret_size,
			   struct buffer *ret_terms);
/* Unused since then; how many there were. */
int registered_files_forget(struct database *db, int64_t before_ms, int limit);

/* Facts about the server itself: "cas_epoch", "boot_id", "cas_key". */
bool server_facts_get(struct database *db, const char *name, struct buffer *ret);
void server_facts_set(struct database *db, const char *name, const char *value);

#endif
