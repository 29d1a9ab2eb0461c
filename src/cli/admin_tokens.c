/* SPDX-License-Identifier: Apache-2.0 */
/* hearth admin token: make, list and revoke the tokens of a user. */
#include "cli/admin.h"

#include "base/cleanup.h"
#include "cli/commands.h"

#include <string.h>

int admin_token_add_command(struct invocation *in)
{
	const char *user = in->options.arguments[0];
	const char *name = options_text(&in->options, "name");
	const char *role = options_text(&in->options, "role");
	autofree char *path = hub_path("/admin/users/%s/tokens", user);
	autojson json_t *token = NULL;
	int status = admin_ask(in, "POST", path,
	                       json_pack("{s:s, s:s}", "name", name ? name : "default", "role",
	                                 role ? role : "write"),
	                       &token);
	if (status)
		return status;
	output_result(&in->out, "Token created",
	              json_pack("{s:s, s:s, s:s, s:s}", "token", json_get_text(token, "token", ""),
	                        "id", json_get_text(token, "id", ""), "name",
	                        json_get_text(token, "name", ""), "role",
	                        json_get_text(token, "role", "")));
	output_hint(&in->out,
	            "The token is shown this once. The user types `hearth login`, or sets "
	            "HF_TOKEN.");
	return 0;
}

int admin_token_list_command(struct invocation *in)
{
	static const char *const columns[] = {"id", "name", "role", "createdAt", "lastUsedAt"};
	autofree char *path = hub_path("/admin/users/%s/tokens", in->options.arguments[0]);
	return admin_show_list(in, path, columns, 5, "id");
}

int admin_token_revoke_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path("/admin/users/%s/tokens/%s", words[0], words[1]);
	int status = admin_ask(in, "DELETE", path, NULL, NULL);
	if (status == 0)
		output_result(&in->out, "Token revoked",
		              json_pack("{s:s, s:s}", "token", words[1], "user", words[0]));
	return status;
}
