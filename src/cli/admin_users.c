/* SPDX-License-Identifier: Apache-2.0 */
/* hearth admin user and org: accounts and who belongs where, over the server's own socket. */
#include "cli/admin.h"

#include "base/cleanup.h"
#include "cli/commands.h"

#include <string.h>

int admin_ask(const struct invocation *in, const char *method, const char *path, json_t *take_body,
              json_t **ret)
{
	struct error err = ERROR_INIT;
	autojson json_t *body = take_body;
	struct hub *hub = hub_open_socket(options_text(&in->options, "socket"));
	int rc = hub_ask(hub, method, path, body, ret, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

int admin_show_list(struct invocation *in, const char *path, const char *const *columns,
                    size_t n_columns, const char *id_key)
{
	autojson json_t *list = NULL;
	int status = admin_ask(in, "GET", path, NULL, &list);
	if (status == 0)
		output_table(&in->out, list, columns, n_columns, id_key);
	return status;
}

static int add_account(struct invocation *in, const char *path, const char *message)
{
	autojson json_t *account = NULL;
	int status = admin_ask(in, "POST", path,
	                       json_pack("{s:s}", "name", in->options.arguments[0]), &account);
	if (status == 0)
		output_result(&in->out, message,
		              json_pack("{s:s, s:s}", "name", json_get_text(account, "name", ""),
		                        "id", json_get_text(account, "id", "")));
	return status;
}

static int remove_account(struct invocation *in, const char *kind, const char *message)
{
	autofree char *base = hub_path("/admin/%s/%s", kind, in->options.arguments[0]);
	int status = admin_ask(in, "DELETE", base, NULL, NULL);
	if (status == 0)
		output_result(&in->out, message,
		              json_pack("{s:s}", "name", in->options.arguments[0]));
	return status;
}

static const char *const account_columns[] = {"name", "id", "createdAt", "external"};

int admin_user_add_command(struct invocation *in)
{
	int status = add_account(in, "/admin/users", "User created");
	if (status == 0)
		output_hint(&in->out, "`hearth admin token add %s` makes a token for this user.",
		            in->options.arguments[0]);
	return status;
}

int admin_user_list_command(struct invocation *in)
{
	return admin_show_list(in, "/admin/users", account_columns, 4, "name");
}

int admin_user_remove_command(struct invocation *in)
{
	return remove_account(in, "users", "User removed");
}

int admin_org_add_command(struct invocation *in)
{
	int status = add_account(in, "/admin/orgs", "Organization created");
	if (status == 0)
		output_hint(&in->out, "`hearth admin org member %s USER ROLE` adds members.",
		            in->options.arguments[0]);
	return status;
}

int admin_org_list_command(struct invocation *in)
{
	static const char *const columns[] = {"user", "role"};
	if (in->options.n_arguments == 0)
		return admin_show_list(in, "/admin/orgs", account_columns, 4, "name");
	autofree char *path = hub_path("/admin/orgs/%s/members", in->options.arguments[0]);
	return admin_show_list(in, path, columns, 2, "user");
}

int admin_org_remove_command(struct invocation *in)
{
	return remove_account(in, "orgs", "Organization removed");
}

int admin_org_member_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path("/admin/orgs/%s/members/%s", words[0], words[1]);
	bool removes = strcmp(words[2], "none") == 0;
	int status =
	        removes ? admin_ask(in, "DELETE", path, NULL, NULL)
	                : admin_ask(in, "PUT", path, json_pack("{s:s}", "role", words[2]), NULL);
	if (status == 0)
		output_result(&in->out, removes ? "Member removed" : "Member set",
		              json_pack("{s:s, s:s, s:s}", "org", words[0], "user", words[1],
		                        "role", words[2]));
	return status;
}
