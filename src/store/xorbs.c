/* SPDX-License-Identifier: Apache-2.0 */
/* Xorbs and registered files of namespaces, and facts about the server. */
#include "base/memory.h"
#include "store/account_row.h"
#include "store/buckets.h"
#include "store/statement.h"

#include <stdlib.h>
#include <string.h>

void xorbs_put(struct database *db, const char *namespace_id, const char *hash, int64_t bytes,
               int64_t now_ms)
{
	statement_write(db,
	                "INSERT INTO xorbs (namespace, hash, bytes, put_ms, used_ms)"
	                " VALUES (?1, ?2, ?3, ?4, ?4)"
	                " ON CONFLICT DO UPDATE SET used_ms = excluded.used_ms",
	                "itii", account_seq(db, namespace_id), hash, bytes, now_ms);
}

bool xorbs_find(struct database *db, const char *namespace_id, const char *hash)
{
	return statement_int(db, 0, "SELECT 1 FROM xorbs WHERE namespace = ? AND hash = ?", "it",
	                     account_seq(db, namespace_id), hash);
}

void xorbs_touch(struct database *db, const char *namespace_id, const char *hash, int64_t now_ms)
{
	statement_write(db, "UPDATE xorbs SET used_ms = ? WHERE namespace = ? AND hash = ?", "iit",
	                now_ms, account_seq(db, namespace_id), hash);
}

int64_t xorbs_namespace_size(struct database *db, const char *namespace_id)
{
	return statement_int(db, 0, "SELECT sum(bytes) FROM xorbs WHERE namespace = ?", "i",
	                     account_seq(db, namespace_id));
}

bool xorbs_are_all_durable(struct database *db)
{
	return !statement_int(db, 0, "SELECT 1 FROM xorbs WHERE is_durable = 0 LIMIT 1", "");
}

void xorbs_set_all_durable(struct database *db, int64_t put_before_ms)
{
	statement_write(db, "UPDATE xorbs SET is_durable = 1 WHERE is_durable = 0 AND put_ms < ?",
	                "i", put_before_ms);
}

struct xorb_row {
	struct xorb_row *next;
	char namespace_id[ID_SIZE], hash[BUCKET_HASH_SIZE];
};

/* `fn` may write, which must not happen while the rows are read. */
static int64_t xorbs_take(struct database *db, sqlite3_stmt *stmt,
                          void (*fn)(void *, const char *namespace_id, const char *hash), void *arg)
{
	struct xorb_row *rows = NULL, **last = &rows;
	int64_t count = 0;

	while (statement_next(db, stmt)) {
		struct xorb_row *row = xcalloc(1, sizeof(*row));

		statement_column_id(stmt, 0, row->namespace_id);
		statement_column_array(stmt, 1, row->hash, sizeof(row->hash));
		*last = row;
		last = &row->next;
	}
	statement_end(db, stmt);
	for (struct xorb_row *row = rows, *next; row; row = next) {
		next = row->next;
		statement_write(db, "DELETE FROM xorbs WHERE namespace = ? AND hash = ?", "it",
		                account_seq(db, row->namespace_id), row->hash);
		fn(arg, row->namespace_id, row->hash);
		free(row);
		count++;
	}
	return count;
}

#define XORB_SELECT "SELECT a.id, x.hash FROM xorbs x JOIN accounts a ON a.seq = x.namespace "

int64_t xorbs_drop_not_durable(struct database *db,
                               void (*fn)(void *, const char *namespace_id, const char *hash),
                               void *arg)
{
	return xorbs_take(db, statement_read(db, XORB_SELECT "WHERE x.is_durable = 0", ""), fn,
	                  arg);
}

void xorbs_forget_all(struct database *db)
{
	statement_write(db, "DELETE FROM xorbs", "");
	statement_write(db, "DELETE FROM registered_files", "");
}

void xorbs_take_unused(struct database *db, int64_t before_ms, int limit,
                       void (*fn)(void *, const char *namespace_id, const char *hash), void *arg)
{
	(void)xorbs_take(
	        db,
	        statement_read(db, XORB_SELECT "WHERE x.used_ms < ? ORDER BY x.used_ms LIMIT ?",
	                       "id", before_ms, limit),
	        fn, arg);
}

void registered_files_put(struct database *db, const char *namespace_id, const char *hash,
                          int64_t size, const char *terms, int64_t now_ms)
{
	statement_write(db,
	                "INSERT INTO registered_files (namespace, hash, size, terms, used_ms)"
	                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size,"
	                " terms = excluded.terms, used_ms = excluded.used_ms",
	                "ititi", account_seq(db, namespace_id), hash, size, terms, now_ms);
}

bool registered_files_find(struct database *db, const char *namespace_id, const char *hash,
                           int64_t *ret_size, struct buffer *ret_terms)
{
	sqlite3_stmt *stmt = statement_read(
	        db, "SELECT size, terms FROM registered_files WHERE namespace = ? AND hash = ?",
	        "it", account_seq(db, namespace_id), hash);
	bool found = statement_next(db, stmt);

	if (found) {
		*ret_size = sqlite3_column_int64(stmt, 0);
		found = buffer_add(ret_terms, sqlite3_column_text(stmt, 1),
		                   (size_t)sqlite3_column_bytes(stmt, 1)) == 0;
	}
	statement_end(db, stmt);
	return found;
}

int registered_files_forget(struct database *db, int64_t before_ms, int limit)
{
	statement_write(db,
	                "DELETE FROM registered_files WHERE rowid IN (SELECT rowid FROM"
	                " registered_files WHERE used_ms < ? LIMIT ?)",
	                "id", before_ms, limit);
	return statement_changes(db);
}

bool server_facts_get(struct database *db, const char *name, struct buffer *ret)
{
	sqlite3_stmt *stmt =
	        statement_read(db, "SELECT value FROM server_facts WHERE name = ?", "t", name);
	bool found = statement_next(db, stmt);

	if (found)
		(void)buffer_add(ret, sqlite3_column_text(stmt, 0),
		                 (size_t)sqlite3_column_bytes(stmt, 0));
	statement_end(db, stmt);
	return found;
}

void server_facts_set(struct database *db, const char *name, const char *value)
{
	statement_write(db, "INSERT OR REPLACE INTO server_facts (name, value) VALUES (?, ?)", "tt",
	                name, value);
}
