/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and elements of arrays. */
#include "store/arrays.h"

#include "store/job_row.h"

#include <string.h>

bool array_plan_has(const struct array_plan *plan, int number)
{
	int bit = number - plan->first;

	return number >= plan->first && number <= plan->last &&
	       !(plan->left_out[bit / 8] & (1u << (bit % 8)));
}

void array_plan_leave_out(struct array_plan *plan, int number)
{
	int bit = number - plan->first;

	if (array_plan_has(plan, number))
		plan->left_out[bit / 8] |= (uint8_t)(1u << (bit % 8));
}

int array_plan_count(const struct array_plan *plan)
{
	int count = plan->last - plan->first + 1;

	for (size_t i = 0; i < sizeof(plan->left_out); i++)
		count -= __builtin_popcount(plan->left_out[i]);
	return count;
}

void arrays_insert(struct database *db, const char *id, const struct array_plan *plan)
{
	statement_write(db,
	                "INSERT INTO arrays (job, first, last, max_open, next, left_out)"
	                " VALUES (?, ?, ?, ?, ?, ?)",
	                "iddddb", job_seq(db, id), plan->first, plan->last, plan->max_open,
	                plan->next, (const void *)plan->left_out,
	                (size_t)(plan->last - plan->first + 8) / 8);
}

bool arrays_find(struct database *db, const char *id, struct array_plan *ret)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT first, last, max_open, next, left_out, tell, "
	                                    "tell_from FROM arrays WHERE job = ?",
	                                    "i", job_seq(db, id));
	bool found = statement_next(db, stmt);

	if (found) {
		size_t len = (size_t)sqlite3_column_bytes(stmt, 4);

		*ret = (struct array_plan){
		        .first = sqlite3_column_int(stmt, 0),
		        .last = sqlite3_column_int(stmt, 1),
		        .max_open = sqlite3_column_int(stmt, 2),
		        .next = sqlite3_column_int(stmt, 3),
		        .tell = (unsigned)sqlite3_column_int(stmt, 5),
		        .tell_from = sqlite3_column_int(stmt, 6),
		};
		if (len > 0 && len <= sizeof(ret->left_out))
			memcpy(ret->left_out, sqlite3_column_blob(stmt, 4), len);
	}
	statement_end(db, stmt);
	return found;
}

bool arrays_exist(struct database *db, const char *id)
{
	return statement_int(db, 0, "SELECT 1 FROM arrays WHERE job = ?", "i", job_seq(db, id)) !=
	       0;
}

void arrays_set_next(struct database *db, const char *id, int next)
{
	statement_write(db, "UPDATE arrays SET next = ? WHERE job = ?", "di", next,
	                job_seq(db, id));
}

void arrays_set_max(struct database *db, const char *id, int max_open)
{
	statement_write(db, "UPDATE arrays SET max_open = ? WHERE job = ?", "di", max_open,
	                job_seq(db, id));
}

void arrays_set_told(struct database *db, const char *id, unsigned tell, int tell_from)
{
	statement_write(db, "UPDATE arrays SET tell = ?, tell_from = ? WHERE job = ?", "ddi",
	                (int)tell, tell_from, job_seq(db, id));
}

void arrays_set_over(struct database *db, const char *id)
{
	statement_write(db, "UPDATE arrays SET is_over = 1 WHERE job = ?", "i", job_seq(db, id));
}

void arrays_each_not_over(struct database *db, void (*fn)(void *, const char *id), void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT j.id FROM arrays a JOIN jobs j ON j.seq = a.job"
	                                    " WHERE a.is_over = 0 ORDER BY a.job",
	                                    "");
	char id[ID_SIZE];

	while (statement_next(db, stmt)) {
		statement_column_id(stmt, 0, id);
		fn(arg, id);
	}
	statement_end(db, stmt);
}

void elements_insert(struct database *db, const char *array_id, int number, const char *job_id)
{
	statement_write(db, "INSERT INTO array_elements (array, element, job) VALUES (?, ?, ?)",
	                "idi", job_seq(db, array_id), number, job_seq(db, job_id));
}

bool elements_find_array(struct database *db, const char *job_id, char ret_array[ID_SIZE],
                         int *ret_number)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT j.id, e.element FROM array_elements e"
	                                    " JOIN jobs j ON j.seq = e.array WHERE e.job = ?",
	                                    "i", job_seq(db, job_id));
	bool found = statement_next(db, stmt);

	if (found) {
		statement_column_id(stmt, 0, ret_array);
		*ret_number = sqlite3_column_int(stmt, 1);
	}
	statement_end(db, stmt);
	return found;
}

void elements_count(struct database *db, const char *array_id, int64_t ret[STAGE_COUNT])
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       "SELECT j.stage, count(*) FROM array_elements e"
	                       " JOIN jobs j ON j.seq = e.job WHERE e.array = ? GROUP BY j.stage",
	                       "i", job_seq(db, array_id));

	memset(ret, 0, STAGE_COUNT * sizeof(*ret));
	while (statement_next(db, stmt)) {
		int stage = sqlite3_column_int(stmt, 0);

		if (stage >= 0 && stage < STAGE_COUNT)
			ret[stage] = sqlite3_column_int64(stmt, 1);
	}
	statement_end(db, stmt);
}

void elements_each(struct database *db, const char *array_id, int from, unsigned stage_mask,
                   int limit, void (*fn)(void *, const struct array_element *element), void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       "SELECT j.id, e.element, j.stage FROM array_elements e"
	                       " JOIN jobs j ON j.seq = e.job WHERE e.array = ? AND e.element >= ?"
	                       " AND (? >> j.stage) & 1 ORDER BY e.element LIMIT ?",
	                       "iddd", job_seq(db, array_id), from, (int)stage_mask, limit);
	struct array_element element;

	while (statement_next(db, stmt)) {
		statement_column_id(stmt, 0, element.job_id);
		element.number = sqlite3_column_int(stmt, 1);
		element.stage = sqlite3_column_int(stmt, 2);
		fn(arg, &element);
	}
	statement_end(db, stmt);
}
