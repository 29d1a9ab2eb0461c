/* SPDX-License-Identifier: Apache-2.0 */
/* hearth usage: time and money used, summed up, or job by job; as a table, JSON or CSV. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "cli/hub.h"

#include <inttypes.h>
#include <string.h>

#define SECONDS_TEXT_SIZE 32

/* "12.345": exactly. */
static char *seconds_text(int64_t ms, char text[SECONDS_TEXT_SIZE])
{
	(void)snprintf(text, SECONDS_TEXT_SIZE, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
	return text;
}

static void add_amounts(json_t *row, const json_t *sum)
{
	char seconds[SECONDS_TEXT_SIZE], usd[QUANTITY_TEXT_SIZE];
	(void)json_object_set_new(
	        row, "seconds",
	        json_string(seconds_text(json_get_int(sum, "usedMilliseconds", 0), seconds)));
	(void)json_object_set_new(
	        row, "cost",
	        json_string(quantity_format_usd(json_get_int(sum, "microUsd", 0), usd)));
}

static json_t *sum_row(const char *title, const char *key, const json_t *sum)
{
	json_t *row = json_object();
	(void)json_object_set_new(row, title, json_string(key));
	(void)json_object_set_new(row, "attempts", json_integer(json_get_int(sum, "attempts", 0)));
	add_amounts(row, sum);
	return row;
}

static json_t *record_row(const json_t *record)
{
	const char *started = json_get_text(record, "startedAt", "");
	json_t *row = json_object();
	(void)json_object_set(row, "job", json_object_get(record, "jobId"));
	(void)json_object_set(row, "attempt", json_object_get(record, "attempt"));
	(void)json_object_set(row, "user", json_object_get(record, "user"));
	(void)json_object_set(row, "flavor", json_object_get(record, "flavor"));
	(void)json_object_set(row, "started", json_object_get(record, "startedAt"));
	(void)json_object_set(row, "ended", json_object_get(record, "endedAt"));
	(void)json_object_set_new(
	        row, "began", /* "2026-05-01 09:30", in a table short enough for a whole id */
	        json_sprintf("%.10s %.5s", started, strlen(started) > 16 ? started + 11 : ""));
	add_amounts(row, record);
	return row;
}

static void csv_cell(const char *text, bool is_last)
{
	if (!strpbrk(text, ",\"\r\n")) {
		(void)fputs(text, stdout);
	} else {
		(void)fputc('"', stdout);
		for (; *text; text++) {
			if (*text == '"')
				(void)fputc('"', stdout);
			(void)fputc(*text, stdout);
		}
		(void)fputc('"', stdout);
	}
	(void)fputs(is_last ? "\r\n" : ",", stdout);
}

/* RFC 4180. Money without its sign, so that programs read it as a number. */
static void print_csv(const json_t *rows, const char *const *columns, size_t n)
{
	size_t i;
	json_t *row;
	for (size_t c = 0; c < n; c++)
		csv_cell(strcmp(columns[c], "cost") ? columns[c] : "usd", c + 1 == n);
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < n; c++) {
			const json_t *value = json_object_get(row, columns[c]);
			autofree char *number =
			        xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
			const char *text = json_is_integer(value)  ? number
			                   : json_is_string(value) ? json_string_value(value)
			                                           : "";
			csv_cell(text + (*text == '$' && !strcmp(columns[c], "cost")), c + 1 == n);
		}
	}
}

static void print_rows(const struct invocation *in, const json_t *rows, const char *const *columns,
                       size_t n)
{
	if (options_flag(&in->options, "csv"))
		print_csv(rows, columns, n);
	else
		output_table(&in->out, rows, columns, n, NULL);
}

/* "November 2026: $0.0167 spent of a budget of $10.00, credits left: $5.00, 2 jobs running" */
static void print_month(const struct invocation *in, const json_t *month)
{
	char spent[QUANTITY_TEXT_SIZE], amount[QUANTITY_TEXT_SIZE];
	const json_t *budget = json_object_get(month, "budgetMicroUsd");
	const json_t *balance = json_object_get(month, "balanceMicroUsd");
	autofree char *limits = xstrdup("");
	if (json_is_integer(budget)) {
		free(limits);
		limits = xasprintf(" of a budget of %s",
		                   quantity_format_usd(json_integer_value(budget), amount));
	}
	if (json_is_integer(balance)) {
		char *more = xasprintf("%s; credits left: %s", limits,
		                       quantity_format_usd(json_integer_value(balance), amount));
		free(limits);
		limits = more;
	}
	output_text(&in->out, "Spent in %.7s: %s%s; %" PRId64 " running",
	            json_get_text(month, "begin", ""),
	            quantity_format_usd(json_get_int(month, "spentMicroUsd", 0), spent), limits,
	            json_get_int(month, "running", 0));
	if (json_get_bool(month, "exhausted", false))
		output_text(&in->out, "Nothing is left: jobs that cost something are refused.");
}

