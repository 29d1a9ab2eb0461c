/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: the text is never stored, only its hash, which is also how it is found. */
#include "base/clock.h"
#include "store/account_row.h"
#include "store/accounts.h"
#include "store/statement.h"

#include <string.h>

#define TOKEN_SELECT                                                                               \
	"SELECT t.id, u.id, t.name, t.role, t.created_ms, t.last_used_ms, u.name, u.type,"         \
	" u.is_external, u.created_ms FROM tokens t JOIN accounts u ON u.seq = t.user "
#define USE_NOTED_EVERY_MS 60000

static void token_read(sqlite3_stmt *stmt, struct token *ret)
{
	statement_column_id(stmt, 0, ret->id);
	statement_column_id(stmt, 1, ret->user_id);
	statement_column_array(stmt, 2, ret->name, sizeof(ret->name));
	ret->role = sqlite3_column_int(stmt, 3);
	ret->created_ms = sqlite3_column_int64(stmt, 4);
	ret->last_used_ms = sqlite3_column_int64(stmt, 5);
}

static int token_check(struct database *db, const struct account *user, const char *name,
                       enum account_role role, struct error *err)
{
	if (role != ROLE_READ && role != ROLE_WRITE)
		return fail(err, E_INVALID, "the role of a token is \"read\" or \"write\"");
	if (*name == '\0' || strlen(name) > ACCOUNT_NAME_MAX)
		return fail(err, E_INVALID, "the name of a token has 1 to %d characters",
		            ACCOUNT_NAME_MAX);
	if (statement_int(db, 0, "SELECT 1 FROM tokens WHERE user = ? AND name = ?", "it",
	                  account_seq(db, user->id), name))
		return fail(err, E_CONFLICT,
		            "%s has a token \"%s\" already; revoke it or choose "
		            "another name",
		            user->name, name);
	return 0;
}

int tokens_create(struct database *db, const char *user, const char *name, enum account_role role,
                  char ret_text[TOKEN_SIZE], struct token *ret, struct error *err)
{
	struct account account;
	struct token token = {.role = role, .created_ms = clock_now_ms()};
	char hash[TOKEN_HASH_SIZE];

	if (!accounts_find(db, user, &account) || account.type != ACCOUNT_USER)
		return fail(err, E_NOT_FOUND, "there is no user \"%.100s\"", user);
	if (token_check(db, &account, name, role, err) < 0)
		return -1;
	id_new(token.id);
	memcpy(token.user_id, account.id, ID_SIZE);
	memcpy(token.name, name, strlen(name) + 1);
	token_new(ret_text);
	token_hash(ret_text, hash);
	statement_write(db,
	                "INSERT INTO tokens (id, user, name, role, hash, created_ms)"
	                " VALUES (?, ?, ?, ?, ?, ?)",
	                "titdti", token.id, account_seq(db, account.id), name, (int)role, hash,
	                token.created_ms);
	*ret = token;
	return 0;
}

int tokens_revoke(struct database *db, const char *user, const char *name_or_id, struct error *err)
{
	struct account account;

	if (!accounts_find(db, user, &account))
		return fail(err, E_NOT_FOUND, "there is no user \"%.100s\"", user);
	statement_write(db, "DELETE FROM tokens WHERE user = ?1 AND (name = ?2 OR id = ?2)", "it",
	                account_seq(db, account.id), name_or_id);
	if (statement_changes(db) == 0)
		return fail(err, E_NOT_FOUND, "%s has no token \"%.100s\"", account.name,
		            name_or_id);
	return 0;
}

bool tokens_find(struct database *db, const char *text, struct token *ret_token,
                 struct account *ret_user)
{
	char hash[TOKEN_HASH_SIZE];
	sqlite3_stmt *stmt;
	bool found;
	int64_t now_ms = clock_now_ms();

	token_hash(text, hash);
	stmt = statement_read(db, TOKEN_SELECT "WHERE t.hash = ?", "t", hash);
	found = statement_next(db, stmt);
	if (found) {
		token_read(stmt, ret_token);
		memcpy(ret_user->id, ret_token->user_id, ID_SIZE);
		statement_column_array(stmt, 6, ret_user->name, sizeof(ret_user->name));
		ret_user->type = sqlite3_column_int(stmt, 7);
		ret_user->is_external = sqlite3_column_int(stmt, 8);
		ret_user->created_ms = sqlite3_column_int64(stmt, 9);
	}
	statement_end(db, stmt);
	if (found && (now_ms - ret_token->last_used_ms >= USE_NOTED_EVERY_MS ||
	              now_ms < ret_token->last_used_ms)) {
		statement_write(db, "UPDATE tokens SET last_used_ms = ? WHERE id = ?", "it", now_ms,
		                ret_token->id);
		ret_token->last_used_ms = now_ms;
	}
	return found;
}

void tokens_each(struct database *db, const char *user_id, void (*fn)(void *, const struct token *),
                 void *arg)
{
	sqlite3_stmt *stmt = statement_read(db, TOKEN_SELECT "WHERE t.user = ? ORDER BY t.seq", "i",
	                                    account_seq(db, user_id));

	while (statement_next(db, stmt)) {
		struct token token;

		token_read(stmt, &token);
		fn(arg, &token);
	}
	statement_end(db, stmt);
}
