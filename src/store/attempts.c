/* SPDX-License-Identifier: Apache-2.0 */
/* Attempts: one row per try to run a job. A row without an end is what recovery looks at. */
#include "store/job_row.h"

#include "base/file.h"
#include "base/log.h"
#include "store/buckets.h"

#include <fcntl.h>
#include <string.h>

#define ATTEMPT_SELECT                                                                             \
	"SELECT j.id, a.number, a.slot, a.created_ms, a.started_ms, a.ended_ms, a.exit_code,"      \
	" a.signal, a.outcome, a.devices, a.price_hour, a.started_us FROM attempts a JOIN jobs j " \
	"ON j.seq = a.job "

static void attempt_read(sqlite3_stmt *stmt, struct attempt_record *ret)
{
	*ret = (struct attempt_record){
	        .number = sqlite3_column_int(stmt, 1),
	        .slot = sqlite3_column_int(stmt, 2),
	        .created_ms = sqlite3_column_int64(stmt, 3),
	        .started_ms = sqlite3_column_int64(stmt, 4),
	        .ended_ms = sqlite3_column_int64(stmt, 5),
	        .exit_code = sqlite3_column_int(stmt, 6),
	        .signal = sqlite3_column_int(stmt, 7),
	        .price_hour_micro_usd = sqlite3_column_int64(stmt, 10),
	        .started_us = sqlite3_column_int64(stmt, 11),
	};
	statement_column_id(stmt, 0, ret->job_id);
	statement_column_array(stmt, 8, ret->outcome, sizeof(ret->outcome));
}

void attempts_insert(struct database *db, const struct attempt_record *attempt)
{
	statement_write(
	        db,
	        "INSERT INTO attempts (job, number, slot, created_ms, devices, price_hour)"
	        " VALUES ((SELECT seq FROM jobs WHERE id = ?), ?, ?, ?, coalesce(?, ''), ?)",
	        "tdditi", attempt->job_id, attempt->number, attempt->slot, attempt->created_ms,
	        attempt->devices, attempt->price_hour_micro_usd);
}

void attempts_set_started(struct database *db, const char *job_id, int number, int64_t started_ms,
                          int64_t started_us)
{
	statement_write(
	        db,
	        "UPDATE attempts SET started_ms = ?, started_us = ? WHERE job = ? AND number = ?",
	        "iiid", started_ms, started_us, job_seq(db, job_id), number);
}

int64_t attempts_price(struct database *db, const char *job_id, int number, int64_t fallback)
{
	return statement_int(db, fallback,
	                     "SELECT price_hour FROM attempts WHERE job = ? AND number = ?"
	                     " AND price_hour >= 0",
	                     "id", job_seq(db, job_id), number);
}

void attempts_note_boot(struct database *db)
{
	autobuffer struct buffer now = BUFFER_INIT(64);
	autobuffer struct buffer before = BUFFER_INIT(64);
	struct error err = ERROR_INIT;

	if (file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &now, &err) < 0)
		log_warning("%s", err.text);
	if (now.len > 0 && server_facts_get(db, "attempts_boot", &before) &&
	    strcmp(buffer_text(&now), buffer_text(&before)) == 0)
		return;
	statement_write(db, "UPDATE attempts SET started_us = 0 WHERE ended_ms = 0", "");
	server_facts_set(db, "attempts_boot", buffer_text(&now));
}

void attempts_set_ended(struct database *db, const struct attempt_record *attempt)
{
	statement_write(
	        db,
	        "UPDATE attempts SET started_ms = ?, ended_ms = ?, exit_code = ?, signal = ?,"
	        " outcome = ? WHERE job = ? AND number = ?",
	        "iiddtid", attempt->started_ms, attempt->ended_ms, attempt->exit_code,
	        attempt->signal, attempt->outcome, job_seq(db, attempt->job_id), attempt->number);
}

bool attempts_find_last(struct database *db, const char *job_id, struct attempt_record *ret)
{
	sqlite3_stmt *stmt = statement_read(
	        db, ATTEMPT_SELECT "WHERE j.id = ? ORDER BY a.number DESC LIMIT 1", "t", job_id);
	bool found = statement_next(db, stmt);

	if (found)
		attempt_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

void attempts_each_live(struct database *db, void (*fn)(void *, const struct attempt_record *),
                        void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db, ATTEMPT_SELECT "WHERE a.ended_ms = 0 ORDER BY a.job, a.number", "");

	while (statement_next(db, stmt)) {
		struct attempt_record attempt;

		attempt_read(stmt, &attempt);
		attempt.devices = (char *)(uintptr_t)sqlite3_column_text(stmt, 9);
		fn(arg, &attempt);
	}
	statement_end(db, stmt);
}

void jobs_each_waiting(struct database *db, void (*fn)(void *, const struct job_waiting *),
                       void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT j.id, n.id, j.flavor,"
	        " coalesce((SELECT max(number) FROM attempts WHERE job = j.seq), 0),"
	        " c.id, coalesce(g.id, ''), j.priority, j.hold, j.rank, j.not_before_ms,"
	        " j.created_ms, j.timeout_s"
	        " FROM jobs j INDEXED BY jobs_active JOIN accounts n ON n.seq = j.namespace"
	        " JOIN accounts c ON c.seq = j.created_by"
	        " LEFT JOIN resource_groups g ON g.seq = j.resource_group"
	        " WHERE j.stage < 2 AND NOT EXISTS"
	        " (SELECT 1 FROM attempts WHERE job = j.seq AND ended_ms = 0) ORDER BY j.seq",
	        "");

	while (statement_next(db, stmt)) {
		struct job_waiting waiting = {
		        .last_number = sqlite3_column_int(stmt, 3),
		        .priority = sqlite3_column_int(stmt, 6),
		        .hold = sqlite3_column_int(stmt, 7),
		        .rank = sqlite3_column_int64(stmt, 8),
		        .not_before_ms = sqlite3_column_int64(stmt, 9),
		        .created_ms = sqlite3_column_int64(stmt, 10),
		        .timeout_s = sqlite3_column_int64(stmt, 11),
		};

		statement_column_id(stmt, 0, waiting.id);
		statement_column_id(stmt, 1, waiting.namespace_id);
		statement_column_array(stmt, 2, waiting.flavor, sizeof(waiting.flavor));
		statement_column_id(stmt, 4, waiting.created_by_id);
		statement_column_array(stmt, 5, waiting.group_id, sizeof(waiting.group_id));
		fn(arg, &waiting);
	}
	statement_end(db, stmt);
}
