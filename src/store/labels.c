/* SPDX-License-Identifier: Apache-2.0 */
/* One row per label of a job, ordered so that the newest jobs with a label are read in one stride.
 */
#include "store/job_row.h"

void label_rows_insert(struct database *db, int64_t namespace_seq, int64_t job,
                       const json_t *labels)
{
	const char *key;
	json_t *value;

	/* jansson's iterators do not change the object, but its types do not say so. */
	json_object_foreach((json_t *)(uintptr_t)labels, key, value) statement_write(
	        db, "INSERT INTO labels (namespace, key, value, job) VALUES (?, ?, ?, ?)", "itti",
	        namespace_seq, key, json_string_value(value), job);
}

void label_rows_delete(struct database *db, int64_t namespace_seq, int64_t job,
                       const json_t *labels)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
	        statement_write(db,
	                        "DELETE FROM labels WHERE namespace = ? AND key = ? AND value = ?"
	                        " AND job = ?",
	                        "itti", namespace_seq, key, json_string_value(value), job);
}
