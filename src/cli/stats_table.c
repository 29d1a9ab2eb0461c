/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of the live table, and its own way of fitting a terminal: wide columns are halved. */
#include "cli/stats_table.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/duration.h"
#include "cli/table.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 9, FIRST_GPU = 6 };

static const char *const headers[COLUMNS] = {"JOB ID",     "CPU %",     "NUM CPU",
                                             "MEM %",      "MEM USAGE", "NET I/O",
                                             "GPU UTIL %", "GPU MEM %", "GPU MEM USAGE"};

struct lines {
	char *(*cells)[COLUMNS];
	size_t count;
};

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* A number as short as it can be said: "3.5", "0.01", "8" becomes "8.0" if it was a fraction. */
static char *short_number(double value, int digits)
{
	char *text = xasprintf("%.*f", digits, value);
	size_t len = strlen(text);
	while (len > 2 && text[len - 1] == '0' && text[len - 2] != '.')
		text[--len] = '\0';
	return text;
}

static char *percent_of(double part, double whole)
{
	autofree char *text = short_number(whole > 0 ? 100 * part / whole : 0, 2);
	return xasprintf("%s%%", text);
}

static char *pair(double a, double b, const char *unit)
{
	char left[DURATION_TEXT_SIZE], right[DURATION_TEXT_SIZE];
	return xasprintf("%s%s / %s%s", duration_format_size(a, left), unit,
	                 duration_format_size(b, right), unit);
}

static char *(*add_line(struct lines *lines))[COLUMNS]
{
	lines->cells = xrealloc(lines->cells, (lines->count + 1) * sizeof *lines->cells);
	char *(*line)[COLUMNS] = &lines->cells[lines->count++];
	memset(line, 0, sizeof *line);
	return line;
}

static void fill_gpu(char *(*line)[COLUMNS], const json_t *gpu)
{
	double used = number(gpu, "memory_used_bytes"), total = number(gpu, "memory_total_bytes");
	(*line)[FIRST_GPU] = xasprintf("%.0f%%", number(gpu, "utilization"));
	(*line)[FIRST_GPU + 1] = percent_of(used, total);
	(*line)[FIRST_GPU + 2] = pair(used, total, "B");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_gpus(struct lines *lines, json_t *gpus)
{
	autofree const char **names = xcalloc(json_object_size(gpus) + 1, sizeof *names);
	size_t n = 0;
	const char *key;
	json_t *value;
	json_object_foreach(gpus, key, value) names[n++] = key;
	qsort(names, n, sizeof *names, compare_names);
	for (size_t i = 0; i < n; i++)
		fill_gpu(i ? add_line(lines) : &lines->cells[lines->count - 1],
		         json_object_get(gpus, names[i]));
	for (size_t c = FIRST_GPU; n == 0 && c < COLUMNS; c++)
		lines->cells[lines->count - 1][c] = xstrdup("N/A");
}

static void add_job(struct lines *lines, const struct stats_row *row)
{
	char *(*line)[COLUMNS] = add_line(lines);
	(*line)[0] = xstrdup(row->id);
	if (!row->sample) {
		for (size_t c = 1; c < COLUMNS; c++)
			(*line)[c] = xstrdup(strchr(headers[c], '/') || strstr(headers[c], "USAGE")
			                             ? "-- / --"
			                             : "--");
		return;
	}
	double used = number(row->sample, "memory_used_bytes");
	double total = number(row->sample, "memory_total_bytes");
	(*line)[1] = xasprintf("%.0f%%", number(row->sample, "cpu_usage_pct"));
	(*line)[2] = short_number(number(row->sample, "cpu_millicores") / 1000, 1);
	(*line)[3] = percent_of(used, total);
	(*line)[4] = pair(used, total, "B");
	(*line)[5] = pair(number(row->sample, "rx_bps"), number(row->sample, "tx_bps"), "bps");
	add_gpus(lines, json_object_get(row->sample, "gpus"));
}

static void fit(size_t widths[COLUMNS], int width)
{
	size_t limit = (size_t)width > COLUMNS * 12 ? (size_t)width : COLUMNS * 12;
	for (;;) {
		size_t sum = COLUMNS, widest = 0;
		for (size_t c = 0; c < COLUMNS; c++) {
			sum += widths[c];
			if (widths[c] > widths[widest])
				widest = c;
		}
		if (sum <= limit || widths[widest] < 8)
			return;
		size_t rest = sum - widths[widest];
		widths[widest] /= 2;
		if (rest + widths[widest] <= limit)
			widths[widest] = limit - rest;
	}
}

static void add_text_line(struct buffer *ret, const char *const cells[COLUMNS],
                          const size_t widths[COLUMNS])
{
	for (size_t c = 0; c < COLUMNS; c++) {
		const char *cell = cells[c] ? cells[c] : "";
		size_t len = table_length(cell);
		bool is_cut = len > widths[c];
		(void)buffer_add(ret, cell, is_cut ? widths[c] - 3 : strlen(cell));
		if (is_cut)
			(void)buffer_add_text(ret, "...");
		for (size_t i = is_cut ? widths[c] : len; i <= widths[c]; i++)
			(void)buffer_add_byte(ret, ' ');
	}
	(void)buffer_add_byte(ret, '\n');
}

static void add_rule(struct buffer *ret, const size_t widths[COLUMNS])
{
	for (size_t c = 0; c < COLUMNS; c++) {
		for (size_t i = 0; i < widths[c]; i++)
			(void)buffer_add_byte(ret, '-');
		(void)buffer_add_byte(ret, ' ');
	}
	(void)buffer_add_byte(ret, '\n');
}

size_t stats_table_layout(const struct stats_row *rows, size_t n_rows, bool has_header, int width,
                          struct buffer *ret)
{
	/* Without a terminal lines come one by one: the columns must not move. */
	static const size_t fixed[COLUMNS] = {24, 5, 7, 6, 17, 23, 10, 9, 17};
	struct lines lines = {0};
	size_t widths[COLUMNS];
	for (size_t i = 0; i < n_rows; i++)
		add_job(&lines, &rows[i]);
	for (size_t c = 0; c < COLUMNS; c++) {
		widths[c] = width ? strlen(headers[c]) : fixed[c];
		for (size_t i = 0; i < lines.count; i++) {
			size_t len = lines.cells[i][c] ? table_length(lines.cells[i][c]) : 0;
			if (len > widths[c])
				widths[c] = len;
		}
	}
	if (width)
		fit(widths, width);
	if (has_header) {
		add_text_line(ret, headers, widths);
		add_rule(ret, widths);
	}
	for (size_t i = 0; i < lines.count; i++) {
		add_text_line(ret, (const char *const *)lines.cells[i], widths);
		for (size_t c = 0; c < COLUMNS; c++)
			free(lines.cells[i][c]);
	}
	free(lines.cells);
	return lines.count + (has_header ? 2 : 0);
}
