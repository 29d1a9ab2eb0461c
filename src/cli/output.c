/* SPDX-License-Identifier: Apache-2.0 */
/* The four output modes, and colour where a terminal can show it. */
#include "cli/output.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/table.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GREEN "\033[32m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define GRAY "\033[90m"

bool output_mode_by_name(const char *name, enum output_mode *ret)
{
	static const struct {
		const char *name;
		enum output_mode mode;
	} modes[] = {{"auto", OUTPUT_HUMAN},
	             {"human", OUTPUT_HUMAN},
	             {"agent", OUTPUT_AGENT},
	             {"json", OUTPUT_JSON},
	             {"quiet", OUTPUT_QUIET}};
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (strcmp(name, modes[i].name) == 0) {
			*ret = modes[i].mode;
			return true;
		}
	return false;
}

static char *json_text(const json_t *value, size_t indent)
{
	char *text = json_dumps(value, JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
	                                       JSON_REAL_PRECISION(15) | indent);
	return text ? text : xstrdup("null");
}

/* A value as plain text: strings as they are, everything else as JSON. */
static char *plain_text(const json_t *value)
{
	if (json_is_string(value))
		return table_escape(json_string_value(value));
	return json_text(value, 0);
}

static void result_human(const char *message, json_t *values)
{
	bool color = terminal_has_color(STDOUT_FILENO);
	printf("%s%s %s%s\n", color ? GREEN : "", terminal_is_utf8() ? "✓" : "[OK]", message,
	       color ? "\033[0m" : "");
	const char *key;
	json_t *value;
	json_object_foreach(values, key, value)
	{
		if (json_is_null(value))
			continue;
		autofree char *text = plain_text(value);
		printf("  %s: %s\n", key, text);
	}
}

static void result_agent(const char *message, json_t *values)
{
	const char *key, *separator = "";
	json_t *value;
	json_object_foreach(values, key, value)
	{
		if (json_is_null(value))
			continue;
		autofree char *text = plain_text(value);
		printf("%s%s=%s", separator, key, text);
		separator = " ";
	}
	printf("%s\n", *separator ? "" : message);
}

static void result_quiet(json_t *values)
{
	void *first = json_object_iter(values);
	if (!first)
		return;
	autofree char *text = plain_text(json_object_iter_value(first));
	puts(text);
}

void output_result(const struct output *out, const char *message, json_t *take_values)
{
	autojson json_t *values = take_values;
	if (out->mode == OUTPUT_HUMAN)
		result_human(message, values);
	else if (out->mode == OUTPUT_AGENT)
		result_agent(message, values);
	else if (out->mode == OUTPUT_QUIET)
		result_quiet(values);
	else
		output_dict(out, values);
	(void)fflush(stdout);
}

static bool column_has_values(const json_t *rows, const char *column)
{
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		const json_t *value = json_object_get(row, column);
		if (value && !json_is_null(value))
			return true;
	}
	return false;
}

static size_t all_columns(const json_t *rows, const char ***ret)
{
	json_t *first = json_array_get(rows, 0);
	const char **columns = xcalloc(json_object_size(first) + 1, sizeof *columns);
	size_t n = 0;
	const char *key;
	json_t *value;
	json_object_foreach(first, key, value) if (column_has_values(rows, key)) columns[n++] = key;
	*ret = columns;
	return n;
}

static void table_human(const struct output *out, const json_t *rows, const char *const *columns,
                        size_t n_columns)
{
	autobuffer struct buffer text = BUFFER_INIT(TABLE_TEXT_MAX);
	bool cut;
	table_layout(rows, columns, n_columns, out->no_truncate ? 0 : terminal_width(),
	             terminal_is_utf8(), &text, &cut);
	(void)fwrite(buffer_text(&text), 1, text.len, stdout);
	(void)fflush(stdout);
	if (cut)
		output_hint(out, "Use `--no-truncate` or `--format json` to display full values.");
}

static void add_python(struct buffer *out, const json_t *value);

static void add_python_text(struct buffer *out, const char *text)
{
	char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
	autofree char *escaped = table_escape(text);
	(void)buffer_add_byte(out, quote);
	for (const char *p = escaped; *p; p++) {
		if (*p == quote)
			(void)buffer_add_byte(out, '\\');
		(void)buffer_add_byte(out, *p);
	}
	(void)buffer_add_byte(out, quote);
}

