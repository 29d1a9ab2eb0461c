/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/usage: what a namespace, or everybody, has used and what it cost, by user, flavor,
 * label, day … */
#include "api/usage.h"

#include "api/access.h"
#include "api/handlers.h"
#include "base/clock.h"
#include "base/memory.h"
#include "job/usage_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *usage_day_json(int64_t day)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_iso(day * LEDGER_DAY_MS, text);
	return json_stringn(text, strcspn(text, "T"));
}

json_t *usage_time_json(int64_t unix_ms)
{
	char text[CLOCK_TEXT_SIZE];

	return unix_ms ? json_string(clock_format_iso(unix_ms, text)) : json_null();
}

json_t *usage_month_json(struct api *api, const struct account *ns)
{
	struct billing_state state;
	json_t *month;

	billing_state(api->billing, ns->id, &state);
	month = json_pack("{s:o,s:o,s:I,s:I,s:b,s:b,s:b}", "begin",
	                  usage_time_json(state.month_begin_ms), "end",
	                  usage_time_json(state.month_end_ms), "spentMicroUsd",
	                  (json_int_t)state.spent_month_micro_usd, "running",
	                  (json_int_t)state.running, "limited", (int)state.is_limited, "unlimited",
	                  (int)state.is_unlimited, "exhausted", (int)state.is_exhausted);
	json_object_set_new(month, "budgetMicroUsd",
	                    state.budget_micro_usd < 0 ? json_null()
	                                               : json_integer(state.budget_micro_usd));
	json_object_set_new(month, "balanceMicroUsd",
	                    state.has_credits ? json_integer(state.balance_micro_usd)
	                                      : json_null());
	return month;
}

static bool usage_read_day(struct http_request *request, const char *name, int64_t *ret)
{
	const char *text = http_query(request, name);
	char iso[CLOCK_TEXT_SIZE];
	int64_t ms;

	if (!text)
		return true;
	snprintf(iso, sizeof(iso), "%.10sT00:00:00Z", text);
	ms = strlen(text) == 10 ? clock_parse_iso(iso) : -1;
	if (ms < 0) {
		answer_fail(request, E_INVALID, "%s must be a date such as 2026-05-01", name);
		return false;
	}
	*ret = ms / LEDGER_DAY_MS;
	return true;
}

/* The days of the present month, until today. */
static void usage_default_days(int64_t *ret_from, int64_t *ret_to)
{
	int64_t now_ms = clock_now_ms();
	char text[CLOCK_TEXT_SIZE];

	clock_format_iso(now_ms, text);
	memcpy(text + 8, "01T00:00:00Z", sizeof("01T00:00:00Z"));
	*ret_from = clock_parse_iso(text) / LEDGER_DAY_MS;
	*ret_to = now_ms / LEDGER_DAY_MS;
}

static bool usage_may_read(struct api *api, struct http_request *request, const struct account *ns)
{
	const struct access *access = access_of(request);

	if (access->caller.is_admin || caller_role(api, &access->caller, ns) >= ROLE_READ)
		return true;
	answer_fail(request, E_FORBIDDEN,
	            ns->type == ACCOUNT_ORG
	                    ? "%s is not a member of the organization %s; this call needs the role "
	                      "read there"
	                    : "%s has no access to the namespace %s, which belongs to another user",
	            access->caller.user.name, ns->name);
	return false;
}

static bool usage_read_namespace(struct api *api, struct http_request *request,
                                 struct usage_scope *ret)
{
	const struct access *access = access_of(request);
	const char *name = http_query(request, "namespace");

	ret->has_namespace = name || access->caller.is_known;
	if (!ret->has_namespace)
		return true;
	if (!name) {
		ret->ns = access->caller.user;
		return true;
	}
	if (!accounts_find(api->db, name, &ret->ns)) {
		answer_fail(request, E_NOT_FOUND, "Namespace not found: %.96s", name);
		return false;
	}
	return usage_may_read(api, request, &ret->ns);
}

bool usage_read_scope(struct api *api, struct http_request *request, struct usage_scope *ret)
{
	*ret = (struct usage_scope){0};
	usage_default_days(&ret->from_day, &ret->to_day);
	if (!usage_read_namespace(api, request, ret) ||
	    !usage_read_day(request, "from", &ret->from_day) ||
	    !usage_read_day(request, "to", &ret->to_day))
		return false;
	if (ret->to_day < ret->from_day) {
		answer_fail(request, E_INVALID,
		            http_query(request, "to") ? "to must not be before from"
		                                      : "from must not be after today (UTC)");
		return false;
	}
	ret->to_day++;
	return true;
}

