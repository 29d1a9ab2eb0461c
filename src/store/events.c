/* SPDX-License-Identifier: Apache-2.0 */
/* Events: what happened to jobs, never changed and never reordered. */
#include "store/job_row.h"

int64_t events_insert(struct database *db, const char *job_id, const char *kind, const char *data,
                      int64_t now_ms)
{
	statement_write(db, "INSERT INTO events (job, kind, data, at_ms) VALUES (?, ?, ?, ?)",
	                "itti", job_seq(db, job_id), kind, data, now_ms);
	statement_note_event(db, statement_last_seq(db));
	return statement_last_seq(db);
}

void events_each(struct database *db, const char *job_id, int64_t after_seq,
                 void (*fn)(void *, int64_t seq, const char *kind, const char *data, int64_t at_ms),
                 void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT seq, kind, data, at_ms FROM events"
	                                    " WHERE job = ? AND seq > ? ORDER BY seq",
	                                    "ii", job_seq(db, job_id), after_seq);

	while (statement_next(db, stmt))
		fn(arg, sqlite3_column_int64(stmt, 0), (const char *)sqlite3_column_text(stmt, 1),
		   (const char *)sqlite3_column_text(stmt, 2), sqlite3_column_int64(stmt, 3));
	statement_end(db, stmt);
}

bool events_exist(struct database *db, const char *job_id, const char *kind)
{
	return statement_int(db, 0, "SELECT 1 FROM events WHERE job = ? AND kind = ? LIMIT 1", "it",
	                     job_seq(db, job_id), kind) != 0;
}

bool events_find_next(struct database *db, const char *job_id, const char *kind, int64_t after_seq,
                      struct event *ret)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT seq, at_ms, data FROM events WHERE job = ?"
	                                    " AND seq > ? AND seq < ? AND kind = ?"
	                                    " ORDER BY seq LIMIT 1",
	                                    "iiit", job_seq(db, job_id), after_seq,
	                                    statement_first_open_event(db), kind);
	bool found = statement_next(db, stmt);

	if (found)
		*ret = (struct event){
		        .seq = sqlite3_column_int64(stmt, 0),
		        .at_ms = sqlite3_column_int64(stmt, 1),
		        .data = statement_column_copy(stmt, 2),
		};
	statement_end(db, stmt);
	return found;
}

int64_t events_seek_last(struct database *db, const char *job_id, const char *kind, int64_t n)
{
	return statement_int(db, 0,
	                     "SELECT seq FROM events WHERE job = ? AND kind = ? AND seq < ?"
	                     " ORDER BY seq DESC LIMIT 1 OFFSET ?",
	                     "itii", job_seq(db, job_id), kind, statement_first_open_event(db), n);
}