static void add_python_object(struct buffer *out, const json_t *object)
{
	const char *key, *separator = "";
	json_t *item;
	(void)buffer_add_byte(out, '{');
	json_object_foreach((json_t *)object, key, item)
	{
		(void)buffer_add_text(out, separator);
		add_python_text(out, key);
		(void)buffer_add_text(out, ": ");
		add_python(out, item);
		separator = ", ";
	}
	(void)buffer_add_byte(out, '}');
}

/* Values as Python prints them: the form in which `hf` gives nested ones to agents. */
static void add_python(struct buffer *out, const json_t *value)
{
	size_t i;
	json_t *item;
	if (json_is_object(value)) {
		add_python_object(out, value);
	} else if (json_is_array(value)) {
		(void)buffer_add_byte(out, '[');
		json_array_foreach(value, i, item)
		{
			(void)buffer_add_text(out, i ? ", " : "");
			add_python(out, item);
		}
		(void)buffer_add_byte(out, ']');
	} else if (json_is_string(value)) {
		add_python_text(out, json_string_value(value));
	} else if (json_is_number(value)) {
		autofree char *text = json_text(value, 0);
		(void)buffer_add_text(out, text);
	} else {
		(void)buffer_add_text(out, json_is_true(value)    ? "True"
		                           : json_is_false(value) ? "False"
		                                                  : "None");
	}
}

static char *agent_cell(const json_t *value)
{
	if (json_is_string(value))
		return table_single_line(json_string_value(value));
	struct buffer out = BUFFER_INIT(TABLE_TEXT_MAX);
	add_python(&out, value);
	return buffer_take(&out);
}

static void table_agent(const json_t *rows, const char *const *columns, size_t n_columns)
{
	for (size_t c = 0; c < n_columns; c++)
		printf("%s%s", c ? "\t" : "", columns[c]);
	putchar('\n');
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < n_columns; c++) {
			autofree char *cell = agent_cell(json_object_get(row, columns[c]));
			printf("%s%s", c ? "\t" : "", cell);
		}
		putchar('\n');
	}
}

static void table_quiet(const json_t *rows, const char *id_key)
{
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		autofree char *text = plain_text(json_object_get(row, id_key));
		puts(text);
	}
}

void output_table(const struct output *out, const json_t *rows, const char *const *columns,
                  size_t n_columns, const char *id_key)
{
	if (json_array_size(rows) == 0) {
		if (out->mode == OUTPUT_JSON)
			puts("[]");
		else if (out->mode != OUTPUT_QUIET)
			puts("No results found.");
		(void)fflush(stdout);
		return;
	}
	autofree const char **all = NULL;
	if (!columns) {
		n_columns = all_columns(rows, &all);
		columns = all;
	}
	if (out->mode == OUTPUT_HUMAN)
		table_human(out, rows, columns, n_columns);
	else if (out->mode == OUTPUT_AGENT)
		table_agent(rows, columns, n_columns);
	else if (out->mode == OUTPUT_QUIET)
		table_quiet(rows, id_key ? id_key : columns[0]);
	else
		output_dict(out, rows);
	(void)fflush(stdout);
}

void output_dict(const struct output *out, const json_t *value)
{
	autofree char *text = json_text(value, out->mode == OUTPUT_HUMAN ? JSON_INDENT(2) : 0);
	puts(text);
	(void)fflush(stdout);
}

void output_text(const struct output *out, const char *fmt, ...)
{
	if (out->mode == OUTPUT_JSON || out->mode == OUTPUT_QUIET)
		return;
	va_list ap;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout);
}

static void __attribute__((format(printf, 3, 0)))
note(const char *color, const char *label, const char *fmt, va_list ap)
{
	terminal_status_clear();
	bool has_color = terminal_has_color(STDERR_FILENO);
	fprintf(stderr, "%s%s: ", has_color ? color : "", label);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "%s\n", has_color ? "\033[0m" : "");
}

void output_hint(const struct output *out, const char *fmt, ...)
{
	if (out->mode == OUTPUT_QUIET)
		return;
	va_list ap;
	va_start(ap, fmt);
	note(GRAY, "Hint", fmt, ap);
	va_end(ap);
}

void output_warning(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	note(YELLOW, "Warning", fmt, ap);
	va_end(ap);
}

int output_error(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	note(RED, "Error", fmt, ap);
	va_end(ap);
	return 1;
}

int output_fail(const struct error *err)
{
	/* The text may be the server's: it must not play with the terminal. */
	autofree char *text = table_escape(err->text);
	return output_error("%s", text);
}

int output_finish(int status)
{
	terminal_status_clear();
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "Error: Cannot write the output: %s\n", strerror(errno));
	return status ? status : 1;
}
