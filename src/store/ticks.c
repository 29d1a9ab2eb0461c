/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger: one row per tick of a schedule, and what became of it. */
#include "store/schedules.h"

#include "store/statement.h"

#include <string.h>

#define TRIM_ROWS 256

static const char *const outcome_names[] = {
        [TICK_RAN] = "ran",         [TICK_CAUGHT_UP] = "caught-up", [TICK_TRIGGERED] = "triggered",
        [TICK_WAITING] = "waiting", [TICK_SKIPPED] = "skipped",     [TICK_MISSED] = "missed",
        [TICK_FAILED] = "failed",
};

const char *tick_outcome_name(enum tick_outcome outcome)
{
	return outcome_names[outcome];
}

static enum tick_outcome outcome_by_name(const char *name)
{
	int outcome = TICK_FAILED;

	while (outcome > 0 && strcmp(name, outcome_names[outcome]) != 0)
		outcome--;
	return (enum tick_outcome)outcome;
}

bool ticks_exist(struct database *db, int64_t schedule_seq, int64_t due_ms)
{
	return statement_int(db, 0, "SELECT 1 FROM ticks WHERE schedule = ? AND due_ms = ?", "ii",
	                     schedule_seq, due_ms);
}

int64_t ticks_count_between(struct database *db, int64_t schedule_seq, int64_t first_ms,
                            int64_t until_ms)
{
	return statement_int(db, 0,
	                     "SELECT count(*) FROM ticks WHERE schedule = ? AND due_ms >= ?"
	                     " AND due_ms <= ? AND is_manual = 0",
	                     "iii", schedule_seq, first_ms, until_ms);
}

void ticks_insert(struct database *db, int64_t schedule_seq, const struct tick *tick)
{
	statement_write(db,
	                "INSERT INTO ticks (schedule, due_ms, is_manual, outcome, decided_ms,"
	                " job_id, reason, count, until_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	                "iidtittii", schedule_seq, tick->due_ms, (int)tick->is_manual,
	                outcome_names[tick->outcome], tick->decided_ms, tick->job_id, tick->reason,
	                tick->count, tick->until_ms);
}

void ticks_set_outcome(struct database *db, int64_t schedule_seq, const struct tick *tick)
{
	statement_write(db,
	                "UPDATE ticks SET outcome = ?, decided_ms = ?, job_id = ?, reason = ?"
	                " WHERE schedule = ? AND due_ms = ? AND is_manual = ?",
	                "tittiid", outcome_names[tick->outcome], tick->decided_ms, tick->job_id,
	                tick->reason, schedule_seq, tick->due_ms, (int)tick->is_manual);
}

void ticks_each(struct database *db, int64_t schedule_seq, int64_t before_ms, int limit,
                void (*fn)(void *, const struct tick *), void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       "SELECT due_ms, decided_ms, is_manual, outcome, job_id, reason,"
	                       " count, until_ms FROM ticks WHERE schedule = ? AND due_ms < ?"
	                       " ORDER BY due_ms DESC, is_manual DESC LIMIT ?",
	                       "iid", schedule_seq, before_ms, limit);

	while (statement_next(db, stmt))
		fn(arg,
		   &(struct tick){
		           .due_ms = sqlite3_column_int64(stmt, 0),
		           .decided_ms = sqlite3_column_int64(stmt, 1),
		           .is_manual = sqlite3_column_int(stmt, 2),
		           .outcome = outcome_by_name((const char *)sqlite3_column_text(stmt, 3)),
		           .job_id = (const char *)sqlite3_column_text(stmt, 4),
		           .reason = (const char *)sqlite3_column_text(stmt, 5),
		           .count = sqlite3_column_int64(stmt, 6),
		           .until_ms = sqlite3_column_int64(stmt, 7),
		   });
	statement_end(db, stmt);
}

bool ticks_find_oldest_waiting(struct database *db, int64_t schedule_seq, int64_t *ret_due_ms)
{
	int64_t due_ms = statement_int(db, INT64_MIN,
	                               "SELECT due_ms FROM ticks WHERE schedule = ?"
	                               " AND outcome = 'waiting' ORDER BY due_ms LIMIT 1",
	                               "i", schedule_seq);

	if (due_ms == INT64_MIN)
		return false;
	*ret_due_ms = due_ms;
	return true;
}

void ticks_each_waiting_schedule(struct database *db, void (*fn)(void *, const char *schedule_id),
                                 void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       "SELECT id FROM schedules WHERE seq IN"
	                       " (SELECT schedule FROM ticks WHERE outcome = 'waiting')",
	                       "");

	while (statement_next(db, stmt))
		fn(arg, (const char *)sqlite3_column_text(stmt, 0));
	statement_end(db, stmt);
}

void ticks_take_back(struct database *db, int64_t schedule_seq, int64_t after_ms)
{
	statement_write(db,
	                "DELETE FROM ticks WHERE schedule = ? AND due_ms > ? AND is_manual = 0"
	                " AND job_id IS NULL",
	                "ii", schedule_seq, after_ms);
}

void ticks_trim(struct database *db, int64_t schedule_seq, int64_t before_ms, int64_t rows_max)
{
	int64_t oldest_ms = statement_int(db, before_ms,
	                                  "SELECT due_ms FROM ticks WHERE schedule = ?"
	                                  " ORDER BY due_ms DESC LIMIT 1 OFFSET ?",
	                                  "ii", schedule_seq, rows_max - 1);

	if (oldest_ms < before_ms)
		oldest_ms = before_ms;
	statement_write(db,
	                "DELETE FROM ticks WHERE schedule = ?1 AND due_ms < ?2 AND due_ms <="
	                " (SELECT max(due_ms) FROM (SELECT due_ms FROM ticks WHERE schedule = ?1"
	                "  ORDER BY due_ms LIMIT ?3))",
	                "iid", schedule_seq, oldest_ms, TRIM_ROWS);
}
