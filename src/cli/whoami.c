/* SPDX-License-Identifier: Apache-2.0 */
/* hearth whoami: who the server takes us for. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"

#include <string.h>

static char *org_names(const json_t *who)
{
	struct buffer names = BUFFER_INIT(1u << 20);
	size_t i;
	json_t *org;
	json_array_foreach(json_object_get(who, "orgs"), i, org)(void)
	        buffer_printf(&names, "%s%s", i ? "," : "", json_get_text(org, "name", ""));
	return buffer_take(&names);
}

int whoami_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	autojson json_t *who = NULL;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	if (!hub_token(hub)) {
		hub_free(hub);
		return output_error("Not logged in");
	}
	int rc = hub_whoami(hub, &who, &err);
	if (rc == 0) {
		autofree char *orgs = org_names(who);
		output_result(&in->out, "Logged in",
		              json_pack("{s:s, s:s?, s:s}", "user", json_get_text(who, "name", ""),
		                        "orgs", *orgs ? orgs : NULL, "endpoint",
		                        hub_endpoint(hub)));
	}
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}
