/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/whoami-v2 (hub-jobs-api 1.2), and the empty answer to the client's first question. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/resource_groups.h"
#include "base/clock.h"
#include "base/json.h"

#include <string.h>

struct whoami_orgs {
	struct database *db;
	json_t *list;
	const char *base_url;
};

static json_t *whoami_account(const struct account *account, const char *type, const char *base_url)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:n,s:b,s:o,s:n}", "type", type, "id", account->id,
	                 "name", account->name, "fullname", account->name, "email", "canPay", 1,
	                 "avatarUrl", json_sprintf("%s/avatars/%s.svg", base_url, account->name),
	                 "periodEnd");
}

static void whoami_add_org(void *arg, const struct account *org, enum account_role role)
{
	struct whoami_orgs *orgs = arg;
	json_t *item = whoami_account(org, "org", orgs->base_url);

	json_object_set_new(item, "roleInOrg", json_string(role_name(role)));
	json_object_set_new(item, "resourceGroups", resource_group_list(orgs->db, org->id));
	json_array_append_new(orgs->list, item);
}

/* The name becomes a section title of an INI-like file of the client. */
static json_t *whoami_display_name(const struct token *token)
{
	char name[sizeof(token->name)];

	memcpy(name, token->name, sizeof(name));
	for (char *c = name; *c; c++) {
		if (*c == '[' || *c == ']' || *c < ' ')
			*c = '-';
	}
	return json_string(name);
}

static json_t *whoami_token(const struct caller *caller)
{
	char created[CLOCK_TEXT_SIZE];
	const char *role = caller->write_in                   ? "fineGrained"
	                   : caller->token.role >= ROLE_WRITE ? "write"
	                                                      : "read";

	return json_pack("{s:s,s:{s:o,s:s,s:s}}", "type", "access_token", "accessToken",
	                 "displayName", whoami_display_name(&caller->token), "role", role,
	                 "createdAt", clock_format_iso(caller->token.created_ms, created));
}

void whoami_show(struct http_request *request, void *context)
{
	struct api *api = context;
	const struct caller *caller = &access_of(request)->caller;
	struct whoami_orgs orgs = {
	        .db = api->db,
	        .list = json_array(),
	        .base_url = http_base_url(request, api->configuration->public_url),
	};
	json_t *who = whoami_account(&caller->user, "user", orgs.base_url);

	json_object_set_new(who, "emailVerified", json_true());
	json_object_set_new(who, "isPro", json_false());
	accounts_each_org(api->db, caller->user.id, whoami_add_org, &orgs);
	json_object_set_new(who, "orgs", orgs.list);
	json_object_set_new(who, "auth", whoami_token(caller));
	http_respond_json(request, 200, who);
}

void whoami_agent_harnesses(struct http_request *request, void *context)
{
	static const char empty[] = "{\"standardEnvVars\":[],\"harnesses\":{}}";

	http_respond(request, 200, "application/json; charset=utf-8", empty, sizeof(empty) - 1);
}
