/* SPDX-License-Identifier: Apache-2.0 */
/* Keys with which a client may repeat a submission. A key is remembered for a day. */
#include "store/account_row.h"
#include "store/job_row.h"

#include "base/clock.h"

#include <string.h>

#define KEY_LIFE_MS (24 * 60 * 60 * INT64_C(1000))

int jobs_find_by_key(struct database *db, const char *namespace_id, const char *idempotency_key,
                     const char *request_hash, char ret_id[ID_SIZE], struct error *err)
{
	char hash[128] = "", id[ID_SIZE] = "";
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT request_hash, job_id FROM idempotency WHERE namespace = ? AND key = ?"
	        " AND created_ms > ?",
	        "iti", account_seq(db, namespace_id), idempotency_key,
	        clock_now_ms() - KEY_LIFE_MS);

	if (statement_next(db, stmt)) {
		statement_column_array(stmt, 0, hash, sizeof(hash));
		statement_column_id(stmt, 1, id);
	}
	statement_end(db, stmt);
	if (*id && strcmp(hash, request_hash) != 0)
		return fail(err, E_CONFLICT,
		            "the idempotency key was used for another request, which made job %s; "
		            "use a new key",
		            id);
	memcpy(ret_id, id, ID_SIZE);
	return 0;
}

void idempotency_insert(struct database *db, int64_t namespace_seq, const char *key,
                        const char *request_hash, const char *job_id, int64_t now_ms)
{
	statement_write(db,
	                "INSERT OR REPLACE INTO idempotency (namespace, key, request_hash, job_id,"
	                " created_ms) VALUES (?, ?, ?, ?, ?)",
	                "ittti", namespace_seq, key, request_hash, job_id, now_ms);
	/* Two old ones go for each new one, so that the table does not grow for ever. */
	statement_write(db,
	                "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency"
	                " WHERE created_ms < ? ORDER BY created_ms LIMIT 2)",
	                "i", now_ms - KEY_LIFE_MS);
}
