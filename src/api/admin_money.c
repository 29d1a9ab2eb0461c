/* SPDX-License-Identifier: Apache-2.0 */
/* Credits and budgets: what `hearth admin credits` and `hearth admin budget` ask for over the Unix
 * socket. */
#include "api/access.h"
#include "api/admin.h"
#include "api/handlers.h"
#include "api/usage.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/quantity.h"
#include "base/utf8.h"

#include <string.h>

#define NOTE_MAX 255
#define YEARS_MAX_MS (100 * INT64_C(365) * LEDGER_DAY_MS)

static bool money_find(struct http_request *request, struct api *api, struct account *ret)
{
	const char *name = http_param(request, "name");

	if (accounts_find(api->db, name, ret))
		return true;
	answer_fail(request, E_NOT_FOUND, "There is no user or organization %.96s", name);
	return false;
}

static json_t *money_credit(const struct credit *credit)
{
	return json_pack("{s:s,s:I,s:I,s:o,s:o,s:s}", "id", credit->id, "amountMicroUsd",
	                 (json_int_t)credit->amount, "leftMicroUsd", (json_int_t)credit->left,
	                 "grantedAt", usage_time_json(credit->granted_ms), "expiresAt",
	                 usage_time_json(credit->expires_ms), "note", credit->note);
}

static void money_add_credit(void *arg, const struct credit *credit)
{
	json_array_append_new(arg, money_credit(credit));
}

void admin_credits_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct account account;
	struct budget budget;
	json_t *list;

	if (!money_find(request, api, &account))
		return;
	list = json_array();
	credits_each(api->db, account.id, money_add_credit, list);
	budgets_get(api->db, account.id, &budget);
	http_respond_json(request, 200,
	                  json_pack("{s:s,s:I,s:o,s:o}", "namespace", account.name, "debtMicroUsd",
	                            (json_int_t)budget.debt_micro_usd, "month",
	                            usage_month_json(api, &account), "credits", list));
}

/* A time to come: "30d", "2026-12-31" (its end) or a full timestamp. */
static int money_read_expiry(const char *text, int64_t now_ms, int64_t *ret, struct error *err)
{
	char iso[CLOCK_TEXT_SIZE];
	int64_t seconds, at_ms = -1;
	struct error unused = ERROR_INIT;

	*ret = 0;
	if (!text)
		return 0;
	if (strlen(text) == 10 && text[4] == '-') {
		(void)snprintf(iso, sizeof(iso), "%.10sT00:00:00Z", text);
		at_ms = clock_parse_iso(iso);
		if (at_ms >= 0)
			at_ms += LEDGER_DAY_MS;
	} else if (strchr(text, 'T')) {
		at_ms = clock_parse_iso(text);
	} else if (quantity_parse_seconds(text, "expires", &seconds, &unused) == 0 &&
	           seconds <= YEARS_MAX_MS / 1000) {
		at_ms = now_ms + seconds * 1000;
	}
	if (at_ms < 0)
		return fail(
		        err, E_INVALID,
		        "expires: \"%.40s\" is neither a date nor a duration; write for example "
		        "2026-12-31 or 30d",
		        text);
	if (at_ms <= now_ms || at_ms > now_ms + YEARS_MAX_MS)
		return fail(err, E_INVALID, "expires: must be a time to come, within 100 years");
	*ret = at_ms;
	return 0;
}

void admin_credits_grant(struct http_request *request, void *context)
{
	struct {
		const char *amount, *expires, *note;
	} wish = {0};
	static const struct json_field fields[] = {
	        {"amount", JSON_FIELD_STRING, true, 0},
	        {"expires", JSON_FIELD_STRING, false, sizeof(char *)},
	        {"note", JSON_FIELD_STRING, false, 2 * sizeof(char *)},
	        {0}};
	struct api *api = context;
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	int64_t amount, expires_ms;
	struct account account;
	struct credit credit;

	if (!money_find(request, api, &account))
		return;
	if (admin_read_body(request, fields, &wish, &body, &err) < 0 ||
	    quantity_parse_usd(wish.amount, "amount", BILLING_AMOUNT_MAX_USD, &amount, &err) < 0 ||
	    money_read_expiry(wish.expires, clock_now_ms(), &expires_ms, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (wish.note && strlen(wish.note) > NOTE_MAX) {
		answer_fail(request, E_INVALID, "note: at most %d bytes", NOTE_MAX);
		return;
	}
	if (billing_grant(api->billing, account.id, amount, expires_ms, wish.note, &credit, &err) <
	    0)
		answer_error(request, &err);
	else
		admin_answer(api, request, credit.id, money_credit(&credit));
}

void admin_credits_revoke(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *id = http_param(request, "credit");
	struct error err = ERROR_INIT;
	struct account account;

	if (!money_find(request, api, &account))
		return;
	if (billing_revoke(api->billing, account.id, id, &err) < 0)
		answer_error(request, &err);
	else
		admin_answer(api, request, id, json_pack("{s:s}", "revoked", id));
}

static json_t *money_budget(struct api *api, const struct account *account)
{
	struct budget budget;
	json_t *answer;

	budgets_get(api->db, account->id, &budget);
	answer = json_pack("{s:s,s:o}", "namespace", account->name, "month",
	                   usage_month_json(api, account));
	json_object_set_new(answer, "monthlyMicroUsd",
	                    budget.monthly_micro_usd < 0 ? json_null()
	                                                 : json_integer(budget.monthly_micro_usd));
	json_object_set_new(answer, "unlimited",
	                    budget.is_unlimited < 0 ? json_null()
	                                            : json_boolean(budget.is_unlimited));
	return answer;
}

void admin_budgets_show(struct http_request *request, void *context)
{
	struct api *api = context;
	struct account account;

	if (money_find(request, api, &account))
		http_respond_json(request, 200, money_budget(api, &account));
}

/* Absent: as it is; null: as the settings say. */
static int money_read_budget(const json_t *body, struct budget *budget, struct error *err)
{
	const json_t *monthly = json_object_get(body, "monthly");
	const json_t *unlimited = json_object_get(body, "unlimited");

	if (!monthly && !unlimited)
		return fail(
		        err, E_INVALID,
		        "monthly (an amount in USD such as \"100\", or null) or unlimited (true, "
		        "false or null) is required");
	if (json_is_null(monthly))
		budget->monthly_micro_usd = -1;
	else if (monthly && !json_is_string(monthly))
		return fail(err, E_INVALID,
		            "monthly must be text with an amount in USD such as \"100\", or null");
	else if (monthly &&
	         quantity_parse_usd(json_string_value(monthly), "monthly", BILLING_AMOUNT_MAX_USD,
	                            &budget->monthly_micro_usd, err) < 0)
		return -1;
	if (json_is_null(unlimited))
		budget->is_unlimited = -1;
	else if (unlimited && !json_is_boolean(unlimited))
		return fail(err, E_INVALID, "unlimited must be true, false or null");
	else if (unlimited)
		budget->is_unlimited = json_is_true(unlimited);
	return 0;
}

void admin_budgets_set(struct http_request *request, void *context)
{
	struct api *api = context;
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	struct account account;
	struct budget budget;

	if (!money_find(request, api, &account))
		return;
	budgets_get(api->db, account.id, &budget);
	if (http_body_json(request, &body, &err) < 0 ||
	    money_read_budget(body, &budget, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	billing_set_budget(api->billing, account.id, budget.is_unlimited, budget.monthly_micro_usd);
	admin_answer(api, request, account.name, money_budget(api, &account));
}
