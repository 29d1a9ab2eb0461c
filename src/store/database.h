/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database: one SQLite file (WAL, synchronous=FULL), one connection, one writer: hearthd's loop.
 *
 * Writes are grouped: the first write of a turn opens a transaction, database_commit() at the turn's
 * end makes it durable, then runs what waited for that (answers, starts). A failed statement other
 * than a constraint, and a failed commit, abort the process: starting again is recovering.
 * SQL text lives only in this folder.
 */
#ifndef HEARTH_STORE_DATABASE_H
#define HEARTH_STORE_DATABASE_H

#include "base/error.h"

struct database;

/* Opens or creates `path` and brings its schema up to date (sql/NNN_name.sql, compiled in). */
int database_open(const char *path, struct database **ret, struct error *err);
void database_close(struct database *db); /* commits nothing */

/* Call `fn` once what was written so far in this turn is on disk; at once (in database_commit) also
 * when nothing was written. */
void database_after_commit(struct database *db, void (*fn)(void *arg), void *arg);
/* Commit if needed, then run the waiting functions; they may write again (a new transaction, which
 * the same call commits too). */
void database_commit(struct database *db);

/* Copying the write-ahead log into the file takes a disk's time. Without this it happens inside a
 * commit, every 1000 pages. With it, `fn` is called instead (often: at each commit above 1000 pages)
 * and is to run database_checkpoint() in another process, one at a time. */
void database_on_checkpoint(struct database *db, void (*fn)(void *arg), void *arg);
/* In a process of its own: never in the one that has the database open. */
int database_checkpoint(const char *path, struct error *err);

#endif
