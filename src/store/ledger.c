/* SPDX-License-Identifier: Apache-2.0 */
/* Usage records: one row per attempt that ran, written at its start and at its end, never again. */
#include "store/ledger.h"

#include "store/account_row.h"
#include "store/job_row.h"
#include "store/ledger_row.h"

#include <string.h>

#define MS_PER_HOUR 3600000

#define USAGE_SELECT_BY(hint)                                                                      \
	"SELECT j.id, n.id, u.id, coalesce(g.id, ''), u.name, r.attempt, r.flavor, r.price_hour,"  \
	" r.started_ms, r.ended_ms, r.used_ms, r.cost, r.taken, coalesce(a.started_us, 0), "       \
	"coalesce(g.name, '')"                                                                     \
	" FROM usage_records r " hint " JOIN jobs j ON j.seq = r.job"                              \
	" JOIN accounts n ON n.seq = r.namespace JOIN accounts u ON u.seq = r.user"                \
	" LEFT JOIN resource_groups g ON g.seq = r.resource_group"                                 \
	" LEFT JOIN attempts a ON a.job = r.job AND a.number = r.attempt "

#define USAGE_SELECT USAGE_SELECT_BY("")

int64_t ledger_cost(int64_t used_ms, int64_t price_hour_micro_usd)
{
	__int128 cost;

	if (used_ms <= 0 || price_hour_micro_usd <= 0)
		return 0;
	cost = ((__int128)used_ms * price_hour_micro_usd + MS_PER_HOUR / 2) / MS_PER_HOUR;
	return cost > INT64_MAX ? INT64_MAX : (int64_t)cost;
}

bool usage_share_next(const struct usage_record *record, struct usage_share *share)
{
	int64_t from_ms = share->until_ms, to_ms;

	if (share->attempts)
		return false;
	share->day = (record->started_ms + from_ms) / LEDGER_DAY_MS;
	to_ms = (share->day + 1) * LEDGER_DAY_MS - record->started_ms;
	if (to_ms >= record->used_ms) {
		share->attempts = 1;
		to_ms = record->used_ms;
	}
	share->used_ms = to_ms - from_ms;
	share->cost_micro_usd = ledger_cost(to_ms, record->price_hour_micro_usd) -
	                        ledger_cost(from_ms, record->price_hour_micro_usd);
	share->until_ms = to_ms;
	return true;
}

static void usage_read(sqlite3_stmt *stmt, struct usage_record *ret)
{
	*ret = (struct usage_record){
	        .attempt = sqlite3_column_int(stmt, 5),
	        .price_hour_micro_usd = sqlite3_column_int64(stmt, 7),
	        .started_ms = sqlite3_column_int64(stmt, 8),
	        .ended_ms = sqlite3_column_int64(stmt, 9),
	        .used_ms = sqlite3_column_int64(stmt, 10),
	        .cost_micro_usd = sqlite3_column_int64(stmt, 11),
	        .taken_micro_usd = sqlite3_column_int64(stmt, 12),
	        .started_us = sqlite3_column_int64(stmt, 13),
	};
	statement_column_id(stmt, 0, ret->job_id);
	statement_column_id(stmt, 1, ret->namespace_id);
	statement_column_id(stmt, 2, ret->user_id);
	statement_column_id(stmt, 3, ret->group_id);
	statement_column_array(stmt, 4, ret->user_name, sizeof(ret->user_name));
	statement_column_array(stmt, 6, ret->flavor, sizeof(ret->flavor));
	statement_column_array(stmt, 14, ret->group_name, sizeof(ret->group_name));
}

static void usage_read_all(struct database *db, sqlite3_stmt *stmt,
                           void (*fn)(void *, const struct usage_record *), void *arg)
{
	struct usage_record record;

	while (statement_next(db, stmt)) {
		usage_read(stmt, &record);
		fn(arg, &record);
	}
	statement_end(db, stmt);
}

void usage_begin(struct database *db, const struct usage_record *record)
{
	statement_write(db,
	                "INSERT OR IGNORE INTO usage_records (job, attempt, namespace, user,"
	                " resource_group, flavor, price_hour, started_ms) VALUES (?, ?, ?, ?,"
	                " coalesce((SELECT seq FROM resource_groups WHERE id = ?), 0), ?, ?, ?)",
	                "idiittii", job_seq(db, record->job_id), record->attempt,
	                account_seq(db, record->namespace_id), account_seq(db, record->user_id),
	                record->group_id, record->flavor, record->price_hour_micro_usd,
	                record->started_ms);
}

