/* SPDX-License-Identifier: Apache-2.0 */
/* What ended attempts tell about the past: how long jobs like theirs run, and who used how much. */
#include "store/job_row.h"

void attempts_each_ended(struct database *db, int limit,
                         void (*fn)(void *, const struct ended_attempt *), void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT n.id, j.flavor, a.started_ms, a.ended_ms, s.spec, s.labels, s.initiator"
	        " FROM attempts a JOIN jobs j ON j.seq = a.job"
	        " JOIN accounts n ON n.seq = j.namespace JOIN job_specs s ON s.job = a.job"
	        " WHERE a.ended_ms > 0 AND a.started_ms > 0"
	        " ORDER BY a.job DESC, a.number DESC LIMIT ?",
	        "d", limit);

	while (statement_next(db, stmt)) {
		struct ended_attempt attempt = {
		        .started_ms = sqlite3_column_int64(stmt, 2),
		        .ended_ms = sqlite3_column_int64(stmt, 3),
		        .spec = (const char *)sqlite3_column_text(stmt, 4),
		        .labels = (const char *)sqlite3_column_text(stmt, 5),
		        .initiator = (const char *)sqlite3_column_text(stmt, 6),
		};

		statement_column_id(stmt, 0, attempt.namespace_id);
		statement_column_array(stmt, 1, attempt.flavor, sizeof(attempt.flavor));
		fn(arg, &attempt);
	}
	statement_end(db, stmt);
}
