/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules: their rows. The ledger of their ticks is in ticks.c. */
#include "store/schedules.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "store/account_row.h"
#include "store/statement.h"

#include <string.h>

#define SCHEDULE_SELECT                                                                            \
	"SELECT t.seq, t.id, n.id, n.name, n.type, c.id, c.name, t.created_ms, t.updated_ms,"      \
	" t.expression, t.is_suspended, t.suspend_reason, t.concurrency, t.catch_up, t.overlap,"   \
	" t.considered_ms, t.failures, t.last_job_id, t.last_job_ms, t.flavor, t.timeout_s,"       \
	" t.attempts, s.spec, s.labels, s.initiator"                                               \
	" FROM schedules t JOIN accounts n ON n.seq = t.namespace"                                 \
	" JOIN accounts c ON c.seq = t.created_by JOIN schedule_specs s ON s.schedule = t.seq "

void schedule_record_clear(struct schedule_record *schedule)
{
	free(schedule->expression);
	free(schedule->suspend_reason);
	free(schedule->catch_up);
	free(schedule->overlap);
	free(schedule->flavor);
	json_decref(schedule->spec);
	json_decref(schedule->labels);
	json_decref(schedule->initiator);
	*schedule = (struct schedule_record){0};
}

static json_t *schedule_json(sqlite3_stmt *stmt, int column)
{
	json_t *value = json_loadb((const char *)sqlite3_column_text(stmt, column),
	                           (size_t)sqlite3_column_bytes(stmt, column), 0, NULL);

	if (!value) {
		log_error("database: a schedule has unreadable JSON in column %d", column);
		value = json_object();
	}
	return value;
}

static void schedule_read(sqlite3_stmt *stmt, struct schedule_record *ret)
{
	*ret = (struct schedule_record){
	        .seq = sqlite3_column_int64(stmt, 0),
	        .namespace_type = sqlite3_column_int(stmt, 4),
	        .created_ms = sqlite3_column_int64(stmt, 7),
	        .updated_ms = sqlite3_column_int64(stmt, 8),
	        .expression = statement_column_copy(stmt, 9),
	        .is_suspended = sqlite3_column_int(stmt, 10),
	        .suspend_reason = statement_column_copy(stmt, 11),
	        .concurrency = sqlite3_column_int(stmt, 12),
	        .catch_up = statement_column_copy(stmt, 13),
	        .overlap = statement_column_copy(stmt, 14),
	        .considered_ms = sqlite3_column_int64(stmt, 15),
	        .failures = sqlite3_column_int(stmt, 16),
	        .last_job_ms = sqlite3_column_int64(stmt, 18),
	        .flavor = statement_column_copy(stmt, 19),
	        .timeout_s = sqlite3_column_int64(stmt, 20),
	        .attempts = sqlite3_column_int(stmt, 21),
	        .spec = schedule_json(stmt, 22),
	        .labels = schedule_json(stmt, 23),
	        .initiator = schedule_json(stmt, 24),
	};
	statement_column_id(stmt, 1, ret->id);
	statement_column_id(stmt, 2, ret->namespace_id);
	statement_column_array(stmt, 3, ret->namespace_name, sizeof(ret->namespace_name));
	statement_column_id(stmt, 5, ret->created_by_id);
	statement_column_array(stmt, 6, ret->created_by_name, sizeof(ret->created_by_name));
	statement_column_id(stmt, 17, ret->last_job_id);
}

void schedules_insert(struct database *db, const struct schedule_record *schedule,
                      const void *sealed, size_t sealed_len)
{
	autofree char *spec = json_to_text(schedule->spec);
	autofree char *labels = json_to_text(schedule->labels);
	autofree char *initiator = json_to_text(schedule->initiator);

	statement_write(db,
	                "INSERT INTO schedules (id, namespace, created_by, created_ms, updated_ms,"
	                " expression, is_suspended, concurrency, catch_up, overlap, considered_ms,"
	                " flavor, timeout_s, attempts)"
	                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	                "tiiiitddttitid", schedule->id, account_seq(db, schedule->namespace_id),
	                account_seq(db, schedule->created_by_id), schedule->created_ms,
	                schedule->updated_ms, schedule->expression, (int)schedule->is_suspended,
	                (int)schedule->concurrency, schedule->catch_up, schedule->overlap,
	                schedule->considered_ms, schedule->flavor, schedule->timeout_s,
	                schedule->attempts);
	statement_write(db,
	                "INSERT INTO schedule_specs (schedule, spec, labels, initiator, secrets)"
	                " VALUES (?, ?, ?, ?, ?)",
	                "itttb", statement_last_seq(db), spec, labels, initiator, sealed,
	                sealed_len);
}

