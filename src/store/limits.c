/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of namespaces, users and resource groups, and the groups themselves. See the header. */
#include "store/limits.h"

#include "base/clock.h"
#include "store/account_row.h"
#include "store/statement.h"

#include <ctype.h>
#include <string.h>

#define GROUP_SELECT                                                                               \
	"SELECT g.id, a.id, g.name, g.created_ms, g.removed_ms FROM resource_groups g"             \
	" JOIN accounts a ON a.seq = g.namespace "

static int64_t group_seq(struct database *db, const char *id)
{
	return statement_int(db, 0, "SELECT seq FROM resource_groups WHERE id = ?", "t", id);
}

static int64_t limit_subject(struct database *db, enum limit_kind kind, const char *id)
{
	return kind == LIMIT_GROUP ? group_seq(db, id) : account_seq(db, id);
}

static struct limits limits_read(sqlite3_stmt *stmt, int column)
{
	return (struct limits){
	        .max_running = sqlite3_column_int64(stmt, column),
	        .max_queued = sqlite3_column_int64(stmt, column + 1),
	        .max_devices = sqlite3_column_int64(stmt, column + 2),
	        .max_priority = sqlite3_column_int64(stmt, column + 3),
	        .weight = sqlite3_column_int64(stmt, column + 4),
	};
}

void limits_get(struct database *db, enum limit_kind kind, const char *id, struct limits *ret)
{
	sqlite3_stmt *stmt =
	        statement_read(db,
	                       "SELECT max_running, max_queued, max_devices, max_priority, weight"
	                       " FROM limits WHERE kind = ? AND subject = ?",
	                       "di", (int)kind, limit_subject(db, kind, id));

	*ret = LIMITS_INIT;
	if (statement_next(db, stmt))
		*ret = limits_read(stmt, 0);
	statement_end(db, stmt);
}

bool limits_are_unset(const struct limits *limits)
{
	const struct limits unset = LIMITS_INIT;

	return limits->max_running == unset.max_running && limits->max_queued == unset.max_queued &&
	       limits->max_devices == unset.max_devices &&
	       limits->max_priority == unset.max_priority && limits->weight == unset.weight;
}

void limits_set(struct database *db, enum limit_kind kind, const char *id,
                const struct limits *limits)
{
	int64_t subject = limit_subject(db, kind, id);

	if (limits_are_unset(limits)) {
		statement_write(db, "DELETE FROM limits WHERE kind = ? AND subject = ?", "di",
		                (int)kind, subject);
		return;
	}
	statement_write(db,
	                "INSERT OR REPLACE INTO limits (kind, subject, max_running, max_queued,"
	                " max_devices, max_priority, weight) VALUES (?, ?, ?, ?, ?, ?, ?)",
	                "diiiiii", (int)kind, subject, limits->max_running, limits->max_queued,
	                limits->max_devices, limits->max_priority, limits->weight);
}

void limits_each(struct database *db,
                 void (*fn)(void *, enum limit_kind, const char *id, const struct limits *),
                 void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db,
	        "SELECT l.kind, coalesce(g.id, a.id), l.max_running, l.max_queued, l.max_devices,"
	        " l.max_priority, l.weight FROM limits l"
	        " LEFT JOIN resource_groups g ON l.kind = 2 AND g.seq = l.subject"
	        " LEFT JOIN accounts a ON l.kind < 2 AND a.seq = l.subject"
	        " WHERE coalesce(g.id, a.id) IS NOT NULL",
	        "");

	while (statement_next(db, stmt)) {
		struct limits limits = limits_read(stmt, 2);
		char id[ID_SIZE];

		statement_column_id(stmt, 1, id);
		fn(arg, (enum limit_kind)sqlite3_column_int(stmt, 0), id, &limits);
	}
	statement_end(db, stmt);
}

static void group_read(sqlite3_stmt *stmt, struct resource_group *ret)
{
	statement_column_id(stmt, 0, ret->id);
	statement_column_id(stmt, 1, ret->namespace_id);
	statement_column_array(stmt, 2, ret->name, sizeof(ret->name));
	ret->created_ms = sqlite3_column_int64(stmt, 3);
	ret->is_removed = sqlite3_column_int64(stmt, 4) != 0;
}

static int group_check_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > ACCOUNT_NAME_MAX || !isalnum((unsigned char)*name) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return fail(err, E_INVALID,
		            "name: a resource group has 1 to %d letters, digits, '.', '_' and "
		            "'-', beginning with a letter or digit",
		            ACCOUNT_NAME_MAX);
	return 0;
}

static bool group_read_one(struct database *db, sqlite3_stmt *stmt, struct resource_group *ret)
{
	bool found = statement_next(db, stmt);

	if (found)
		group_read(stmt, ret);
	statement_end(db, stmt);
	return found;
}

int groups_create(struct database *db, const char *namespace_id, const char *name,
                  struct resource_group *ret, struct error *err)
{
	int64_t namespace_seq = account_seq(db, namespace_id);
	char id[ID_SIZE];

	if (group_check_name(name, err) < 0)
		return -1;
	if (statement_int(db, 0,
	                  "SELECT seq FROM resource_groups WHERE namespace = ? AND name = ?"
	                  " AND removed_ms = 0",
	                  "it", namespace_seq, name))
		return fail(err, E_CONFLICT, "there is a resource group \"%s\" already", name);
	id_new(id);
	statement_write(db,
	                "INSERT INTO resource_groups (id, namespace, name, created_ms)"
	                " VALUES (?, ?, ?, ?)",
	                "titi", id, namespace_seq, name, clock_now_ms());
	(void)groups_find(db, id, ret);
	return 0;
}

int groups_remove(struct database *db, const char *id, struct error *err)
{
	int64_t seq = group_seq(db, id);

	statement_write(
	        db, "UPDATE resource_groups SET removed_ms = ? WHERE seq = ? AND removed_ms = 0",
	        "ii", clock_now_ms(), seq);
	if (statement_changes(db) == 0)
		return fail(err, E_NOT_FOUND, "there is no resource group %.60s", id);
	statement_write(db, "DELETE FROM limits WHERE kind = 2 AND subject = ?", "i", seq);
	return 0;
}

bool groups_find(struct database *db, const char *id, struct resource_group *ret)
{
	return group_read_one(db, statement_read(db, GROUP_SELECT "WHERE g.id = lower(?)", "t", id),
	                      ret);
}

bool groups_find_by_name(struct database *db, const char *namespace_id, const char *name,
                         struct resource_group *ret)
{
	return group_read_one(db,
	                      statement_read(db,
	                                     GROUP_SELECT
	                                     "WHERE a.id = ? AND g.name = ? AND g.removed_ms = 0",
	                                     "tt", namespace_id, name),
	                      ret);
}

int64_t groups_count_users(struct database *db, const char *namespace_id)
{
	return statement_int(db, 0,
	                     "SELECT CASE a.type WHEN 0 THEN 1 ELSE (SELECT count(*) FROM members"
	                     " WHERE org = a.seq) END FROM accounts a WHERE a.id = ?",
	                     "t", namespace_id);
}

void groups_each(struct database *db, const char *namespace_id,
                 void (*fn)(void *, const struct resource_group *), void *arg)
{
	sqlite3_stmt *stmt = statement_read(
	        db, GROUP_SELECT "WHERE a.id = ? AND g.removed_ms = 0 ORDER BY g.name", "t",
	        namespace_id);

	while (statement_next(db, stmt)) {
		struct resource_group group;

		group_read(stmt, &group);
		fn(arg, &group);
	}
	statement_end(db, stmt);
}