static void print_sums(const struct invocation *in, const json_t *answer)
{
	autojson json_t *rows = json_array();
	const char *by = json_get_text(answer, "label", json_get_text(answer, "by", "key"));
	const char *columns[] = {by, "attempts", "seconds", "cost"};
	const json_t *others = json_object_get(answer, "others");
	const json_t *month = json_object_get(answer, "month");
	size_t i;
	json_t *sum;
	bool is_plain = in->out.mode != OUTPUT_HUMAN || options_flag(&in->options, "csv");
	json_array_foreach(json_object_get(answer, "usage"), i, sum)
	{
		const char *key = json_get_text(sum, "key", "");
		(void)json_array_append_new(rows,
		                            sum_row(by, *key || is_plain ? key : "(none)", sum));
	}
	if (others)
		(void)json_array_append_new(rows, sum_row(by, "(others)", others));
	if (!is_plain)
		(void)json_array_append_new(rows,
		                            sum_row(by, "total", json_object_get(answer, "total")));
	print_rows(in, rows, columns, 4);
	if (month && !is_plain)
		print_month(in, month);
}

/* "?namespace=…&from=…" */
static char *usage_path(const struct invocation *in, const char *base)
{
	static const char *const names[] = {"namespace", "from", "to"};
	char *path = xstrdup(base);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = options_text(&in->options, names[i]);
		if (value)
			hub_path_query(&path, names[i], value);
	}
	return path;
}

static int show_records(const struct invocation *in, struct hub *hub, struct error *err)
{
	static const char *const columns[] = {"job",     "attempt", "user",    "flavor",
	                                      "started", "ended",   "seconds", "cost"};
	static const char *const short_columns[] = {"job",   "attempt", "user", "flavor",
	                                            "began", "seconds", "cost"};
	autojson json_t *records = json_array(), *rows = json_array();
	bool is_csv = options_flag(&in->options, "csv");
	char *next = usage_path(in, "/api/usage/records");
	hub_path_query(&next, "limit", "1000");
	while (next) {
		autojson json_t *page = NULL;
		autofree char *path = next;
		next = NULL;
		if (hub_ask_page(hub, path, &page, &next, err) < 0)
			return -1;
		(void)json_array_extend(records, page);
	}
	size_t i;
	json_t *record;
	json_array_foreach(records, i, record)(void)
	        json_array_append_new(rows, record_row(record));
	if (in->out.mode == OUTPUT_JSON && !is_csv)
		output_dict(&in->out, records);
	else if (in->out.mode == OUTPUT_HUMAN && !is_csv)
		print_rows(in, rows, short_columns,
		           sizeof(short_columns) / sizeof(short_columns[0]));
	else
		print_rows(in, rows, columns, sizeof(columns) / sizeof(columns[0]));
	return 0;
}

static int show_sums(const struct invocation *in, struct hub *hub, const char *by,
                     struct error *err)
{
	autojson json_t *answer = NULL;
	const char *label = options_text(&in->options, "label");
	autofree char *path = usage_path(in, "/api/usage");
	hub_path_query(&path, "by", by);
	if (label)
		hub_path_query(&path, "label", label);
	if (hub_ask(hub, "GET", path, NULL, &answer, err) < 0)
		return -1;
	if (in->out.mode == OUTPUT_JSON && !options_flag(&in->options, "csv"))
		output_dict(&in->out, answer);
	else
		print_sums(in, answer);
	return 0;
}

static bool is_grouping(const char *by)
{
	static const char *const all[] = {"flavor", "user",  "day",       "month",
	                                  "label",  "group", "namespace", "job"};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(by, all[i]) == 0)
			return true;
	return false;
}

static int show(const struct invocation *in, struct hub *hub, const char *fallback)
{
	struct error err = ERROR_INIT;
	const char *label = options_text(&in->options, "label");
	const char *by = options_text(&in->options, "by");
	if (!by)
		by = label ? "label" : fallback;
	int rc = !is_grouping(by)         ? fail(&err, E_INVALID,
	                                         "--by must be flavor, user, day, month, label, group, "
	                                                 "namespace or job, not \"%.60s\"",
	                                         by)
	         : strcmp(by, "job") == 0 ? show_records(in, hub, &err)
	                                  : show_sums(in, hub, by, &err);
	hub_free(hub);
	return rc < 0 ? output_fail(&err) : 0;
}

int usage_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0)
		return output_fail(&err);
	return show(in, hub, "flavor");
}

int admin_usage_command(struct invocation *in)
{
	return show(in, hub_open_socket(options_text(&in->options, "socket")), "namespace");
}
