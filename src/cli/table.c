/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables: cells from JSON values, widths in characters, the widest column gives way when the
 * terminal is too narrow. The form is that of `hf`, so that scripts and eyes find the same columns.
 */
#include "cli/table.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

struct layout {
	char **cells; /* (n_rows + 1) × n_columns, the headers first */
	size_t n_rows, n_columns;
	size_t *widths;
	bool *is_right;
};

size_t table_length(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool is_invisible(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202f) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xd800 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xfffb);
}

char *table_escape(const char *text)
{
	struct buffer out = BUFFER_INIT(TABLE_TEXT_MAX);
	while (*text) {
		size_t len;
		uint32_t c;
		if (!utf8_decode(text, strnlen(text, 4), &len, &c))
			c = 0xfffd;
		if (!is_invisible(c))
			(void)buffer_add(&out, text, len);
		else if (c == '\n' || c == '\r' || c == '\t')
			(void)buffer_add_text(&out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
		else
			(void)buffer_printf(&out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
		text += len;
	}
	return buffer_take(&out);
}

char *table_single_line(const char *text)
{
	autofree char *joined = xmalloc(strlen(text) + 1);
	size_t n = 0;
	for (const char *p = text; *p; p++) {
		if (!isspace((unsigned char)*p))
			joined[n++] = *p;
		else if (n && joined[n - 1] != ' ')
			joined[n++] = ' ';
	}
	while (n && joined[n - 1] == ' ')
		n--;
	joined[n] = '\0';
	return table_escape(joined);
}

static bool is_timestamp(const char *text)
{
	static const char form[] = "dddd-dd-ddT";
	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
			return false;
	return true;
}

static char *list_cell(const json_t *list, bool is_utf8)
{
	struct buffer out = BUFFER_INIT(TABLE_TEXT_MAX);
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		autofree char *cell = table_cell(item, is_utf8);
		(void)buffer_printf(&out, "%s%s", i ? ", " : "", cell);
	}
	return buffer_take(&out);
}

char *table_cell(const json_t *value, bool is_utf8)
{
	if (!value || json_is_null(value) || json_is_false(value))
		return xstrdup("");
	if (json_is_true(value))
		return xstrdup(is_utf8 ? "✔" : "yes");
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		return is_timestamp(text) ? xstrndup(text, 10) : table_single_line(text);
	}
	if (json_is_array(value))
		return list_cell(value, is_utf8);
	const json_t *name = json_object_get(value, "name");
	if (json_is_string(name))
		return table_single_line(json_string_value(name));
	autofree char *text = json_dumps(name ? name : value, JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
	                                                              JSON_REAL_PRECISION(15));
	return table_single_line(text ? text : "");
}

static char *header_of(const char *column)
{
	char *header = xmalloc(strlen(column) * 2 + 1);
	size_t n = 0;
	for (const char *p = column; *p; p++) {
		if (p > column && islower((unsigned char)p[-1]) && isupper((unsigned char)*p))
			header[n++] = '_';
		header[n++] = (char)toupper((unsigned char)*p);
	}
	header[n] = '\0';
	return header;
}

static bool is_number_column(const json_t *rows, const char *column)
{
	size_t i;
	json_t *row;
	json_array_foreach(rows, i, row)
	{
		const json_t *value = json_object_get(row, column);
		if (value && !json_is_null(value) && !json_is_number(value))
			return false;
	}
	return true;
}

static char **cell_at(const struct layout *t, size_t row, size_t column)
{
	return &t->cells[row * t->n_columns + column];
}

static void fill(struct layout *t, const json_t *rows, const char *const *columns, bool is_utf8)
{
	t->cells = xcalloc((t->n_rows + 1) * t->n_columns + 1, sizeof *t->cells);
	t->widths = xcalloc(t->n_columns + 1, sizeof *t->widths);
	t->is_right = xcalloc(t->n_columns + 1, sizeof *t->is_right);
	for (size_t c = 0; c < t->n_columns; c++) {
		*cell_at(t, 0, c) = header_of(columns[c]);
		t->is_right[c] = is_number_column(rows, columns[c]);
		for (size_t r = 0; r < t->n_rows; r++)
			*cell_at(t, r + 1, c) = table_cell(
			        json_object_get(json_array_get(rows, r), columns[c]), is_utf8);
		for (size_t r = 0; r <= t->n_rows; r++) {
			size_t len = table_length(*cell_at(t, r, c));
			if (len > t->widths[c])
				t->widths[c] = len;
		}
	}
}

/* Cut to `width` characters, the last three of them dots. */
static void cut_cell(char *cell, size_t width)
{
	size_t n = 0;
	char *p = cell;
	for (; *p; p++) {
		if (((unsigned char)*p & 0xc0) != 0x80 && n++ == width - 3)
			break;
	}
	memcpy(p, "...", 4);
}

static void shrink(struct layout *t, int width, bool *ret_cut)
{
	long budget = width - (t->n_columns ? (long)t->n_columns - 1 : 0);
	long sum = 0;
	for (size_t c = 0; c < t->n_columns; c++)
		sum += (long)t->widths[c];
	for (; sum > budget; sum--) {
		size_t widest = t->n_columns;
		for (size_t c = 0; c < t->n_columns; c++) {
			size_t least = table_length(*cell_at(t, 0, c));
			if (t->widths[c] > (least > 4 ? least : 4) &&
			    (widest == t->n_columns || t->widths[c] > t->widths[widest]))
				widest = c;
		}
		if (widest == t->n_columns)
			break;
		t->widths[widest]--;
	}
	for (size_t r = 1; r <= t->n_rows; r++)
		for (size_t c = 0; c < t->n_columns; c++)
			if (table_length(*cell_at(t, r, c)) > t->widths[c]) {
				cut_cell(*cell_at(t, r, c), t->widths[c]);
				*ret_cut = true;
			}
}

static void add_padding(struct buffer *ret, char c, size_t count)
{
	while (count--)
		(void)buffer_add_byte(ret, c);
}

static void add_row(const struct layout *t, size_t row, struct buffer *ret)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		const char *cell = *cell_at(t, row, c);
		size_t len = table_length(cell);
		size_t gap = len < t->widths[c] ? t->widths[c] - len : 0;
		if (c)
			(void)buffer_add_byte(ret, ' ');
		if (t->is_right[c])
			add_padding(ret, ' ', gap);
		(void)buffer_add_text(ret, cell);
		if (!t->is_right[c])
			add_padding(ret, ' ', gap);
	}
	(void)buffer_add_byte(ret, '\n');
}

void table_layout(const json_t *rows, const char *const *columns, size_t n_columns, int width,
                  bool is_utf8, struct buffer *ret, bool *ret_cut)
{
	struct layout t = {.n_rows = json_array_size(rows), .n_columns = n_columns};
	*ret_cut = false;
	fill(&t, rows, columns, is_utf8);
	if (width > 0)
		shrink(&t, width, ret_cut);
	add_row(&t, 0, ret);
	for (size_t c = 0; c < n_columns; c++) {
		if (c)
			(void)buffer_add_byte(ret, ' ');
		add_padding(ret, '-', t.widths[c]);
	}
	(void)buffer_add_byte(ret, '\n');
	for (size_t r = 1; r <= t.n_rows; r++)
		add_row(&t, r, ret);
	for (size_t i = 0; i < (t.n_rows + 1) * n_columns; i++)
		free(t.cells[i]);
	free(t.cells);
	free(t.widths);
	free(t.is_right);
}
