/* SPDX-License-Identifier: Apache-2.0 */
/* hearth devices: the accelerators of the server, how they are, and who has them. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "cli/hub.h"

static json_t *devices_memory(const json_t *device)
{
	int64_t bytes = json_get_int(device, "memory", 0);
	char text[QUANTITY_TEXT_SIZE];

	return json_string(bytes > 0 ? quantity_format_bytes(bytes, text) : "");
}

static json_t *devices_health(const json_t *device)
{
	return json_get_bool(device, "healthy", false)
	               ? json_string("ok")
	               : json_sprintf("fault: %s", json_get_text(device, "fault", "not known"));
}

static json_t *devices_use(const json_t *device)
{
	const json_t *jobs = json_object_get(device, "jobs"), *id;
	autobuffer struct buffer text = BUFFER_INIT(4096);
	size_t i;

	if (!json_get_bool(device, "busy", false))
		return json_string("free");
	json_array_foreach(jobs, i, id)
	{
		(void)buffer_printf(&text, "%s%s", i ? " " : "", json_string_value(id));
	}
	return json_string(text.len ? buffer_text(&text) : "busy");
}

static json_t *devices_percent(const json_t *device)
{
	const json_t *value = json_object_get(device, "utilization");

	return json_is_integer(value)
	               ? json_sprintf("%" JSON_INTEGER_FORMAT "%%", json_integer_value(value))
	               : json_string("");
}

static json_t *devices_row(const json_t *device)
{
	const char *slice = json_get_text(device, "slice", "");
	const json_t *numa = json_object_get(device, "numaNode");

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
	                 json_get_text(device, "name", ""), "model",
	                 json_sprintf("%s%s%s", json_get_text(device, "model", ""),
	                              *slice ? " " : "", slice),
	                 "memory", devices_memory(device), "numa",
	                 json_is_integer(numa)
	                         ? json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(numa))
	                         : json_string(""),
	                 "health", devices_health(device), "busy", devices_percent(device), "jobs",
	                 devices_use(device));
}

int devices_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	json_t *device;
	size_t i;

	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	autojson json_t *devices = NULL;
	autojson json_t *rows = json_array();
	int rc = hub_ask(hub, "GET", "/api/devices", NULL, &devices, &err);
	hub_free(hub);
	if (rc < 0)
		return output_fail(&err);
	if (in->out.mode == OUTPUT_JSON) {
		output_dict(&in->out, devices);
		return 0;
	}
	json_array_foreach(devices, i, device)
	{
		(void)json_array_append_new(rows, devices_row(device));
	}
	output_table(&in->out, rows, NULL, 0, "name");
	if (json_array_size(rows) == 0)
		output_hint(&in->out, "This server has no accelerators.");
	return 0;
}
