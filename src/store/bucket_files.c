/* SPDX-License-Identifier: Apache-2.0 */
/* What is known about files in buckets, and their chunk tables. */
#include "store/buckets.h"

#include "base/memory.h"
#include "store/bucket_row.h"
#include "store/statement.h"

#include <stdlib.h>
#include <string.h>

#define FILE_SELECT                                                                                \
	"SELECT path, size, mtime_ns, ctime_ns, inode, hash, content_type, uploaded_ms"            \
	" FROM bucket_files "

void bucket_files_put(struct database *db, const char *bucket_id, const struct bucket_file *file)
{
	statement_write(db,
	                "INSERT OR REPLACE INTO bucket_files (bucket, path, size, mtime_ns,"
	                " ctime_ns, inode, hash, content_type, uploaded_ms)"
	                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	                "itiiiitti", bucket_seq(db, bucket_id), file->path, file->size,
	                file->mtime_ns, file->ctime_ns, (int64_t)file->inode, file->hash,
	                file->content_type, file->uploaded_ms);
}

static void file_read_row(sqlite3_stmt *stmt, struct bucket_file *ret)
{
	ret->path = (const char *)sqlite3_column_text(stmt, 0);
	ret->size = sqlite3_column_int64(stmt, 1);
	ret->mtime_ns = sqlite3_column_int64(stmt, 2);
	ret->ctime_ns = sqlite3_column_int64(stmt, 3);
	ret->inode = (uint64_t)sqlite3_column_int64(stmt, 4);
	statement_column_array(stmt, 5, ret->hash, sizeof(ret->hash));
	ret->content_type = (const char *)sqlite3_column_text(stmt, 6);
	ret->uploaded_ms = sqlite3_column_int64(stmt, 7);
}

static void file_hold_strings(struct bucket_file *file)
{
	static char *held_path, *held_type;
	char *path = xstrdup(file->path), *type = xstrdup(file->content_type);

	free(held_path);
	free(held_type);
	file->path = held_path = path;
	file->content_type = held_type = type;
}

bool bucket_files_find(struct database *db, const char *bucket_id, const char *path,
                       struct bucket_file *ret)
{
	sqlite3_stmt *stmt = statement_read(db, FILE_SELECT "WHERE bucket = ? AND path = ?", "it",
	                                    bucket_seq(db, bucket_id), path);
	bool found = statement_next(db, stmt);

	if (found) {
		file_read_row(stmt, ret);
		file_hold_strings(ret);
	}
	statement_end(db, stmt);
	return found;
}

void bucket_files_each_with_hash(struct database *db, const char *bucket_id, const char *hash,
                                 bool (*fn)(void *, const struct bucket_file *), void *arg)
{
	/* Left alone, SQLite reads the whole bucket by its primary key. */
	sqlite3_stmt *stmt = statement_read(
	        db, FILE_SELECT "INDEXED BY bucket_files_by_hash WHERE hash = ? AND bucket = ?",
	        "ti", hash, bucket_seq(db, bucket_id));

	while (statement_next(db, stmt)) {
		struct bucket_file file;

		file_read_row(stmt, &file);
		if (!fn(arg, &file))
			break;
	}
	statement_end(db, stmt);
}

bool bucket_files_find_in_namespace(struct database *db, const char *namespace_id, const char *hash,
                                    char ret_bucket_id[ID_SIZE], struct bucket_file *ret)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT f.path, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.hash, f.content_type,"
	        " f.uploaded_ms, b.id FROM bucket_files f JOIN buckets b ON b.seq = f.bucket"
	        " JOIN accounts a ON a.seq = b.namespace WHERE f.hash = ? AND a.id = ? LIMIT 1",
	        "tt", hash, namespace_id);
	bool found = statement_next(db, stmt);

	if (found) {
		file_read_row(stmt, ret);
		file_hold_strings(ret);
		statement_column_id(stmt, 8, ret_bucket_id);
	}
	statement_end(db, stmt);
	return found;
}

void bucket_files_remove(struct database *db, const char *bucket_id, const char *path)
{
	int64_t seq = bucket_seq(db, bucket_id);
	/* '0' is what follows '/'. */
	char *below = xasprintf("%s/", path), *end = xasprintf("%s0", path);

	statement_write(db, "DELETE FROM bucket_files WHERE bucket = ? AND path = ?", "it", seq,
	                path);
	statement_write(db, "DELETE FROM bucket_files WHERE bucket = ? AND path > ? AND path < ?",
	                "itt", seq, below, end);
	free(below);
	free(end);
}

void chunk_tables_put(struct database *db, const char *hash, const void *table, size_t len)
{
	/* The same content has the same table. */
	statement_write(db,
	                "INSERT INTO chunk_tables (hash, chunks) VALUES (?, ?)"
	                " ON CONFLICT DO NOTHING",
	                "tb", hash, table, len);
}

bool chunk_tables_get(struct database *db, const char *hash, struct buffer *ret)
{
	sqlite3_stmt *stmt =
	        statement_read(db, "SELECT chunks FROM chunk_tables WHERE hash = ?", "t", hash);
	bool found = statement_next(db, stmt);

	if (found)
		(void)buffer_add(ret, sqlite3_column_blob(stmt, 0),
		                 (size_t)sqlite3_column_bytes(stmt, 0));
	statement_end(db, stmt);
	return found;
}

void chunk_tables_forget_unused(struct database *db, int64_t *cursor, int limit)
{
	int64_t last = statement_int(db, 0, "SELECT max(rowid) FROM chunk_tables", "");

	statement_write(db,
	                "DELETE FROM chunk_tables WHERE rowid > ?1 AND rowid <= ?1 + ?2 AND NOT"
	                " EXISTS (SELECT 1 FROM bucket_files f WHERE f.hash = chunk_tables.hash)",
	                "id", *cursor, limit);
	*cursor = *cursor + limit < last ? *cursor + limit : 0;
}
