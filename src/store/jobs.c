/* SPDX-License-Identifier: Apache-2.0 */
/* One job: its row, written and read. Lists are in jobs_query.c. */
#include "store/jobs.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "store/account_row.h"
#include "store/job_row.h"

#include <string.h>
#include <strings.h>

static const char *const stage_names[STAGE_COUNT] = {"SCHEDULING", "RUNNING",  "COMPLETED",
                                                     "ERROR",      "CANCELED", "DELETED"};

const char *stage_name(enum job_stage stage)
{
	return stage_names[stage];
}

int stage_by_name(const char *name)
{
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		if (strcasecmp(name, stage_names[stage]) == 0)
			return stage;
	return -1;
}

bool stage_is_terminal(enum job_stage stage)
{
	return stage >= STAGE_COMPLETED;
}

void job_record_clear(struct job_record *job)
{
	free(job->message);
	free(job->cancel_reason);
	free(job->flavor);
	free(job->image_digest);
	json_decref(job->spec);
	json_decref(job->labels);
	json_decref(job->initiator);
	*job = (struct job_record){0};
}

int64_t job_seq(struct database *db, const char *id)
{
	return statement_int(db, 0, "SELECT seq FROM jobs WHERE id = ?", "t", id);
}

/* What we wrote ourselves: damage is a bug or a broken disk, not something to go on with quietly.
 */
static json_t *job_row_json(sqlite3_stmt *stmt, int column)
{
	json_t *value = json_loadb((const char *)sqlite3_column_text(stmt, column),
	                           (size_t)sqlite3_column_bytes(stmt, column), 0, NULL);

	if (!value) {
		log_error("database: a job has unreadable JSON in column %d", column);
		value = json_object();
	}
	return value;
}

void job_row_read(sqlite3_stmt *stmt, struct job_record *ret)
{
	*ret = (struct job_record){
	        .namespace_type = sqlite3_column_int(stmt, 3),
	        .created_ms = sqlite3_column_int64(stmt, 6),
	        .started_ms = sqlite3_column_int64(stmt, 7),
	        .finished_ms = sqlite3_column_int64(stmt, 8),
	        .updated_ms = sqlite3_column_int64(stmt, 9),
	        .stage = sqlite3_column_int(stmt, 10),
	        .message = statement_column_copy(stmt, 11),
	        .cancel_reason = statement_column_copy(stmt, 12),
	        .failure_count = sqlite3_column_int(stmt, 13),
	        .attempts = sqlite3_column_int(stmt, 14),
	        .timeout_s = sqlite3_column_int64(stmt, 15),
	        .flavor = statement_column_copy(stmt, 16),
	        .image_digest = statement_column_copy(stmt, 17),
	        .spec = job_row_json(stmt, 18),
	        .labels = job_row_json(stmt, 19),
	        .initiator = job_row_json(stmt, 20),
	        .priority = sqlite3_column_int(stmt, 21),
	        .hold = sqlite3_column_int(stmt, 22),
	        .rank = sqlite3_column_int64(stmt, 23),
	        .not_before_ms = sqlite3_column_int64(stmt, 24),
	};
	statement_column_array(stmt, 25, ret->group_id, sizeof(ret->group_id));
	statement_column_id(stmt, 0, ret->id);
	statement_column_id(stmt, 1, ret->namespace_id);
	statement_column_array(stmt, 2, ret->namespace_name, sizeof(ret->namespace_name));
	statement_column_id(stmt, 4, ret->created_by_id);
	statement_column_array(stmt, 5, ret->created_by_name, sizeof(ret->created_by_name));
}

static void job_insert_rows(struct database *db, const struct job_record *job,
                            int64_t namespace_seq, const void *sealed_secrets, size_t sealed_len)
{
	autofree char *spec = json_to_text(job->spec);
	autofree char *labels = json_to_text(job->labels);
	autofree char *initiator = json_to_text(job->initiator);
	int64_t seq;

	statement_write(
	        db,
	        "INSERT INTO jobs (id, namespace, created_by, stage, created_ms, updated_ms,"
	        " attempts, timeout_s, flavor, message, priority, hold, rank, resource_group)"
	        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	        " coalesce((SELECT seq FROM resource_groups WHERE id = ?), 0))",
	        "tiidiidittddit", job->id, namespace_seq, account_seq(db, job->created_by_id),
	        (int)job->stage, job->created_ms, job->created_ms, job->attempts, job->timeout_s,
	        job->flavor, job->message, job->priority, job->hold, job->rank, job->group_id);
	seq = statement_last_seq(db);
	statement_write(db,
	                "INSERT INTO job_specs (job, spec, labels, initiator, secrets)"
	                " VALUES (?, ?, ?, ?, ?)",
	                "itttb", seq, spec, labels, initiator, sealed_secrets, sealed_len);
	label_rows_insert(db, namespace_seq, seq, job->labels);
}

