/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL statements for the files of this folder: prepared once per text, values bound by a type
 * string with one letter per `?`: t text (const char *, NULL is NULL), d int, i int64_t, b blob
 * (const void *, size_t). A failing statement ends the process (database.h), so none of these can
 * fail.
 */
#ifndef HEARTH_STORE_STATEMENT_H
#define HEARTH_STORE_STATEMENT_H

#include "base/id.h"
#include "store/database.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `sql` must be a literal: it is the key of the cache. End it with statement_end(). */
sqlite3_stmt *statement_read(struct database *db, const char *sql, const char *types, ...);
/* The same for a text built for this one use. */
sqlite3_stmt *statement_read_once(struct database *db, const char *sql);
bool statement_next(struct database *db, sqlite3_stmt *stmt); /* true: a row; false: no more */
void statement_end(struct database *db, sqlite3_stmt *stmt);

/* Run a writing statement to its end, inside the turn's transaction, which it opens if needed. */
void statement_write(struct database *db, const char *sql, const char *types, ...);
int64_t statement_last_seq(struct database *db); /* of the last insert */
int statement_changes(struct database *db);      /* rows of the last write */

/* Events are told in the order of their numbers, and only once they are on disk: the first one of this
 * transaction, INT64_MAX if it has none. */
void statement_note_event(struct database *db, int64_t seq);
int64_t statement_first_open_event(const struct database *db);

/* First column of the first row; `fallback` when there is no row. */
int64_t statement_int(struct database *db, int64_t fallback, const char *sql, const char *types,
		      ...);

/* Columns. Text columns that are NULL give "" in a fixed array and NULL as a copy. */
void statement_column_id(sqlite3_stmt *stmt, int column, char ret[ID_SIZE]);
void statement_column_array(sqlite3_stmt *stmt, int column, char *ret, size_t size);
char *statement_column_copy(sqlite3_stmt *stmt, int column); /* yours to free */

#endif
