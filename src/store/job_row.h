/* SPDX-License-Identifier: Apache-2.0 */
/* How a whole job is read, for the files that select jobs. */
#ifndef HEARTH_STORE_JOB_ROW_H
#define HEARTH_STORE_JOB_ROW_H

#include "store/jobs.h"
#include "store/statement.h"

/* "SELECT … FROM jobs j …"; continue with WHERE. */
#define JOB_SELECT                                                                                 \
	"SELECT j.id, n.id, n.name, n.type, c.id, c.name, j.created_ms, j.started_ms,"             \
	" j.finished_ms, j.updated_ms, j.stage, j.message, j.cancel_reason, j.failure_count,"      \
	" j.attempts, j.timeout_s, j.flavor, j.image_digest, s.spec, s.labels, s.initiator,"       \
	" j.priority, j.hold, j.rank, j.not_before_ms,"                                            \
	" coalesce((SELECT id FROM resource_groups WHERE seq = j.resource_group), '')"             \
	" FROM jobs j JOIN accounts n ON n.seq = j.namespace"                                      \
	" JOIN accounts c ON c.seq = j.created_by JOIN job_specs s ON s.job = j.seq "

void job_row_read(sqlite3_stmt *stmt, struct job_record *ret);
int64_t job_seq(struct database *db, const char *id); /* 0: there is none */

/* The rows by which jobs are found by label. */
void label_rows_insert(struct database *db, int64_t namespace_seq, int64_t job,
		       const json_t *labels);
void label_rows_delete(struct database *db, int64_t namespace_seq, int64_t job,
		       const json_t *labels);

/* Idempotency keys: remember that the key made this job. */
void idempotency_insert(struct database *db, int64_t namespace_seq, const char *key,
			const char *request_hash, const char *job_id, int64_t now_ms);

#endif