struct usage_request {
	struct api *api;
	struct http_request *request;
	struct usage_report *report;
	struct usage_scope scope;
	const char *by;
	char label[USAGE_KEY_SIZE];
};

static json_t *usage_sum_json(const struct usage_sum *sum)
{
	return json_pack("{s:s,s:I,s:I,s:I}", "key", sum->key, "attempts",
	                 (json_int_t)sum->attempts, "usedMilliseconds", (json_int_t)sum->used_ms,
	                 "microUsd", (json_int_t)sum->cost_micro_usd);
}

static void usage_cancelled(void *arg)
{
	struct usage_request *usage = arg;

	usage_report_cancel(usage->report);
	free(usage);
}

static void usage_done(void *arg, struct usage_report *report)
{
	struct usage_request *usage = arg;
	const struct usage_scope *scope = &usage->scope;
	const struct usage_sum *const *lines;
	size_t n = usage_report_lines(report, &lines);
	json_t *list = json_array(), *answer;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, usage_sum_json(lines[i]));
	answer = json_pack("{s:s,s:o,s:o,s:o,s:o}", "by", usage->by, "from",
	                   usage_day_json(scope->from_day), "to", usage_day_json(scope->to_day - 1),
	                   "usage", list, "total", usage_sum_json(usage_report_total(report)));
	if (usage->label[0])
		json_object_set_new(answer, "label", json_string(usage->label));
	if (usage_report_others(report)->attempts)
		json_object_set_new(answer, "others", usage_sum_json(usage_report_others(report)));
	if (scope->has_namespace) {
		json_object_set_new(answer, "namespace", json_string(scope->ns.name));
		json_object_set_new(answer, "month", usage_month_json(usage->api, &scope->ns));
	}
	http_on_cancel(usage->request, NULL, NULL);
	http_respond_json(usage->request, 200, answer);
	free(usage);
}

static const char *const usage_names[] = {
        [USAGE_BY_NAMESPACE] = "namespace", [USAGE_BY_USER] = "user", [USAGE_BY_FLAVOR] = "flavor",
        [USAGE_BY_GROUP] = "group",         [USAGE_BY_DAY] = "day",   [USAGE_BY_MONTH] = "month",
        [USAGE_BY_LABEL] = "label",
};

static int usage_find_by(const char *name)
{
	for (int i = 0; i < (int)(sizeof(usage_names) / sizeof(usage_names[0])); i++)
		if (strcmp(usage_names[i], name) == 0)
			return i;
	return -1;
}

void usage_show(struct http_request *request, void *context)
{
	struct api *api = context;
	const char *by = http_query(request, "by"), *label = http_query(request, "label");
	int kind = usage_find_by(by ? by : "flavor");
	struct usage_request *usage;
	struct usage_scope scope;

	if (kind < 0) {
		answer_fail(request, E_INVALID,
		            "by must be namespace, user, flavor, group, day, month or label");
		return;
	}
	if ((kind == USAGE_BY_LABEL) != (label && *label)) {
		answer_fail(request, E_INVALID,
		            kind == USAGE_BY_LABEL ? "label is required with by=label: the key "
		                                     "whose values are summed up"
		                                   : "label goes with by=label only");
		return;
	}
	if (!usage_read_scope(api, request, &scope))
		return;
	usage = xcalloc(1, sizeof(*usage));
	*usage = (struct usage_request){
	        .api = api, .request = request, .scope = scope, .by = usage_names[kind]};
	snprintf(usage->label, sizeof(usage->label), "%s", label ? label : "");
	usage->report = usage_report_start(
	        &(struct usage_report_options){
	                .loop = api->loop,
	                .db = api->db,
	                .billing = api->billing,
	                .namespace_id = scope.has_namespace ? scope.ns.id : NULL,
	                .by = (enum usage_by)kind,
	                .label = usage->label,
	                .from_day = scope.from_day,
	                .to_day = scope.to_day,
	        },
	        usage_done, usage);
	http_on_cancel(request, usage_cancelled, usage);
}
