/* SPDX-License-Identifier: Apache-2.0 */
/* hearth admin credits and budget: what namespaces may spend, over the server's own socket. */
#include "cli/admin.h"

#include "base/cleanup.h"
#include "base/quantity.h"
#include "cli/commands.h"

#include <string.h>

static void set_usd(json_t *row, const char *name, const json_t *micro_usd, const char *if_null)
{
	char text[QUANTITY_TEXT_SIZE];
	(void)json_object_set_new(
	        row, name,
	        json_string(json_is_integer(micro_usd)
	                            ? quantity_format_usd(json_integer_value(micro_usd), text)
	                            : if_null));
}

static json_t *credit_row(const json_t *credit)
{
	json_t *row = json_object();
	(void)json_object_set(row, "id", json_object_get(credit, "id"));
	set_usd(row, "amount", json_object_get(credit, "amountMicroUsd"), "");
	set_usd(row, "left", json_object_get(credit, "leftMicroUsd"), "");
	(void)json_object_set_new(row, "granted",
	                          json_string(json_get_text(credit, "grantedAt", "")));
	(void)json_object_set_new(row, "expires",
	                          json_string(json_get_text(credit, "expiresAt", "never")));
	(void)json_object_set_new(row, "note", json_string(json_get_text(credit, "note", "")));
	return row;
}

int admin_credits_grant_command(struct invocation *in)
{
	char **words = in->options.arguments;
	const char *expires = options_text(&in->options, "expires");
	const char *note = options_text(&in->options, "note");
	autofree char *path = hub_path("/admin/credits/%s", words[0]);
	autojson json_t *credit = NULL;
	json_t *body = json_pack("{s:s, s:s?, s:s?}", "amount", words[1], "expires", expires,
	                         "note", note);
	int status = admin_ask(in, "POST", path, body, &credit);
	if (status == 0)
		output_result(&in->out, "Credits granted", credit_row(credit));
	return status;
}

int admin_credits_list_command(struct invocation *in)
{
	static const char *const columns[] = {"id", "amount", "left", "granted", "expires", "note"};
	autofree char *path = hub_path("/admin/credits/%s", in->options.arguments[0]);
	autojson json_t *answer = NULL, *rows = json_array();
	int status = admin_ask(in, "GET", path, NULL, &answer);
	if (status != 0)
		return status;
	if (in->out.mode == OUTPUT_JSON) {
		output_dict(&in->out, answer);
		return 0;
	}
	size_t i;
	json_t *credit;
	json_array_foreach(json_object_get(answer, "credits"), i, credit)(void)
	        json_array_append_new(rows, credit_row(credit));
	output_table(&in->out, rows, columns, 6, "id");
	const json_t *balance =
	        json_object_get(json_object_get(answer, "month"), "balanceMicroUsd");
	char text[QUANTITY_TEXT_SIZE];
	if (json_is_integer(balance))
		output_text(&in->out, "Left, running jobs taken off: %s",
		            quantity_format_usd(json_integer_value(balance), text));
	return 0;
}

int admin_credits_revoke_command(struct invocation *in)
{
	char **words = in->options.arguments;
	autofree char *path = hub_path("/admin/credits/%s/%s", words[0], words[1]);
	int status = admin_ask(in, "DELETE", path, NULL, NULL);
	if (status == 0)
		output_result(&in->out, "Credits revoked",
		              json_pack("{s:s, s:s}", "namespace", words[0], "id", words[1]));
	return status;
}

static const char *flag_text(const json_t *value)
{
	return json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : "default";
}

static void print_budget(const struct invocation *in, const char *message, const json_t *answer)
{
	const json_t *month = json_object_get(answer, "month");
	json_t *row = json_object();
	if (in->out.mode == OUTPUT_JSON) {
		json_decref(row);
		output_dict(&in->out, answer);
		return;
	}
	(void)json_object_set(row, "namespace", json_object_get(answer, "namespace"));
	set_usd(row, "monthly", json_object_get(answer, "monthlyMicroUsd"), "default");
	(void)json_object_set_new(row, "unlimited",
	                          json_string(flag_text(json_object_get(answer, "unlimited"))));
	set_usd(row, "in_force", json_object_get(month, "budgetMicroUsd"), "none");
	set_usd(row, "spent", json_object_get(month, "spentMicroUsd"), "");
	set_usd(row, "credits", json_object_get(month, "balanceMicroUsd"), "none");
	output_result(&in->out, message, row);
}

int admin_budget_show_command(struct invocation *in)
{
	autofree char *path = hub_path("/admin/budgets/%s", in->options.arguments[0]);
	autojson json_t *answer = NULL;
	int status = admin_ask(in, "GET", path, NULL, &answer);
	if (status == 0)
		print_budget(in, "Budget", answer);
	return status;
}

static int read_wish(const struct invocation *in, json_t *body)
{
	const char *monthly = options_text(&in->options, "monthly");
	const char *unlimited = options_text(&in->options, "unlimited");
	if (!monthly && !unlimited)
		return output_error("Please give --monthly USD or --unlimited yes, no or default.");
	if (monthly && (strcmp(monthly, "none") == 0 || strcmp(monthly, "unlimited") == 0))
		return output_error("--monthly must be an amount in USD, or default; without any "
		                    "limit: --unlimited yes");
	if (monthly && strcmp(monthly, "default") == 0)
		(void)json_object_set_new(body, "monthly", json_null());
	else if (monthly)
		(void)json_object_set_new(body, "monthly", json_string(monthly));
	if (!unlimited)
		return 0;
	if (strcmp(unlimited, "yes") != 0 && strcmp(unlimited, "no") != 0 &&
	    strcmp(unlimited, "default") != 0)
		return output_error("--unlimited must be yes, no or default, not \"%s\".",
		                    unlimited);
	(void)json_object_set_new(body, "unlimited",
	                          strcmp(unlimited, "default") == 0
	                                  ? json_null()
	                                  : json_boolean(strcmp(unlimited, "yes") == 0));
	return 0;
}

int admin_budget_set_command(struct invocation *in)
{
	autofree char *path = hub_path("/admin/budgets/%s", in->options.arguments[0]);
	autojson json_t *answer = NULL;
	json_t *body = json_object();
	int status = read_wish(in, body);
	if (status != 0) {
		json_decref(body);
		return status;
	}
	status = admin_ask(in, "PUT", path, body, &answer);
	if (status == 0)
		print_budget(in, "Budget set", answer);
	return status;
}
