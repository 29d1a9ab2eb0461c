/* SPDX-License-Identifier: Apache-2.0 */
/* Credits and budgets. A credit's row stays when it is used up, as a receipt. */
#include "store/account_row.h"
#include "store/ledger.h"
#include "store/statement.h"

#define TAKES_MAX 10000

static int64_t credits_debt(struct database *db, int64_t seq)
{
	return statement_int(db, 0, "SELECT debt FROM budgets WHERE namespace = ?", "i", seq);
}

static void credits_set_debt(struct database *db, int64_t seq, int64_t debt)
{
	statement_write(db,
	                "INSERT INTO budgets (namespace, debt) VALUES (?, ?)"
	                " ON CONFLICT DO UPDATE SET debt = excluded.debt",
	                "ii", seq, debt);
}

void credits_insert(struct database *db, const char *namespace_id, struct credit *credit)
{
	int64_t seq = account_seq(db, namespace_id);
	int64_t debt = credits_debt(db, seq);
	int64_t paid = debt < credit->amount ? debt : credit->amount;

	credit->left = credit->amount - paid;
	if (paid > 0)
		credits_set_debt(db, seq, debt - paid);
	statement_write(db,
	                "INSERT INTO credits (id, namespace, amount, left_micro_usd, granted_ms,"
	                " expires_ms, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
	                "tiiiiit", credit->id, seq, credit->amount, credit->left,
	                credit->granted_ms, credit->expires_ms, credit->note);
}

int credits_revoke(struct database *db, const char *namespace_id, const char *id, struct error *err)
{
	statement_write(db, "UPDATE credits SET left_micro_usd = 0 WHERE id = ? AND namespace = ?",
	                "ti", id, account_seq(db, namespace_id));
	if (statement_changes(db) == 0)
		return fail(err, E_NOT_FOUND,
		            "there is no credit \"%.40s\"; hearth admin credits list shows them",
		            id);
	return 0;
}

void credits_each(struct database *db, const char *namespace_id,
                  void (*fn)(void *, const struct credit *), void *arg)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT id, amount, left_micro_usd, granted_ms,"
	                                    " expires_ms, note FROM credits WHERE namespace = ?"
	                                    " ORDER BY seq DESC",
	                                    "i", account_seq(db, namespace_id));

	while (statement_next(db, stmt)) {
		struct credit credit = {
		        .amount = sqlite3_column_int64(stmt, 1),
		        .left = sqlite3_column_int64(stmt, 2),
		        .granted_ms = sqlite3_column_int64(stmt, 3),
		        .expires_ms = sqlite3_column_int64(stmt, 4),
		};

		statement_column_id(stmt, 0, credit.id);
		statement_column_array(stmt, 5, credit.note, sizeof(credit.note));
		fn(arg, &credit);
	}
	statement_end(db, stmt);
}

void credits_sum(struct database *db, const char *namespace_id, int64_t now_ms,
                 struct credits_sum *ret)
{
	int64_t seq = account_seq(db, namespace_id);
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT coalesce(sum(left_micro_usd), 0), coalesce(sum(amount), 0),"
	        " coalesce(min(CASE expires_ms WHEN 0 THEN NULL ELSE expires_ms END), 0)"
	        " FROM credits WHERE namespace = ? AND left_micro_usd > 0"
	        " AND (expires_ms = 0 OR expires_ms > ?)",
	        "ii", seq, now_ms);

	*ret = (struct credits_sum){0};
	if (statement_next(db, stmt))
		*ret = (struct credits_sum){
		        .left = sqlite3_column_int64(stmt, 0),
		        .granted = sqlite3_column_int64(stmt, 1),
		        .expiry_ms = sqlite3_column_int64(stmt, 2),
		};
	statement_end(db, stmt);
	ret->left -= credits_debt(db, seq);
}

int64_t credits_first_expiry(struct database *db, const char *namespace_id)
{
	return statement_int(
	        db, 0,
	        "SELECT expires_ms FROM credits WHERE namespace = ?"
	        " AND left_micro_usd > 0 AND expires_ms > 0 ORDER BY expires_ms LIMIT 1",
	        "i", account_seq(db, namespace_id));
}

