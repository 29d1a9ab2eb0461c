/* SPDX-License-Identifier: Apache-2.0 */
/* hearth hardware: the flavors, with their prices. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"

static json_t *price(double usd, int digits)
{
	if (usd == 0)
		return json_string("free");
	autofree char *text = xasprintf("$%.*f", digits, usd);
	return json_string(text);
}

static json_t *accelerator_text(const json_t *accelerator)
{
	if (!json_is_object(accelerator))
		return json_string("");
	autofree char *text = xasprintf("%sx %s (%s)", json_get_text(accelerator, "quantity", "?"),
	                                json_get_text(accelerator, "model", "?"),
	                                json_get_text(accelerator, "vram", "?"));
	return json_string(text);
}

static json_t *row_of(const json_t *flavor)
{
	double usd = json_number_value(json_object_get(flavor, "unitCostUSD"));
	json_t *row = json_object();
	(void)json_object_set_new(row, "name", json_string(json_get_text(flavor, "name", "")));
	(void)json_object_set_new(row, "pretty name",
	                          json_string(json_get_text(flavor, "prettyName", "")));
	(void)json_object_set_new(row, "cpu", json_string(json_get_text(flavor, "cpu", "")));
	(void)json_object_set_new(row, "ram", json_string(json_get_text(flavor, "ram", "")));
	(void)json_object_set_new(row, "storage",
	                          json_string(json_get_text(flavor, "ephemeralStorage", "N/A")));
	(void)json_object_set_new(row, "accelerator",
	                          accelerator_text(json_object_get(flavor, "accelerator")));
	(void)json_object_set_new(row, "cost/min", price(usd, 4));
	(void)json_object_set_new(row, "cost/hour", price(usd * 60, 2));
	return row;
}

int hardware_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	if (hub_open(NULL, &hub, &err) < 0)
		return output_fail(&err);
	autojson json_t *flavors = NULL;
	autojson json_t *rows = json_array();
	int rc = hub_ask(hub, "GET", "/api/jobs/hardware", NULL, &flavors, &err);
	hub_free(hub);
	if (rc < 0)
		return output_fail(&err);
	size_t i;
	json_t *flavor;
	json_array_foreach(flavors, i, flavor)(void) json_array_append_new(rows, row_of(flavor));
	output_table(&in->out, rows, NULL, 0, NULL);
	output_hint(&in->out, "Use `hearth run --flavor <name> ...` to request a specific hardware "
	                      "flavor.");
	return 0;
}