bool usage_find(struct database *db, const char *job_id, int attempt, struct usage_record *ret)
{
	sqlite3_stmt *stmt = statement_read(db, USAGE_SELECT "WHERE r.job = ? AND r.attempt = ?",
	                                    "id", job_seq(db, job_id), attempt);
	bool found = statement_next(db, stmt);

	if (found)
		usage_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

bool usage_end(struct database *db, const char *job_id, int attempt, int64_t used_ms,
               const json_t *labels, struct usage_record *ret)
{
	struct usage_record record;

	if (!usage_find(db, job_id, attempt, &record) || record.ended_ms)
		return false;
	record.used_ms = used_ms > 0 ? used_ms : 0;
	record.ended_ms = record.started_ms + record.used_ms;
	record.cost_micro_usd = ledger_cost(record.used_ms, record.price_hour_micro_usd);
	statement_write(db,
	                "UPDATE usage_records SET ended_ms = ?, used_ms = ?, cost = ?"
	                " WHERE job = ? AND attempt = ?",
	                "iiiid", record.ended_ms, record.used_ms, record.cost_micro_usd,
	                job_seq(db, job_id), attempt);
	usage_sums_add(db, &record, labels);
	*ret = record;
	return true;
}

void usage_set_taken(struct database *db, const char *job_id, int attempt, int64_t taken_micro_usd)
{
	statement_write(db, "UPDATE usage_records SET taken = ? WHERE job = ? AND attempt = ?",
	                "iid", taken_micro_usd, job_seq(db, job_id), attempt);
}

void usage_each_running(struct database *db, void (*fn)(void *, const struct usage_record *),
                        void *arg)
{
	usage_read_all(
	        db,
	        statement_read(
	                db, USAGE_SELECT_BY("INDEXED BY usage_running") "WHERE r.ended_ms = 0", ""),
	        fn, arg);
}

void usage_each_of_job(struct database *db, const char *job_id,
                       void (*fn)(void *, const struct usage_record *), void *arg)
{
	usage_read_all(db,
	               statement_read(db, USAGE_SELECT "WHERE r.job = ? ORDER BY r.attempt", "i",
	                              job_seq(db, job_id)),
	               fn, arg);
}

void usage_of_array(struct database *db, const char *array_id, struct usage_sum *ret)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT count(*), coalesce(sum(r.used_ms), 0), coalesce(sum(r.cost), 0)"
	        " FROM array_elements e JOIN usage_records r ON r.job = e.job"
	        " WHERE e.array = ? AND r.ended_ms > 0",
	        "i", job_seq(db, array_id));

	*ret = (struct usage_sum){0};
	if (statement_next(db, stmt))
		*ret = (struct usage_sum){
		        .attempts = sqlite3_column_int64(stmt, 0),
		        .used_ms = sqlite3_column_int64(stmt, 1),
		        .cost_micro_usd = sqlite3_column_int64(stmt, 2),
		};
	statement_end(db, stmt);
}

void usage_each(struct database *db, const char *namespace_id, int64_t from_ms, int64_t to_ms,
                const struct usage_record *after, int limit,
                void (*fn)(void *, const struct usage_record *), void *arg)
{
	int64_t seq = account_seq(db, namespace_id);

	if (!after)
		usage_read_all(db,
		               statement_read(db,
		                              USAGE_SELECT
		                              "WHERE r.namespace = ? AND r.started_ms >= ?"
		                              " AND r.started_ms < ? ORDER BY r.started_ms DESC,"
		                              " r.job DESC, r.attempt DESC LIMIT ?",
		                              "iiid", seq, from_ms, to_ms, limit),
		               fn, arg);
	else
		usage_read_all(db,
		               statement_read(db,
		                              USAGE_SELECT
		                              "WHERE r.namespace = ?1 AND r.started_ms >= ?2"
		                              " AND r.started_ms <= ?3"
		                              " AND (r.started_ms, r.job, r.attempt) < (?3, ?4, ?5)"
		                              " ORDER BY r.started_ms DESC, r.job DESC,"
		                              " r.attempt DESC LIMIT ?6",
		                              "iiiidd", seq, from_ms, after->started_ms,
		                              job_seq(db, after->job_id), after->attempt, limit),
		               fn, arg);
}
