/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of buckets. A name is unique in its namespace in any case, because folders may lie on file
 * systems that fold case. */
#include "store/buckets.h"

#include "base/clock.h"
#include "base/memory.h"
#include "store/account_row.h"
#include "store/bucket_row.h"
#include "store/statement.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_SELECT                                                                              \
	"SELECT b.id, a.id, a.name, b.name, b.is_private, b.created_ms, b.updated_ms, b.size,"     \
	" b.files, b.moved_from FROM buckets b JOIN accounts a ON a.seq = b.namespace"             \
	" AND a.removed_ms = 0 "

int64_t bucket_seq(struct database *db, const char *id)
{
	return statement_int(db, 0, "SELECT seq FROM buckets WHERE id = ?", "t", id);
}

static void bucket_read(sqlite3_stmt *stmt, struct bucket *ret)
{
	statement_column_id(stmt, 0, ret->id);
	statement_column_id(stmt, 1, ret->namespace_id);
	statement_column_array(stmt, 2, ret->namespace_name, sizeof(ret->namespace_name));
	statement_column_array(stmt, 3, ret->name, sizeof(ret->name));
	ret->is_private = sqlite3_column_int(stmt, 4);
	ret->created_ms = sqlite3_column_int64(stmt, 5);
	ret->updated_ms = sqlite3_column_int64(stmt, 6);
	ret->size = sqlite3_column_int64(stmt, 7);
	ret->files = sqlite3_column_int64(stmt, 8);
}

static bool bucket_read_one(struct database *db, sqlite3_stmt *stmt, struct bucket *ret)
{
	bool found = statement_next(db, stmt);

	if (found)
		bucket_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

bool buckets_find(struct database *db, const char *namespace_name, const char *name,
                  struct bucket *ret)
{
	return bucket_read_one(
	        db,
	        statement_read(db, BUCKET_SELECT "WHERE a.name = ? AND b.name = ? COLLATE NOCASE",
	                       "tt", namespace_name, name),
	        ret);
}

bool buckets_find_by_id(struct database *db, const char *id, struct bucket *ret)
{
	return bucket_read_one(db, statement_read(db, BUCKET_SELECT "WHERE b.id = ?", "t", id),
	                       ret);
}

static bool bucket_find_in(struct database *db, int64_t namespace_seq, const char *name,
                           struct bucket *ret)
{
	return bucket_read_one(db,
	                       statement_read(db,
	                                      BUCKET_SELECT "WHERE b.namespace = ? AND b.name = ?",
	                                      "it", namespace_seq, name),
	                       ret);
}

int buckets_create(struct database *db, const struct account *owner, const char *name,
                   bool is_private, struct bucket *ret, struct error *err)
{
	int64_t now_ms = clock_now_ms(), seq = account_seq(db, owner->id);
	char id[ID_SIZE];

	if (bucket_find_in(db, seq, name, ret))
		return fail(err, E_CONFLICT, "the bucket %s/%s exists", ret->namespace_name,
		            ret->name);
	id_new(id);
	statement_write(db,
	                "INSERT INTO buckets (id, namespace, name, is_private, created_ms,"
	                " updated_ms) VALUES (?, ?, ?, ?, ?, ?)",
	                "titdii", id, seq, name, (int)is_private, now_ms, now_ms);
	(void)buckets_find_by_id(db, id, ret);
	return 0;
}

/* The word may hold what LIKE would take for a pattern. */
static char *bucket_search_pattern(const char *search)
{
	char *pattern = xmalloc(2 * strlen(search) + 3), *out = pattern;

	*out++ = '%';
	for (; *search; search++) {
		if (strchr("%_\\", *search))
			*out++ = '\\';
		*out++ = *search;
	}
	memcpy(out, "%", 2);
	return pattern;
}

void buckets_each(struct database *db, const char *namespace_id, const char *search,
                  bool only_public, const char *after, int limit,
                  void (*fn)(void *, const struct bucket *), void *arg)
{
	char *pattern = bucket_search_pattern(search ? search : "");
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       BUCKET_SELECT "WHERE b.namespace = ?1 AND b.is_private <= ?2"
	                                     " AND b.name > ?3 AND b.name LIKE ?4 ESCAPE '\\'"
	                                     " ORDER BY b.name LIMIT ?5",
	                       "idttd", account_seq(db, namespace_id), only_public ? 0 : 1,
	                       after ? after : "", pattern, limit);

	while (statement_next(db, stmt)) {
		struct bucket bucket;

		bucket_read(stmt, &bucket);
		fn(arg, &bucket);
	}
	statement_end(db, stmt);
	free(pattern);
}

void buckets_each_of_all(struct database *db, bool only_moved,
                         void (*fn)(void *, const struct bucket *, const char *moved_from),
                         void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db, BUCKET_SELECT "WHERE ? OR b.moved_from IS NOT NULL ORDER BY b.seq", "d",
	        (int)!only_moved);

	while (statement_next(db, stmt)) {
		struct bucket bucket;

		bucket_read(stmt, &bucket);
		fn(arg, &bucket, (const char *)sqlite3_column_text(stmt, 9));
	}
	statement_end(db, stmt);
}

void buckets_remove(struct database *db, const char *id)
{
	int64_t seq = bucket_seq(db, id);

	statement_write(db, "DELETE FROM bucket_files WHERE bucket = ?", "i", seq);
	statement_write(db, "DELETE FROM buckets WHERE seq = ?", "i", seq);
}

int buckets_move(struct database *db, const char *id, const struct account *owner, const char *name,
                 struct error *err)
{
	struct bucket there;
	int64_t seq = account_seq(db, owner->id);

	if (bucket_find_in(db, seq, name, &there) && strcmp(there.id, id) != 0)
		return fail(err, E_CONFLICT, "the bucket %s/%s exists", there.namespace_name,
		            there.name);
	statement_write(db,
	                "UPDATE buckets SET moved_from = coalesce(moved_from,"
	                " (SELECT a.name FROM accounts a WHERE a.seq = namespace) || '/' || name),"
	                " namespace = ?, name = ?, updated_ms = ? WHERE id = ?",
	                "itit", seq, name, clock_now_ms(), id);
	return 0;
}

void buckets_move_done(struct database *db, const char *id)
{
	statement_write(db, "UPDATE buckets SET moved_from = NULL WHERE id = ?", "t", id);
}

void buckets_set_private(struct database *db, const char *id, bool is_private)
{
	statement_write(db, "UPDATE buckets SET is_private = ?, updated_ms = ? WHERE id = ?", "dit",
	                (int)is_private, clock_now_ms(), id);
}

void buckets_set_usage(struct database *db, const char *id, int64_t size, int64_t files,
                       int64_t now_ms)
{
	statement_write(db, "UPDATE buckets SET size = ?, files = ?, updated_ms = ? WHERE id = ?",
	                "iiit", size, files, now_ms, id);
}

int64_t buckets_namespace_size(struct database *db, const char *namespace_id)
{
	return statement_int(db, 0, "SELECT sum(size) FROM buckets WHERE namespace = ?", "i",
	                     account_seq(db, namespace_id));
}
