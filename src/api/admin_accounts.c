/* SPDX-License-Identifier: Apache-2.0 */
/* Users, organizations and their members: what `hearth admin` asks for over the Unix socket. */
#include "api/access.h"
#include "api/admin.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/json.h"

#include <string.h>

void admin_answer(struct api *api, struct http_request *request, const char *subject,
                  json_t *take_answer)
{
	struct buffer json = BUFFER_INIT(ADMIN_ANSWER_MAX);
	char *text = json_to_text(take_answer);

	json_decref(take_answer);
	(void)buffer_add_text(&json, text);
	free(text);
	access_set_subject(request, subject);
	answer_when_durable(api, request, &json);
}

int admin_read_body(struct http_request *request, const struct json_field *fields, void *dest,
                    json_t **ret_body, struct error *err)
{
	if (http_body_json(request, ret_body, err) < 0)
		return -1;
	return json_read_fields(*ret_body, fields, dest, "request body", err);
}

static json_t *admin_account(const struct account *account)
{
	char created[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s,s:b,s:s}", "id", account->id, "name", account->name, "type",
	                 account->type == ACCOUNT_ORG ? "org" : "user", "external",
	                 (int)account->is_external, "createdAt",
	                 clock_format_iso(account->created_ms, created));
}

struct account_list {
	json_t *list;
	enum account_type type;
};

static void admin_add_account(void *arg, const struct account *account)
{
	struct account_list *accounts = arg;

	if (account->type == accounts->type)
		json_array_append_new(accounts->list, admin_account(account));
}

static void admin_list(struct http_request *request, struct api *api, enum account_type type)
{
	struct account_list accounts = {.list = json_array(), .type = type};

	accounts_each(api->db, admin_add_account, &accounts);
	http_respond_json(request, 200, accounts.list);
}

static void admin_create(struct http_request *request, struct api *api, enum account_type type)
{
	struct {
		const char *name;
	} wish = {0};
	static const struct json_field fields[] = {{"name", JSON_FIELD_STRING, true, 0}, {0}};
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	struct account account;

	if (admin_read_body(request, fields, &wish, &body, &err) < 0 ||
	    accounts_create(api->db, wish.name, type, &account, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, account.name, admin_account(&account));
}

bool admin_find_account(struct http_request *request, struct api *api, const char *param,
                        enum account_type type, struct account *ret)
{
	const char *name = http_param(request, param);

	if (accounts_find(api->db, name, ret) && ret->type == type)
		return true;
	answer_fail(request, E_NOT_FOUND, "There is no %s %.96s",
	            type == ACCOUNT_ORG ? "organization" : "user", name);
	return false;
}

static void admin_remove(struct http_request *request, struct api *api, enum account_type type)
{
	struct error err = ERROR_INIT;
	struct account account;

	if (!admin_find_account(request, api, "name", type, &account))
		return;
	if (accounts_remove(api->db, account.name, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, account.name,
		             json_pack("{s:s}", "removed", account.name));
}

void admin_users_list(struct http_request *request, void *context)
{
	admin_list(request, context, ACCOUNT_USER);
}

void admin_users_create(struct http_request *request, void *context)
{
	admin_create(request, context, ACCOUNT_USER);
}

void admin_users_remove(struct http_request *request, void *context)
{
	admin_remove(request, context, ACCOUNT_USER);
}

void admin_orgs_list(struct http_request *request, void *context)
{
	admin_list(request, context, ACCOUNT_ORG);
}

void admin_orgs_create(struct http_request *request, void *context)
{
	admin_create(request, context, ACCOUNT_ORG);
}

void admin_orgs_remove(struct http_request *request, void *context)
{
	admin_remove(request, context, ACCOUNT_ORG);
}

static json_t *admin_member(const char *org, const char *user, enum account_role role)
{
	return json_pack("{s:s,s:s,s:s}", "org", org, "user", user, "role", role_name(role));
}

struct member_list {
	json_t *list;
	const char *org;
};

static void admin_add_member(void *arg, const struct account *user, enum account_role role)
{
	struct member_list *members = arg;

	json_array_append_new(members->list, admin_member(members->org, user->name, role));
}

void admin_members_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct account org;
	struct member_list members = {.org = org.name};

	if (!admin_find_account(request, api, "name", ACCOUNT_ORG, &org))
		return;
	members.list = json_array();
	accounts_each_member(api->db, org.id, admin_add_member, &members);
	http_respond_json(request, 200, members.list);
}

static int admin_read_role(struct http_request *request, enum account_role *ret, struct error *err)
{
	struct {
		const char *role;
	} wish = {0};
	static const struct json_field fields[] = {{"role", JSON_FIELD_STRING, true, 0}, {0}};
	autojson json_t *body = NULL;

	if (admin_read_body(request, fields, &wish, &body, err) < 0)
		return -1;
	*ret = role_by_name(wish.role);
	if (*ret == ROLE_NONE)
		return fail(err, E_INVALID, "role must be read, write or admin, got \"%.64s\"",
		            wish.role);
	return 0;
}

void admin_members_set(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;
	enum account_role role;
	struct account org, user;

	if (!admin_find_account(request, api, "name", ACCOUNT_ORG, &org) ||
	    !admin_find_account(request, api, "user", ACCOUNT_USER, &user))
		return;
	if (admin_read_role(request, &role, &err) < 0 ||
	    accounts_set_member(api->db, org.name, user.name, role, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, user.name, admin_member(org.name, user.name, role));
}

void admin_members_remove(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;
	struct account org, user;

	if (!admin_find_account(request, api, "name", ACCOUNT_ORG, &org) ||
	    !admin_find_account(request, api, "user", ACCOUNT_USER, &user))
		return;
	if (accounts_role(api->db, user.id, org.id) == ROLE_NONE)
		answer_fail(request, E_NOT_FOUND, "%s is not a member of %s", user.name, org.name);
	else if (accounts_set_member(api->db, org.name, user.name, ROLE_NONE, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, user.name, admin_member(org.name, user.name, ROLE_NONE));
}