/* The one that expires first; false: there is none. */
static bool credits_find_first(struct database *db, int64_t seq, int64_t now_ms,
                               int64_t *ret_credit, int64_t *ret_left)
{
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT seq, left_micro_usd FROM credits"
	                                    " WHERE namespace = ? AND left_micro_usd > 0"
	                                    " AND (expires_ms = 0 OR expires_ms > ?)"
	                                    " ORDER BY expires_ms = 0, expires_ms, seq LIMIT 1",
	                                    "ii", seq, now_ms);
	bool found = statement_next(db, stmt);

	if (found) {
		*ret_credit = sqlite3_column_int64(stmt, 0);
		*ret_left = sqlite3_column_int64(stmt, 1);
	}
	statement_end(db, stmt);
	return found;
}

void credits_take(struct database *db, const char *namespace_id, int64_t amount, int64_t now_ms)
{
	int64_t seq = account_seq(db, namespace_id), credit, left;

	for (int i = 0; amount > 0 && i < TAKES_MAX; i++) {
		if (!credits_find_first(db, seq, now_ms, &credit, &left))
			break;
		if (left > amount)
			left = amount;
		statement_write(db,
		                "UPDATE credits SET left_micro_usd = left_micro_usd - ?"
		                " WHERE seq = ?",
		                "ii", left, credit);
		amount -= left;
	}
	if (amount > 0)
		credits_set_debt(db, seq, credits_debt(db, seq) + amount);
}

void credits_expire(struct database *db, const char *namespace_id, int64_t now_ms)
{
	statement_write(db,
	                "UPDATE credits SET left_micro_usd = 0 WHERE namespace = ?"
	                " AND left_micro_usd > 0 AND expires_ms > 0 AND expires_ms <= ?",
	                "ii", account_seq(db, namespace_id), now_ms);
}

void budgets_get(struct database *db, const char *namespace_id, struct budget *ret)
{
	int64_t seq = account_seq(db, namespace_id);
	sqlite3_stmt *stmt = statement_read(db,
	                                    "SELECT coalesce(is_unlimited, -1),"
	                                    " coalesce(monthly, -1), debt, warned_month,"
	                                    " exhausted_month FROM budgets WHERE namespace = ?",
	                                    "i", seq);

	*ret = (struct budget){.is_unlimited = -1, .monthly_micro_usd = -1};
	if (statement_next(db, stmt))
		*ret = (struct budget){
		        .is_unlimited = sqlite3_column_int(stmt, 0),
		        .monthly_micro_usd = sqlite3_column_int64(stmt, 1),
		        .debt_micro_usd = sqlite3_column_int64(stmt, 2),
		        .warned_month = sqlite3_column_int64(stmt, 3),
		        .exhausted_month = sqlite3_column_int64(stmt, 4),
		};
	statement_end(db, stmt);
	ret->has_credits = statement_int(db, 0, "SELECT 1 FROM credits WHERE namespace = ? LIMIT 1",
	                                 "i", seq) != 0;
}

void budgets_set(struct database *db, const char *namespace_id, int is_unlimited,
                 int64_t monthly_micro_usd)
{
	statement_write(db,
	                "INSERT INTO budgets (namespace, is_unlimited, monthly)"
	                " VALUES (?, nullif(?, -1), nullif(?, -1))"
	                " ON CONFLICT DO UPDATE SET is_unlimited = excluded.is_unlimited,"
	                " monthly = excluded.monthly, warned_month = 0, exhausted_month = 0",
	                "idi", account_seq(db, namespace_id), is_unlimited, monthly_micro_usd);
}

void budgets_set_told(struct database *db, const char *namespace_id, int64_t warned_month,
                      int64_t exhausted_month)
{
	statement_write(db,
	                "INSERT INTO budgets (namespace, warned_month, exhausted_month)"
	                " VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
	                " SET warned_month = excluded.warned_month,"
	                " exhausted_month = excluded.exhausted_month",
	                "iii", account_seq(db, namespace_id), warned_month, exhausted_month);
}
