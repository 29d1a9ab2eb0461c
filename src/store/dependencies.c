/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for whom. Rows are there only while the job that is waited for has not been settled. */
#include "store/dependencies.h"

#include "store/job_row.h"

bool dependencies_look(struct database *db, const char *id, struct dependency *ret)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT j.id, n.id, j.stage FROM jobs j"
	                                    " JOIN accounts n ON n.seq = j.namespace"
	                                    " WHERE j.id = ?",
	                                    "t", id);
	bool found = statement_next(db, stmt);

	if (found) {
		statement_column_id(stmt, 0, ret->id);
		statement_column_id(stmt, 1, ret->namespace_id);
		ret->stage = sqlite3_column_int(stmt, 2);
	}
	statement_end(db, stmt);
	return found;
}

void dependencies_insert(struct database *db, const char *job_id, const char *after_id)
{
	statement_write(db, "INSERT OR IGNORE INTO dependencies (job, after) VALUES (?, ?)", "ii",
	                job_seq(db, job_id), job_seq(db, after_id));
}

void dependencies_delete(struct database *db, const char *job_id, const char *after_id)
{
	statement_write(db, "DELETE FROM dependencies WHERE job = ? AND after = ?", "ii",
	                job_seq(db, job_id), job_seq(db, after_id));
}

void dependencies_delete_all(struct database *db, const char *job_id)
{
	statement_write(db, "DELETE FROM dependencies WHERE job = ?", "i", job_seq(db, job_id));
}

int64_t dependencies_count(struct database *db, const char *job_id)
{
	return statement_int(db, 0, "SELECT count(*) FROM dependencies WHERE job = ?", "i",
	                     job_seq(db, job_id));
}

bool dependencies_exist(struct database *db, const char *after_id)
{
	return statement_int(db, 0, "SELECT 1 FROM dependencies WHERE after = ? LIMIT 1", "i",
	                     job_seq(db, after_id)) != 0;
}

static void each_id(struct database *db, sqlite3_stmt *stmt, void (*fn)(void *, const char *id),
                    void *arg)
{
	char id[ID_SIZE];

	while (statement_next(db, stmt)) {
		statement_column_id(stmt, 0, id);
		fn(arg, id);
	}
	statement_end(db, stmt);
}

void dependencies_each_waiting(struct database *db, const char *after_id, int limit,
                               void (*fn)(void *, const char *job_id), void *arg)
{
	each_id(db,
	        statement_read(db,
	                       "SELECT j.id FROM dependencies d JOIN jobs j ON j.seq = d.job"
	                       " WHERE d.after = ? ORDER BY d.job LIMIT ?",
	                       "id", job_seq(db, after_id), limit),
	        fn, arg);
}

void dependencies_each_after(struct database *db, const char *job_id,
                             void (*fn)(void *, const struct dependency *after), void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT j.id, n.id, j.stage FROM dependencies d"
	                                    " JOIN jobs j ON j.seq = d.after"
	                                    " JOIN accounts n ON n.seq = j.namespace"
	                                    " WHERE d.job = ? ORDER BY d.after",
	                                    "i", job_seq(db, job_id));
	struct dependency after;

	while (statement_next(db, stmt)) {
		statement_column_id(stmt, 0, after.id);
		statement_column_id(stmt, 1, after.namespace_id);
		after.stage = sqlite3_column_int(stmt, 2);
		fn(arg, &after);
	}
	statement_end(db, stmt);
}

void dependencies_each_job(struct database *db, void (*fn)(void *, const char *job_id), void *arg)
{
	each_id(db,
	        statement_read(db,
	                       "SELECT j.id FROM (SELECT DISTINCT job FROM dependencies) d"
	                       " JOIN jobs j ON j.seq = d.job",
	                       ""),
	        fn, arg);
}

void dependencies_each_ended(struct database *db, void (*fn)(void *, const char *after_id),
                             void *arg)
{
	each_id(db,
	        statement_read(db,
	                       "SELECT j.id FROM (SELECT DISTINCT after FROM dependencies) d"
	                       " JOIN jobs j ON j.seq = d.after WHERE j.stage >= 2",
	                       ""),
	        fn, arg);
}
