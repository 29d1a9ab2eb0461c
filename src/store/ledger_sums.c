/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of usage by day, kept up to date with each record that ends: a report over a million
 * attempts reads some thousand rows. What ran over midnight is split there by cumulated cost, so
 * that days add up to the record exactly.
 */
#include "store/account_row.h"
#include "store/ledger_row.h"
#include "store/statement.h"

#include <string.h>
#include <time.h>

/* Another value for every job: nobody sums up by it. */
#define UNIQUE_LABEL "hearth.idempotency-key"

#define SUMS_ADD(table)                                                                            \
	"INSERT INTO " table " (day, namespace, user, resource_group, flavor, attempts, used_ms,"  \
	" cost) VALUES (?, ?, ?, coalesce((SELECT seq FROM resource_groups WHERE id = ?), 0),"     \
	" ?, ?, ?, ?) ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts,"          \
	" used_ms = used_ms + excluded.used_ms, cost = cost + excluded.cost"

static void sums_add(struct database *db, const char *sql, const struct usage_record *record,
                     int64_t day, const struct usage_share *share)
{
	statement_write(db, sql, "iiittiii", day, account_seq(db, record->namespace_id),
	                account_seq(db, record->user_id), record->group_id, record->flavor,
	                share->attempts, share->used_ms, share->cost_micro_usd);
}

int64_t usage_month_of(int64_t day, int64_t *ret_next)
{
	time_t at = day * (LEDGER_DAY_MS / 1000);
	struct tm tm;
	int64_t first;

	gmtime_r(&at, &tm);
	first = day - tm.tm_mday + 1;
	tm = (struct tm){.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 1};
	*ret_next = (int64_t)timegm(&tm) / (LEDGER_DAY_MS / 1000);
	return first;
}

static void sums_add_labels(struct database *db, const struct usage_record *record,
                            const json_t *labels, const struct usage_share *share)
{
	int64_t namespace_seq = account_seq(db, record->namespace_id);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
	{
		if (strcmp(key, UNIQUE_LABEL) == 0)
			continue;
		statement_write(
		        db,
		        "INSERT INTO usage_labels (key, day, namespace, value, attempts,"
		        " used_ms, cost) VALUES (?, ?, ?, ?, ?, ?, ?)"
		        " ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts,"
		        " used_ms = used_ms + excluded.used_ms, cost = cost + excluded.cost",
		        "tiitiii", key, share->day, namespace_seq,
		        json_is_string(value) ? json_string_value(value) : "", share->attempts,
		        share->used_ms, share->cost_micro_usd);
	}
}

void usage_sums_add(struct database *db, const struct usage_record *record, const json_t *labels)
{
	static const char days[] = SUMS_ADD("usage_days"), months[] = SUMS_ADD("usage_months");
	struct usage_share share = {0};
	int64_t next;

	while (usage_share_next(record, &share)) {
		sums_add(db, days, record, share.day, &share);
		sums_add(db, months, record, usage_month_of(share.day, &next), &share);
		sums_add_labels(db, record, labels, &share);
	}
}

#define SUMS_OF(table, key, group)                                                                 \
	"SELECT " key ", sum(attempts), sum(used_ms), sum(cost) FROM " table                       \
	" WHERE day >= ? AND day < ? GROUP BY " group,                                             \
	        "SELECT " key ", sum(attempts), sum(used_ms), sum(cost) FROM " table               \
	        " WHERE day >= ? AND day < ? AND namespace = ? GROUP BY " group
#define SUMS(key, group)                                                                           \
	{                                                                                          \
		SUMS_OF("usage_days", key, group), SUMS_OF("usage_months", key, group)             \
	}

/* Of all days, of those of a namespace; the same of months. */
static const char *const sums_sql[][4] = {
        [USAGE_BY_NAMESPACE] =
                SUMS("(SELECT name FROM accounts WHERE seq = namespace)", "namespace"),
        [USAGE_BY_USER] = SUMS("(SELECT name FROM accounts WHERE seq = user)", "user"),
        [USAGE_BY_FLAVOR] = SUMS("flavor", "flavor"),
        [USAGE_BY_GROUP] =
                SUMS("coalesce((SELECT name FROM resource_groups WHERE seq = resource_group), '')",
                     "resource_group"),
        [USAGE_BY_DAY] = SUMS("date(day * 86400, 'unixepoch')", "day"),
        [USAGE_BY_MONTH] = SUMS("strftime('%Y-%m', day * 86400, 'unixepoch')", "1"),
};

