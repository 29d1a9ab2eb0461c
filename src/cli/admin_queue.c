/* SPDX-License-Identifier: Apache-2.0 */
/* hearth admin queue: the order of all jobs, over the server's own socket. */
#include "cli/admin.h"

#include "base/cleanup.h"
#include "cli/commands.h"

#include <string.h>

/* People paste what `hearth run` printed: NAMESPACE/ID. */
static const char *id_of(const char *text)
{
	const char *slash = strrchr(text, '/');
	return slash ? slash + 1 : text;
}

static int change(struct invocation *in, const char *what, const char *message, json_t *take_body)
{
	autofree char *path = hub_path("/admin/queue/%s/%s", id_of(in->options.arguments[0]), what);
	autojson json_t *answer = NULL;
	int status = admin_ask(in, "POST", path, take_body, &answer);
	if (status)
		return status;
	json_t *shown = json_pack("{s:s, s:s, s:O}", "id", json_get_text(answer, "id", ""),
	                          "namespace", json_get_text(answer, "namespace", ""), "priority",
	                          json_object_get(answer, "priority"));
	if (json_is_string(json_object_get(answer, "hold")))
		(void)json_object_set(shown, "held by", json_object_get(answer, "hold"));
	output_result(&in->out, message, shown);
	return 0;
}

int admin_queue_hold_command(struct invocation *in)
{
	return change(in, "hold", "Job held", NULL);
}

int admin_queue_release_command(struct invocation *in)
{
	return change(in, "release", "Job released", NULL);
}

int admin_queue_first_command(struct invocation *in)
{
	return change(in, "first", "Job put before all others", NULL);
}

int admin_queue_last_command(struct invocation *in)
{
	return change(in, "last", "Job put behind all others", NULL);
}

int admin_queue_normal_command(struct invocation *in)
{
	return change(in, "normal", "Job put where it belongs", NULL);
}

int admin_queue_priority_command(struct invocation *in)
{
	int64_t priority;
	if (!options_parse_integer(in->options.arguments[1], &priority))
		return output_error("N must be a whole number from -100 to 100, not '%s'",
		                    in->options.arguments[1]);
	return change(in, "priority", "Priority set", json_pack("{s:I}", "priority", priority));
}