bool schedules_find(struct database *db, const char *id, struct schedule_record *ret)
{
	sqlite3_stmt *stmt = statement_read(db, SCHEDULE_SELECT "WHERE t.id = ?", "t", id);
	bool found = statement_next(db, stmt);

	if (found)
		schedule_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

void schedules_get_secrets(struct database *db, int64_t seq, struct buffer *ret_sealed)
{
	sqlite3_stmt *stmt = statement_read(
	        db, "SELECT secrets FROM schedule_specs WHERE schedule = ?", "i", seq);

	if (statement_next(db, stmt) && sqlite3_column_bytes(stmt, 0) > 0 &&
	    buffer_add(ret_sealed, sqlite3_column_blob(stmt, 0),
	               (size_t)sqlite3_column_bytes(stmt, 0)) < 0)
		log_error("a schedule's sealed secrets are longer than %zu bytes", ret_sealed->max);
	statement_end(db, stmt);
}

void schedules_each(struct database *db, const char *namespace_id, int64_t before_seq, int limit,
                    bool (*fn)(void *arg, struct schedule_record *schedule), void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       SCHEDULE_SELECT "WHERE t.namespace = ? AND t.seq < ?"
	                                       " ORDER BY t.seq DESC LIMIT ?",
	                       "iid", account_seq(db, namespace_id), before_seq, limit);
	bool goes_on = true;

	while (goes_on && statement_next(db, stmt)) {
		struct schedule_record schedule;

		schedule_read(stmt, &schedule);
		goes_on = fn(arg, &schedule);
		schedule_record_clear(&schedule);
	}
	statement_end(db, stmt);
}

int64_t schedules_count(struct database *db, const char *namespace_id)
{
	return statement_int(db, 0, "SELECT count(*) FROM schedules WHERE namespace = ?", "i",
	                     account_seq(db, namespace_id));
}

void schedules_remove(struct database *db, int64_t seq)
{
	statement_write(db, "DELETE FROM ticks WHERE schedule = ?", "i", seq);
	statement_write(db, "DELETE FROM schedule_specs WHERE schedule = ?", "i", seq);
	statement_write(db, "DELETE FROM schedules WHERE seq = ?", "i", seq);
}

void schedules_set_expression(struct database *db, int64_t seq, const char *expression,
                              int64_t considered_ms, int64_t now_ms)
{
	statement_write(db,
	                "UPDATE schedules SET expression = ?, considered_ms = ?, updated_ms = ?"
	                " WHERE seq = ?",
	                "tiii", expression, considered_ms, now_ms, seq);
}

void schedules_set_suspended(struct database *db, int64_t seq, bool is_suspended,
                             const char *reason, int64_t considered_ms, int64_t now_ms)
{
	statement_write(db,
	                "UPDATE schedules SET is_suspended = ?, suspend_reason = ?,"
	                " considered_ms = ?, failures = 0, updated_ms = ? WHERE seq = ?",
	                "dtiii", (int)is_suspended, reason, considered_ms, now_ms, seq);
}

void schedules_set_labels(struct database *db, int64_t seq, const json_t *labels,
                          const char *catch_up, const char *overlap, int64_t now_ms)
{
	autofree char *text = json_to_text(labels);

	statement_write(db, "UPDATE schedule_specs SET labels = ? WHERE schedule = ?", "ti", text,
	                seq);
	statement_write(
	        db, "UPDATE schedules SET catch_up = ?, overlap = ?, updated_ms = ? WHERE seq = ?",
	        "ttii", catch_up, overlap, now_ms, seq);
}

void schedules_set_considered(struct database *db, int64_t seq, int64_t considered_ms, int failures)
{
	statement_write(db, "UPDATE schedules SET considered_ms = ?, failures = ? WHERE seq = ?",
	                "idi", considered_ms, failures, seq);
}

void schedules_set_last_job(struct database *db, int64_t seq, const char *job_id, int64_t job_ms)
{
	statement_write(db, "UPDATE schedules SET last_job_id = ?, last_job_ms = ? WHERE seq = ?",
	                "tii", job_id, job_ms, seq);
}

static void brief_read(sqlite3_stmt *stmt, struct schedule_brief *ret)
{
	*ret = (struct schedule_brief){
	        .seq = sqlite3_column_int64(stmt, 0),
	        .expression = (const char *)sqlite3_column_text(stmt, 2),
	        .catch_up = (const char *)sqlite3_column_text(stmt, 3),
	        .overlap = (const char *)sqlite3_column_text(stmt, 4),
	        .concurrency = sqlite3_column_int(stmt, 5),
	        .considered_ms = sqlite3_column_int64(stmt, 6),
	        .failures = sqlite3_column_int(stmt, 7),
	        .is_suspended = sqlite3_column_int(stmt, 8),
	};
	statement_column_id(stmt, 1, ret->id);
}

void schedules_each_brief(struct database *db, void (*fn)(void *, const struct schedule_brief *),
                          void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT seq, id, expression, catch_up, overlap, concurrency, considered_ms,"
	        " failures, is_suspended FROM schedules",
	        "");
	struct schedule_brief brief;

	while (statement_next(db, stmt)) {
		brief_read(stmt, &brief);
		fn(arg, &brief);
	}
	statement_end(db, stmt);
}

void schedules_each_live_job(struct database *db,
                             void (*fn)(void *, const char *schedule_id, const char *job_id),
                             void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT s.initiator ->> 'id', j.id FROM jobs j"
	                                    " JOIN job_specs s ON s.job = j.seq"
	                                    " WHERE (j.stage < 2 OR j.seq IN"
	                                    "   (SELECT job FROM attempts WHERE ended_ms = 0))"
	                                    " AND s.initiator ->> 'type' = 'scheduled-job'",
	                                    "");

	while (statement_next(db, stmt))
		fn(arg, (const char *)sqlite3_column_text(stmt, 0),
		   (const char *)sqlite3_column_text(stmt, 1));
	statement_end(db, stmt);
}
