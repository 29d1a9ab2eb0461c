/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Hub is believed about its own users and organizations, and about nothing else: an account
 * that was made here keeps its members and its name, whatever the Hub calls its users.
 */
#include "api/upstream_accounts.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"

#include <string.h>
#include <strings.h>

struct stale_search {
	const json_t *orgs; /* as the Hub lists them now */
	json_t *stale;      /* names of organizations that the user has left */
};

static bool upstream_accounts_lists(const json_t *orgs, const char *name)
{
	const json_t *org;
	size_t i;

	json_array_foreach(orgs, i, org)
	{
		if (strcasecmp(json_get_text(org, "name", ""), name) == 0)
			return true;
	}
	return false;
}

static void upstream_accounts_note_stale(void *arg, const struct account *org,
                                         enum account_role role)
{
	struct stale_search *search = arg;

	if (org->is_external && !upstream_accounts_lists(search->orgs, org->name))
		json_array_append_new(search->stale, json_string(org->name));
}

static void upstream_accounts_leave(struct database *db, const struct account *user,
                                    const json_t *orgs)
{
	struct stale_search search = {.orgs = orgs, .stale = json_array()};
	autojson json_t *stale = search.stale;
	struct error ignored = ERROR_INIT;
	const json_t *name;
	size_t i;

	accounts_each_org(db, user->id, upstream_accounts_note_stale, &search);
	json_array_foreach(stale, i, name)
	{
		(void)accounts_set_member(db, json_string_value(name), user->name, ROLE_NONE,
		                          &ignored);
	}
}

static enum account_role upstream_accounts_org_role(const json_t *org)
{
	const char *name = json_get_text(org, "roleInOrg", "read");

	if (strcmp(name, "contributor") == 0) /* may make repositories of their own, no more */
		return ROLE_READ;
	return role_by_name(name);
}

static void upstream_accounts_join(struct database *db, const struct account *user,
                                   const json_t *orgs)
{
	const json_t *org;
	size_t i;

	json_array_foreach(orgs, i, org)
	{
		const char *name = json_get_text(org, "name", "");
		enum account_role role = upstream_accounts_org_role(org);
		struct error err = ERROR_INIT;
		struct account account;

		if (accounts_adopt(db, name, ACCOUNT_ORG, &account, &err) < 0 ||
		    accounts_set_member(db, account.name, user->name, role, &err) < 0)
			log_warning("organization of the upstream Hub left out: %s", err.text);
	}
}

static bool upstream_accounts_scope_writes(const json_t *scope)
{
	const json_t *permission;
	size_t i;

	json_array_foreach(json_object_get(scope, "permissions"), i, permission)
	{
		const char *name = json_string_value(permission);

		if (name && strcmp(name, "job.write") == 0)
			return true;
	}
	return false;
}

/* A fine-grained token writes only where job.write was granted. */
static json_t *upstream_accounts_fine_grained(const json_t *token)
{
	const json_t *scoped = json_object_get(json_object_get(token, "fineGrained"), "scoped");
	json_t *names = json_array();
	const json_t *scope;
	size_t i;

	json_array_foreach(scoped, i, scope)
	{
		const json_t *entity = json_object_get(scope, "entity");
		const char *name = json_get_text(entity, "name", NULL);

		if (name && upstream_accounts_scope_writes(scope))
			json_array_append_new(names, json_string(name));
	}
	return names;
}

static void upstream_accounts_token(const json_t *who, struct caller *ret)
{
	const json_t *token = json_object_get(json_object_get(who, "auth"), "accessToken");
	const char *role = json_get_text(token, "role", "read");
	int64_t created = clock_parse_iso(json_get_text(token, "createdAt", ""));
	struct token *t = &ret->token;

	snprintf(t->id, sizeof(t->id), UPSTREAM_TOKEN_ID);
	snprintf(t->user_id, sizeof(t->user_id), "%s", ret->user.id);
	snprintf(t->name, sizeof(t->name), "%s", json_get_text(token, "displayName", "upstream"));
	t->created_ms = created > 0 ? created : clock_now_ms();
	t->role = strcmp(role, "read") == 0 ? ROLE_READ : ROLE_WRITE;
	if (strcmp(role, "fineGrained") == 0)
		ret->write_in = upstream_accounts_fine_grained(token);
}

int upstream_accounts_adopt(struct database *db, const char *body, size_t len, struct caller *ret,
                            struct error *err)
{
	autojson json_t *who = NULL;
	const json_t *orgs;
	const char *name;

	if (json_parse(body, len, "the answer of whoami-v2", &who, err) < 0) {
		err->code = E_UNAVAILABLE;
		return -1;
	}
	name = json_get_text(who, "name", "");
	orgs = json_object_get(who, "orgs");
	if (!name[0] || strcmp(json_get_text(who, "type", "user"), "user") != 0)
		return fail(err, E_UNAVAILABLE, "The answer of whoami-v2 does not name a user");
	if (accounts_adopt(db, name, ACCOUNT_USER, &ret->user, err) < 0) {
		err->code = E_FORBIDDEN;
		return -1;
	}
	upstream_accounts_leave(db, &ret->user, orgs);
	upstream_accounts_join(db, &ret->user, orgs);
	upstream_accounts_token(who, ret);
	ret->is_known = true;
	return 0;
}
