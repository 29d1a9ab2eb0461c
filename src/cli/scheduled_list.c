/* SPDX-License-Identifier: Apache-2.0 */
/* hearth scheduled ps: schedules, filtered here as hf does. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/hub.h"
#include "cli/list_filter.h"
#include "cli/schedule_view.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

struct filters {
	const struct options *options;
	bool shows_active, shows_suspended;
	struct buffer message; /* "status=suspended, label=env=prod" */
};

static void note(struct filters *f, const char *kind, const char *value)
{
	(void)buffer_printf(&f->message, "%s%s%s", f->message.len ? ", " : "", kind, value);
}

static int read_statuses(struct filters *f, const char *list, struct error *err)
{
	autofree char *copy = xstrdup(list);
	char *rest = copy, *word;
	while ((word = list_filter_word(&rest))) {
		for (char *c = word; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		note(f, "status=", word);
		if (strcmp(word, "active") == 0)
			f->shows_active = true;
		else if (strcmp(word, "suspended") == 0)
			f->shows_suspended = true;
		else
			return fail(err, E_INVALID,
			            "Invalid status filter '%s': expected active or suspended",
			            word);
	}
	return 0;
}

static int read_filters(struct filters *f, struct error *err)
{
	const struct options *options = f->options;
	const char *text, *name = options_text(options, "name");
	if (options_flag(options, "all") && options_flag(options, "status"))
		return fail(err, E_INVALID, "`-a`/`--all` cannot be combined with `--status`.");
	for (size_t i = 0; (text = options_each(options, "status", i)); i++)
		if (read_statuses(f, text, err) < 0)
			return -1;
	if (!f->message.len) {
		f->shows_active = true;
		f->shows_suspended = options_flag(options, "all");
	}
	for (size_t i = 0; (text = options_each(options, "label", i)); i++) {
		if (list_filter_check_label(text, name, err) < 0)
			return -1;
		note(f, "label=", text);
	}
	if (name)
		note(f, "label=name=", name);
	for (size_t i = 0; (text = options_each(options, "filter", i)); i++) {
		if (!strchr(text, '='))
			return fail(err, E_INVALID,
			            "Invalid filter '%s': must be in the form 'key=pattern'", text);
		note(f, "", text);
	}
	return 0;
}

static bool matches_label(const json_t *labels, const char *text)
{
	autofree char *key = xstrndup(text, strcspn(text, "="));
	const char *value = json_get_text(labels, key, NULL);
	return value && strcmp(value, strchr(text, '=') + 1) == 0;
}

/* KEY=PATTERN or KEY!=PATTERN of older releases of hf; an unknown key never matches. */
static bool matches_pattern(const json_t *row, const char *text)
{
	static const char *const keys[][2] = {
	        {"id", "id"}, {"name", "name"}, {"image", "image/space"}, {"command", "command"}};
	size_t len = strcspn(text, "=");
	bool is_negated = len && text[len - 1] == '!';
	autofree char *key = xstrndup(text, len - is_negated);
	const char *value = NULL;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcasecmp(key, keys[i][0]) == 0)
			value = json_get_text(row, keys[i][1], "");
	if (strcasecmp(key, "suspend") == 0)
		value = json_get_bool(row, "suspend", false) ? "True" : "False";
	return value && (fnmatch(text + len + 1, value, FNM_CASEFOLD) == 0) != is_negated;
}

static bool matches(const struct filters *f, const json_t *schedule, const json_t *row)
{
	const json_t *labels = json_object_get(json_object_get(schedule, "jobSpec"), "labels");
	const char *text, *name = options_text(f->options, "name");
	if (!(json_get_bool(row, "suspend", false) ? f->shows_suspended : f->shows_active))
		return false;
	for (size_t i = 0; (text = options_each(f->options, "label", i)); i++)
		if (!matches_label(labels, text))
			return false;
	if (name && strcmp(json_get_text(labels, "name", ""), name) != 0)
		return false;
	for (size_t i = 0; (text = options_each(f->options, "filter", i)); i++)
		if (!matches_pattern(row, text))
			return false;
	return true;
}

static void show(struct invocation *in, const struct filters *f, const json_t *schedules)
{
	static const char *const columns[] = {"id",      "name",     "schedule", "image/space",
	                                      "command", "last_run", "next_run", "suspend"};
	autojson json_t *rows = json_array();
	size_t i;
	json_t *schedule;
	json_array_foreach(schedules, i, schedule)
	{
		autojson json_t *row = schedule_view_listed(schedule);
		if (matches(f, schedule, row))
			(void)json_array_append(rows, row);
	}
	output_table(&in->out, rows, columns, sizeof columns / sizeof *columns, "id");
	const char *first = json_get_text(json_array_get(rows, 0), "id", NULL);
	if (first) {
		output_hint(&in->out,
		            "Use `hearth scheduled inspect %s` to view details about a scheduled "
		            "job.",
		            first);
		output_hint(&in->out,
		            "Use `hearth scheduled trigger %s` to trigger a scheduled job "
		            "immediately.",
		            first);
	} else if (f->message.len) {
		output_text(&in->out, "No scheduled jobs matched filters: %s",
		            buffer_text(&f->message));
	} else if (!options_flag(&in->options, "all")) {
		output_hint(&in->out, "No active scheduled jobs. Use `-a`/`--all` to include "
		                      "suspended ones.");
	}
}

static int fetch(struct invocation *in, struct hub *hub, json_t **ret, struct error *err)
{
	const char *space;
	if (hub_namespace(hub, options_text(&in->options, "namespace"), &space, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/scheduled-jobs/%s", space);
	return hub_ask(hub, "GET", path, NULL, ret, err);
}

int scheduled_list_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	autojson json_t *schedules = NULL;
	struct filters f = {.options = &in->options, .message = BUFFER_INIT(1u << 20)};
	int rc = read_filters(&f, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = fetch(in, hub, &schedules, &err);
	if (rc == 0)
		show(in, &f, schedules);
	hub_free(hub);
	buffer_clear(&f.message);
	return rc < 0 ? output_fail(&err) : 0;
}
