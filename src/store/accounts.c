/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and organizations, and who belongs to which. Removing an account frees its name, but its
 * row stays: a job's owner is never unknown, and whoever takes the name later does not inherit the
 * jobs.
 */
#include "store/accounts.h"

#include "base/clock.h"
#include "store/account_row.h"
#include "store/statement.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ACCOUNT_SELECT "SELECT seq, id, name, type, is_external, created_ms FROM accounts "

/* Each would hide a route of the API, or a folder of the Hub, or be mistaken for us. */
static const char *const reserved_names[] = {"hardware", "me",    "count", "auth-check", "settings",
                                             "api",      "admin", "jobs",  "login",      "logout"};
static const char *const role_names[] = {"no_access", "read", "write", "admin"};

const char *role_name(enum account_role role)
{
	return role_names[role];
}

enum account_role role_by_name(const char *name)
{
	for (int role = ROLE_READ; role <= ROLE_ADMIN; role++)
		if (strcmp(name, role_names[role]) == 0)
			return role;
	return ROLE_NONE;
}

static int account_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (len == 0 || len > ACCOUNT_NAME_MAX || !isalnum((unsigned char)name[0]) ||
	    name[strspn(name, allowed)] != '\0')
		return fail(err, E_INVALID,
		            "name \"%.100s\" is not possible: 1 to %d letters, digits, '.', '_' "
		            "and '-', "
		            "beginning with a letter or digit",
		            name, ACCOUNT_NAME_MAX);
	for (size_t i = 0; i < sizeof(reserved_names) / sizeof(*reserved_names); i++)
		if (strcasecmp(name, reserved_names[i]) == 0)
			return fail(err, E_INVALID, "name \"%s\" is reserved; choose another",
			            name);
	return 0;
}

static void account_read(sqlite3_stmt *stmt, struct account *ret)
{
	statement_column_id(stmt, 1, ret->id);
	statement_column_array(stmt, 2, ret->name, sizeof(ret->name));
	ret->type = sqlite3_column_int(stmt, 3);
	ret->is_external = sqlite3_column_int(stmt, 4);
	ret->created_ms = sqlite3_column_int64(stmt, 5);
}

