/* SPDX-License-Identifier: Apache-2.0 */
/* hearth admin limits and group: what namespaces, users and resource groups may use at most. */
#include "cli/admin.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/commands.h"

#include <string.h>

static const struct {
	const char *option, *member;
	const char *others; /* what it may be besides, in a sentence */
} limits[] = {
        {"max-running", "maxRunning", ", none"},
        {"max-queued", "maxQueued", ", none"},
        {"max-devices", "maxDevices", ", none"},
        {"max-priority", "maxPriority", " from -100 to 100"},
        {"weight", "weight", " from 1 to 1000"},
};
#define LIMIT_COUNT (sizeof limits / sizeof *limits)

static char *limits_path(const struct invocation *in)
{
	bool is_user = options_flag(&in->options, "user");
	bool is_group = options_flag(&in->options, "group");
	if (is_user && is_group) {
		output_error("Only one of --user and --group is possible.");
		return NULL;
	}
	return hub_path("/admin/limits/%s/%s",
	                is_group  ? "group"
	                : is_user ? "user"
	                          : "namespace",
	                in->options.arguments[0]);
}

/* Unset ones are those of the settings. */
static json_t *row_of(const json_t *answer)
{
	json_t *row = json_pack("{s:s, s:s}", "kind", json_get_text(answer, "kind", ""), "name",
	                        json_get_text(answer, "name", ""));
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		json_t *value = json_object_get(answer, limits[i].member);
		(void)json_object_set_new(row, limits[i].option,
		                          json_is_null(value) ? json_string("default")
		                                              : json_incref(value));
	}
	(void)json_object_set(row, "id", json_object_get(answer, "id"));
	return row;
}

static int show(struct invocation *in, const json_t *list)
{
	static const char *const columns[] = {"kind",       "name",        "max-running",
	                                      "max-queued", "max-devices", "max-priority",
	                                      "weight",     "id"};
	autojson json_t *rows = json_array();
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)(void) json_array_append_new(rows, row_of(item));
	/* For people without ids, which only groups need: `admin group ls` shows theirs. */
	output_table(&in->out, rows, columns,
	             sizeof columns / sizeof *columns - (in->out.mode == OUTPUT_HUMAN), "name");
	return 0;
}

int admin_limits_list_command(struct invocation *in)
{
	autojson json_t *list = NULL;
	int status = admin_ask(in, "GET", "/admin/limits", NULL, &list);
	return status ? status : show(in, list);
}

static int ask_one(struct invocation *in, const char *method, json_t *take_body)
{
	autojson json_t *body = take_body;
	autofree char *path = limits_path(in);
	autojson json_t *answer = NULL;
	if (!path)
		return COMMAND_USAGE_ERROR;
	int status = admin_ask(in, method, path, body ? json_incref(body) : NULL, &answer);
	if (status)
		return status;
	autojson json_t *list = json_pack("[O]", answer);
	return show(in, list);
}

int admin_limits_show_command(struct invocation *in)
{
	return ask_one(in, "GET", NULL);
}

int admin_limits_set_command(struct invocation *in)
{
	autojson json_t *body = json_object();
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		const char *text = options_text(&in->options, limits[i].option);
		int64_t number;
		if (!text)
			continue;
		if (strcmp(text, "default") == 0)
			(void)json_object_set_new(body, limits[i].member, json_null());
		else if (options_parse_integer(text, &number))
			(void)json_object_set_new(body, limits[i].member, json_integer(number));
		else if (strcmp(text, "none") == 0 && strcmp(limits[i].others, ", none") == 0)
			(void)json_object_set_new(body, limits[i].member, json_string(text));
		else
			return output_error("--%s must be a whole number%s or default, not '%s'",
			                    limits[i].option, limits[i].others, text);
	}
	if (json_object_size(body) == 0)
		return output_error("Nothing to set: give --max-running, --max-queued, "
		                    "--max-devices, --max-priority or --weight.");
	return ask_one(in, "PUT", json_incref(body));
}

int admin_group_add_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path("/admin/groups/%s", words[0]);
	autojson json_t *group = NULL;
	int status = admin_ask(in, "POST", path, json_pack("{s:s}", "name", words[1]), &group);
	if (status)
		return status;
	output_result(&in->out, "Resource group created",
	              json_pack("{s:s, s:s}", "id", json_get_text(group, "id", ""), "name",
	                        json_get_text(group, "name", "")));
	output_hint(&in->out,
	            "`hearth run --resource-group-id %s ...` uses it; `hearth admin limits set "
	            "--group %s ...` limits it.",
	            json_get_text(group, "id", ""), json_get_text(group, "id", ""));
	return 0;
}

int admin_group_list_command(struct invocation *in)
{
	static const char *const columns[] = {"name", "id", "numUsers"};
	autofree char *path = hub_path("/admin/groups/%s", in->options.arguments[0]);
	return admin_show_list(in, path, columns, 3, "id");
}

int admin_group_remove_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path("/admin/groups/%s/%s", words[0], words[1]);
	int status = admin_ask(in, "DELETE", path, NULL, NULL);
	if (status == 0)
		output_result(&in->out, "Resource group removed",
		              json_pack("{s:s}", "name", words[1]));
	return status;
}
