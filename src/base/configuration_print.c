/* SPDX-License-Identifier: Apache-2.0 */
/* Settings as text: the effective INI, which can be read again, and the manual. */
#include "base/configuration_table.h"

#include <ctype.h>
#include <string.h>

static int print_scaled(struct buffer *ret, int64_t value, int64_t step, const char *const *names)
{
	size_t i = 0;
	while (value != 0 && names[i + 1] && value % step == 0) {
		value /= step;
		i++;
	}
	return buffer_printf(ret, "%lld%s", (long long)value, names[i]);
}

static int print_seconds(struct buffer *ret, int64_t value)
{
	static const struct {
		int64_t factor;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}};
	for (size_t i = 0; i < 3; i++)
		if (value > 0 && value % units[i].factor == 0)
			return buffer_printf(ret, "%lld%s", (long long)(value / units[i].factor),
			                     units[i].name);
	return buffer_printf(ret, "%llds", (long long)value);
}

/* A long comma-separated text goes on in indented lines (configuration_file.c). */
static int print_text(struct buffer *ret, const char *text)
{
	while (strlen(text) > CONFIGURATION_LINE_MAX) {
		size_t cut = CONFIGURATION_LINE_MAX;
		while (cut > 0 && text[cut - 1] != ',')
			cut--;
		if (cut == 0)
			break;
		if (buffer_printf(ret, "%.*s\n    ", (int)cut, text) < 0)
			return -1;
		text += cut;
	}
	return buffer_add_text(ret, text);
}

static int print_list(struct buffer *ret, char *const *list)
{
	autobuffer struct buffer text = BUFFER_INIT(64 * 1024);
	for (; list && *list; list++)
		if (buffer_printf(&text, "%s%s", text.len ? "," : "", *list) < 0)
			return -1;
	return print_text(ret, buffer_text(&text));
}

static int print_value(struct buffer *ret, const struct setting *s, const void *object)
{
	static const char *const sizes[] = {"", "K", "M", "G", "T", NULL};
	const void *place = (const char *)object + s->offset;
	int64_t number;
	switch (s->type) {
	case SETTING_TEXT:
		return print_text(ret, *(char *const *)place ? *(char *const *)place : "");
	case SETTING_LIST:
		return print_list(ret, *(char **const *)place);
	case SETTING_BOOLEAN:
		return buffer_add_text(ret, *(const bool *)place ? "yes" : "no");
	default:
		break;
	}
	number = *(const int64_t *)place;
	if (number == 0 && s->has_auto)
		return buffer_add_text(ret, "auto");
	if (s->type == SETTING_SECONDS)
		return print_seconds(ret, number);
	if (s->type == SETTING_BYTES)
		return print_scaled(ret, number, 1024, sizes);
	if (s->type == SETTING_MILLIS)
		return buffer_printf(ret, number % 1000 ? "%.3f" : "%.0f", (double)number / 1000);
	if (s->type == SETTING_PRICE)
		return buffer_printf(ret, "%lld.%06lld", (long long)number / 1000000,
		                     (long long)number % 1000000);
	return buffer_printf(ret, "%lld", (long long)number);
}

static int print_row(struct buffer *ret, const struct configuration *c, const struct setting *s,
                     const char *section, const void *object, bool with_origins)
{
	if (with_origins &&
	    buffer_printf(ret, "# %s\n", configuration_origin_of(c, section, s->key)) < 0)
		return -1;
	autobuffer struct buffer value = BUFFER_INIT(64 * 1024);
	if (print_value(&value, s, object) < 0)
		return -1;
	return buffer_printf(ret, "%s =%s%s\n", s->key, value.len ? " " : "", buffer_text(&value));
}

static int print_named(struct buffer *ret, const struct configuration *c, const char *base,
                       const char *name, const void *object, bool with_origins)
{
	autobuffer struct buffer section = BUFFER_INIT(256);
	if (buffer_printf(&section, "%s %s", base, name) < 0 ||
	    buffer_printf(ret, "\n[%s]\n", buffer_text(&section)) < 0)
		return -1;
	for (const struct setting *s = configuration_table; s->section; s++)
		if (!strcmp(s->section, base) &&
		    print_row(ret, c, s, buffer_text(&section), object, with_origins) < 0)
			return -1;
	return 0;
}

int configuration_print(const struct configuration *c, bool with_origins, struct buffer *ret)
{
	const char *last = "";
	for (const struct setting *s = configuration_table; s->section; s++) {
		if (setting_is_named(s))
			continue;
		if (strcmp(s->section, last) != 0 &&
		    buffer_printf(ret, "%s[%s]\n", *last ? "\n" : "", s->section) < 0)
			return -1;
		last = s->section;
		if (print_row(ret, c, s, s->section, c, with_origins) < 0)
			return -1;
	}
	for (size_t i = 0; i < c->n_flavors; i++)
		if (print_named(ret, c, "flavor", c->flavors[i].name, &c->flavors[i],
		                with_origins) < 0)
			return -1;
	for (size_t i = 0; i < c->n_registries; i++)
		if (print_named(ret, c, "registry", c->registries[i].host, &c->registries[i],
		                with_origins) < 0)
			return -1;
	return 0;
}

static int print_troff(struct buffer *ret, const char *text)
{
	if ((*text == '.' || *text == '\'') && buffer_add_text(ret, "\\&") < 0)
		return -1;
	for (; *text; text++) {
		int rc = *text == '\\'  ? buffer_add_text(ret, "\\e")
		         : *text == '-' ? buffer_add_text(ret, "\\-")
		                        : buffer_add_byte(ret, *text);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int print_manual_row(struct buffer *ret, const struct setting *s)
{
	if (buffer_printf(ret, ".TP\n\\fB%s\\fR", s->key) < 0)
		return -1;
	if (s->fallback && (buffer_add_text(ret, " (default ") < 0 ||
	                    print_troff(ret, s->fallback) < 0 || buffer_add_byte(ret, ')') < 0))
		return -1;
	if (buffer_add_byte(ret, '\n') < 0 || print_troff(ret, s->help) < 0)
		return -1;
	if (s->choices && buffer_printf(ret, "\nOne of: %s.", s->choices) < 0)
		return -1;
	return buffer_add_byte(ret, '\n');
}

int configuration_manual(struct buffer *ret)
{
	const char *last = "";
	for (const struct setting *s = configuration_table; s->section; s++) {
		const char *name = !setting_is_named(s)            ? ""
		                   : !strcmp(s->section, "flavor") ? " NAME"
		                                                   : " HOST";
		if (strcmp(s->section, last) != 0 &&
		    buffer_printf(ret, ".SS [%s%s]\n", s->section, name) < 0)
			return -1;
		last = s->section;
		if (print_manual_row(ret, s) < 0)
			return -1;
	}
	return 0;
}