int jobs_insert(struct database *db, const struct job_record *job, const void *sealed_secrets,
                size_t sealed_len, const char *idempotency_key, const char *request_hash,
                char ret_existing_id[ID_SIZE], struct error *err)
{
	int64_t namespace_seq = account_seq(db, job->namespace_id);
	char existing[ID_SIZE] = "";

	if (!namespace_seq)
		return fail(err, E_NOT_FOUND, "there is no account \"%s\"", job->namespace_name);
	if (idempotency_key && jobs_find_by_key(db, job->namespace_id, idempotency_key,
	                                        request_hash, existing, err) < 0)
		return -1;
	if (*existing == '\0') {
		job_insert_rows(db, job, namespace_seq, sealed_secrets, sealed_len);
		if (idempotency_key)
			idempotency_insert(db, namespace_seq, idempotency_key, request_hash,
			                   job->id, job->created_ms);
		(void)events_insert(db, job->id, "created", "{\"stage\":\"SCHEDULING\"}",
		                    job->created_ms);
	}
	memcpy(ret_existing_id, existing, ID_SIZE);
	return 0;
}

bool jobs_find(struct database *db, const char *id, struct job_record *ret)
{
	sqlite3_stmt *stmt = statement_read(db, JOB_SELECT "WHERE j.id = ?", "t", id);
	bool found = statement_next(db, stmt);

	if (found)
		job_row_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

void jobs_get_secrets(struct database *db, const char *id, struct buffer *ret_sealed)
{
	sqlite3_stmt *stmt = statement_read(
	        db, "SELECT secrets FROM job_specs WHERE job = (SELECT seq FROM jobs WHERE id = ?)",
	        "t", id);

	if (statement_next(db, stmt) && sqlite3_column_bytes(stmt, 0) > 0 &&
	    buffer_add(ret_sealed, sqlite3_column_blob(stmt, 0),
	               (size_t)sqlite3_column_bytes(stmt, 0)) < 0)
		log_error("job %s: its sealed secrets are longer than %zu bytes", id,
		          ret_sealed->max);
	statement_end(db, stmt);
}

void jobs_set_stage(struct database *db, const char *id, enum job_stage stage, const char *message,
                    const char *cancel_reason, int64_t started_ms, int64_t finished_ms,
                    int failure_count, int64_t now_ms)
{
	statement_write(db,
	                "UPDATE jobs SET stage = ?, message = ?, cancel_reason = ?, started_ms = ?,"
	                " finished_ms = ?, failure_count = ?, updated_ms = ? WHERE id = ?",
	                "dttiidit", (int)stage, message, cancel_reason, started_ms, finished_ms,
	                failure_count, now_ms, id);
}

void jobs_set_message(struct database *db, const char *id, const char *message, int64_t now_ms)
{
	statement_write(db, "UPDATE jobs SET message = ?, updated_ms = ? WHERE id = ?", "tit",
	                message, now_ms, id);
}

void jobs_set_labels(struct database *db, const char *id, const json_t *labels, int64_t now_ms)
{
	autofree char *text = json_to_text(labels);
	struct job_record old;
	int64_t namespace_seq, seq = job_seq(db, id);

	if (!jobs_find(db, id, &old))
		return;
	namespace_seq = account_seq(db, old.namespace_id);
	label_rows_delete(db, namespace_seq, seq, old.labels);
	label_rows_insert(db, namespace_seq, seq, labels);
	statement_write(db, "UPDATE job_specs SET labels = ? WHERE job = ?", "ti", text, seq);
	statement_write(db, "UPDATE jobs SET updated_ms = ? WHERE seq = ?", "ii", now_ms, seq);
	job_record_clear(&old);
}

void jobs_set_timeout(struct database *db, const char *id, int64_t timeout_s, int64_t now_ms)
{
	statement_write(db, "UPDATE jobs SET timeout_s = ?, updated_ms = ? WHERE id = ?", "iit",
	                timeout_s, now_ms, id);
}

void jobs_set_attempts(struct database *db, const char *id, int attempts)
{
	statement_write(db, "UPDATE jobs SET attempts = ? WHERE id = ?", "dt", attempts, id);
}

void jobs_set_order(struct database *db, const char *id, int priority, int hold, int64_t rank,
                    int64_t not_before_ms)
{
	statement_write(db,
	                "UPDATE jobs SET priority = ?, hold = ?, rank = ?, not_before_ms = ?"
	                " WHERE id = ?",
	                "ddiit", priority, hold, rank, not_before_ms, id);
}

void jobs_set_image_digest(struct database *db, const char *id, const char *digest)
{
	statement_write(db, "UPDATE jobs SET image_digest = ? WHERE id = ?", "tt", digest, id);
}