static const char sums_label_all[] =
        "SELECT value, sum(attempts), sum(used_ms), sum(cost) FROM usage_labels"
        " WHERE day >= ? AND day < ? AND key = ? GROUP BY value";
static const char sums_label_one[] =
        "SELECT value, sum(attempts), sum(used_ms), sum(cost) FROM usage_labels"
        " WHERE day >= ? AND day < ? AND key = ? AND namespace = ? GROUP BY value";

static sqlite3_stmt *sums_read(struct database *db, const char *namespace_id, enum usage_by by,
                               const char *label, int64_t from_day, int64_t to_day, int of_months)
{
	int64_t seq = namespace_id ? account_seq(db, namespace_id) : 0;

	if (by == USAGE_BY_LABEL && namespace_id)
		return statement_read(db, sums_label_one, "iiti", from_day, to_day, label, seq);
	if (by == USAGE_BY_LABEL)
		return statement_read(db, sums_label_all, "iit", from_day, to_day, label);
	if (namespace_id)
		return statement_read(db, sums_sql[by][of_months + 1], "iii", from_day, to_day,
		                      seq);
	return statement_read(db, sums_sql[by][of_months], "ii", from_day, to_day);
}

static void sums_tell(struct database *db, sqlite3_stmt *stmt,
                      void (*fn)(void *, const struct usage_sum *), void *arg)
{
	while (statement_next(db, stmt)) {
		struct usage_sum sum = {
		        .attempts = sqlite3_column_int64(stmt, 1),
		        .used_ms = sqlite3_column_int64(stmt, 2),
		        .cost_micro_usd = sqlite3_column_int64(stmt, 3),
		};

		statement_column_array(stmt, 0, sum.key, sizeof(sum.key));
		fn(arg, &sum);
	}
	statement_end(db, stmt);
}

void usage_sums(struct database *db, const char *namespace_id, enum usage_by by, const char *label,
                int64_t from_day, int64_t to_day, void (*fn)(void *, const struct usage_sum *),
                void *arg)
{
	sums_tell(db, sums_read(db, namespace_id, by, label, from_day, to_day, 0), fn, arg);
}

void usage_sums_month(struct database *db, const char *namespace_id, enum usage_by by,
                      int64_t first_day, void (*fn)(void *, const struct usage_sum *), void *arg)
{
	sums_tell(db, sums_read(db, namespace_id, by, NULL, first_day, first_day + 1, 2), fn, arg);
}

bool usage_days_span(struct database *db, const char *namespace_id, int64_t *ret_first,
                     int64_t *ret_last)
{
	int64_t seq = namespace_id ? account_seq(db, namespace_id) : 0;

	if (namespace_id) {
		*ret_first = statement_int(
		        db, -1,
		        "SELECT day FROM usage_days WHERE namespace = ? ORDER BY day LIMIT 1", "i",
		        seq);
		*ret_last = statement_int(db, -1,
		                          "SELECT day FROM usage_days WHERE namespace = ?"
		                          " ORDER BY day DESC LIMIT 1",
		                          "i", seq);
	} else {
		*ret_first = statement_int(db, -1,
		                           "SELECT day FROM usage_days ORDER BY day LIMIT 1", "");
		*ret_last = statement_int(
		        db, -1, "SELECT day FROM usage_days ORDER BY day DESC LIMIT 1", "");
	}
	return *ret_first >= 0;
}

int64_t usage_cost_of_month(struct database *db, const char *namespace_id, int64_t first_day)
{
	return statement_int(db, 0,
	                     "SELECT coalesce(sum(cost), 0) FROM usage_months"
	                     " WHERE day = ? AND namespace = ?",
	                     "ii", first_day, account_seq(db, namespace_id));
}
