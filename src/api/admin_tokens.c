/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a user. The text of a new one leaves the server once, in the answer that made it. */
#include "api/access.h"
#include "api/admin.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/json.h"

#include <string.h>

static json_t *admin_token(const struct token *token)
{
	char created[CLOCK_TEXT_SIZE], used[CLOCK_TEXT_SIZE];
	json_t *value = json_pack("{s:s,s:s,s:s,s:s}", "id", token->id, "name", token->name, "role",
	                          role_name(token->role), "createdAt",
	                          clock_format_iso(token->created_ms, created));

	json_object_set_new(value, "lastUsedAt",
	                    token->last_used_ms
	                            ? json_string(clock_format_iso(token->last_used_ms, used))
	                            : json_null());
	return value;
}

static void admin_add_token(void *arg, const struct token *token)
{
	json_array_append_new(arg, admin_token(token));
}

void admin_tokens_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct account user;
	json_t *list;

	if (!admin_find_account(request, api, "name", ACCOUNT_USER, &user))
		return;
	list = json_array();
	tokens_each(api->db, user.id, admin_add_token, list);
	http_respond_json(request, 200, list);
}

struct token_wish {
	const char *name, *role;
};

static int admin_read_token(struct http_request *request, json_t **ret_body, struct token_wish *ret,
                            enum account_role *ret_role, struct error *err)
{
	static const struct json_field fields[] = {
	        {"name", JSON_FIELD_STRING, true, offsetof(struct token_wish, name)},
	        {"role", JSON_FIELD_STRING, false, offsetof(struct token_wish, role)},
	        {0}};

	if (admin_read_body(request, fields, ret, ret_body, err) < 0)
		return -1;
	*ret_role = role_by_name(ret->role ? ret->role : "write");
	if (*ret_role != ROLE_READ && *ret_role != ROLE_WRITE)
		return fail(err, E_INVALID, "role must be read or write, got \"%.64s\"", ret->role);
	return 0;
}

void admin_tokens_create(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;
	struct token_wish wish = {0};
	autojson json_t *body = NULL;
	char text[TOKEN_SIZE];
	enum account_role role;
	struct account user;
	struct token token;
	json_t *answer;

	if (!admin_find_account(request, api, "name", ACCOUNT_USER, &user))
		return;
	if (admin_read_token(request, &body, &wish, &role, &err) < 0 ||
	    tokens_create(api->db, user.name, wish.name, role, text, &token, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	answer = admin_token(&token);
	json_object_set_new(answer, "token", json_string(text));
	seal_wipe(text, sizeof(text));
	admin_answer(api, request, token.id, answer);
}

void admin_tokens_revoke(struct http_request *request, void *context)
{
	struct api *api = context;
	struct error err = ERROR_INIT;
	const char *token = http_param(request, "token");
	struct account user;

	if (!admin_find_account(request, api, "name", ACCOUNT_USER, &user))
		return;
	if (tokens_revoke(api->db, user.name, token, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, token, json_pack("{s:s}", "revoked", token));
}