static bool account_read_one(struct database *db, sqlite3_stmt *stmt, struct account *ret)
{
	bool found = statement_next(db, stmt);

	if (found)
		account_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

int64_t account_seq(struct database *db, const char *id)
{
	return statement_int(db, 0, "SELECT seq FROM accounts WHERE id = ?", "t", id);
}

bool accounts_find(struct database *db, const char *name, struct account *ret)
{
	return account_read_one(
	        db,
	        statement_read(db, ACCOUNT_SELECT "WHERE name = ? AND removed_ms = 0", "t", name),
	        ret);
}

bool accounts_find_by_id(struct database *db, const char *id, struct account *ret)
{
	return account_read_one(
	        db, statement_read(db, ACCOUNT_SELECT "WHERE id = ? AND removed_ms = 0", "t", id),
	        ret);
}

static void account_insert(struct database *db, const char *id, const char *name,
                           enum account_type type, bool is_external)
{
	statement_write(db,
	                "INSERT INTO accounts (id, name, type, is_external, created_ms)"
	                " VALUES (?, ?, ?, ?, ?)",
	                "ttddi", id, name, (int)type, (int)is_external, clock_now_ms());
}

int accounts_create(struct database *db, const char *name, enum account_type type,
                    struct account *ret, struct error *err)
{
	char id[ID_SIZE];

	if (account_check_name(name, err) < 0)
		return -1;
	if (accounts_find(db, name, &(struct account){0}))
		return fail(err, E_CONFLICT, "the name \"%s\" is taken", name);
	id_new(id);
	account_insert(db, id, name, type, false);
	(void)accounts_find_by_id(db, id, ret);
	return 0;
}

int accounts_adopt(struct database *db, const char *name, enum account_type type,
                   struct account *ret, struct error *err)
{
	char id[ID_SIZE];

	struct account known;

	if (accounts_find(db, name, &known)) {
		if (!known.is_external || known.type != type)
			return fail(err, E_CONFLICT,
			            "the name \"%s\" belongs to another account of this server",
			            known.name);
		*ret = known;
		return 0;
	}
	if (account_check_name(name, err) < 0)
		return -1;
	id_new(id);
	account_insert(db, id, name, type, true);
	(void)accounts_find_by_id(db, id, ret);
	return 0;
}

int accounts_remove(struct database *db, const char *name, struct error *err)
{
	struct account account;
	int64_t seq;

	if (!accounts_find(db, name, &account))
		return fail(err, E_NOT_FOUND, "there is no account \"%.100s\"", name);
	seq = account_seq(db, account.id);
	statement_write(db, "DELETE FROM tokens WHERE user = ?", "i", seq);
	statement_write(db, "DELETE FROM members WHERE org = ?1 OR user = ?1", "i", seq);
	statement_write(db,
	                "DELETE FROM limits WHERE (kind < 2 AND subject = ?1) OR (kind = 2 AND"
	                " subject IN (SELECT seq FROM resource_groups WHERE namespace = ?1))",
	                "i", seq);
	statement_write(db, "UPDATE accounts SET removed_ms = ? WHERE seq = ?", "ii",
	                clock_now_ms(), seq);
	return 0;
}

void accounts_each(struct database *db, void (*fn)(void *, const struct account *), void *arg)
{
	sqlite3_stmt *stmt =
	        statement_read(db, ACCOUNT_SELECT "WHERE removed_ms = 0 ORDER BY name", "");

	while (statement_next(db, stmt)) {
		struct account account;

		account_read(stmt, &account);
		fn(arg, &account);
	}
	statement_end(db, stmt);
}

int accounts_count(struct database *db)
{
	return (int)statement_int(db, 0, "SELECT count(*) FROM accounts WHERE removed_ms = 0", "");
}

int accounts_set_member(struct database *db, const char *org, const char *user,
                        enum account_role role, struct error *err)
{
	struct account org_account, user_account;

	if (!accounts_find(db, org, &org_account) || org_account.type != ACCOUNT_ORG)
		return fail(err, E_NOT_FOUND, "there is no organization \"%.100s\"", org);
	if (!accounts_find(db, user, &user_account) || user_account.type != ACCOUNT_USER)
		return fail(err, E_NOT_FOUND, "there is no user \"%.100s\"", user);
	if (role == ROLE_NONE)
		statement_write(db, "DELETE FROM members WHERE org = ? AND user = ?", "ii",
		                account_seq(db, org_account.id), account_seq(db, user_account.id));
	else
		statement_write(db,
		                "INSERT INTO members (org, user, role) VALUES (?, ?, ?)"
		                " ON CONFLICT DO UPDATE SET role = excluded.role",
		                "iid", account_seq(db, org_account.id),
		                account_seq(db, user_account.id), (int)role);
	return 0;
}

enum account_role accounts_role(struct database *db, const char *user_id, const char *namespace_id)
{
	if (strcmp(user_id, namespace_id) == 0)
		return ROLE_ADMIN;
	return (enum account_role)statement_int(
	        db, ROLE_NONE,
	        "SELECT m.role FROM members m JOIN accounts u ON u.seq = m.user"
	        " JOIN accounts o ON o.seq = m.org WHERE u.id = ? AND o.id = ?",
	        "tt", user_id, namespace_id);
}

static void account_each_role(struct database *db, sqlite3_stmt *stmt,
                              void (*fn)(void *, const struct account *, enum account_role),
                              void *arg)
{
	while (statement_next(db, stmt)) {
		struct account account;

		account_read(stmt, &account);
		fn(arg, &account, (enum account_role)sqlite3_column_int(stmt, 6));
	}
	statement_end(db, stmt);
}

#define MEMBER_SELECT                                                                              \
	"SELECT a.seq, a.id, a.name, a.type, a.is_external, a.created_ms, m.role FROM members m "

void accounts_each_org(struct database *db, const char *user_id,
                       void (*fn)(void *, const struct account *, enum account_role), void *arg)
{
	account_each_role(db,
	                  statement_read(db,
	                                 MEMBER_SELECT "JOIN accounts a ON a.seq = m.org"
	                                               " WHERE m.user = ? ORDER BY a.name",
	                                 "i", account_seq(db, user_id)),
	                  fn, arg);
}

void accounts_each_member(struct database *db, const char *org_id,
                          void (*fn)(void *, const struct account *, enum account_role), void *arg)
{
	account_each_role(db,
	                  statement_read(db,
	                                 MEMBER_SELECT "JOIN accounts a ON a.seq = m.user"
	                                               " WHERE m.org = ? ORDER BY a.name",
	                                 "i", account_seq(db, org_id)),
	                  fn, arg);
}
