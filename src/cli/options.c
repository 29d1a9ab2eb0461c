/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the words behind a command into options and arguments. The rules are those of the program
 * that people know (see options.h), down to what happens with unknown letters in a joined group.
 */
#include "cli/options.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parse {
	const struct option_row *table;
	bool passes_unknown;
	int argc;
	char **argv;
	int next;
	struct options *out;
	struct error *err;
};

static const struct option_row *row_by_name(const struct option_row *table, const char *name,
                                            size_t len)
{
	for (const struct option_row *row = table; row->name; row++)
		if (strlen(row->name) == len && memcmp(row->name, name, len) == 0)
			return row;
	return NULL;
}

static const struct option_row *row_by_letter(const struct option_row *table, char letter)
{
	for (const struct option_row *row = table; row->name; row++)
		if (row->letter == letter)
			return row;
	return NULL;
}

static bool row_applies(const struct parse *p, const struct option_row *row)
{
	return row && !(row->only_first && p->out->n_arguments > 0);
}

bool options_parse_integer(const char *text, int64_t *ret)
{
	if (*text == '\0' || strspn(text, "+-0123456789") != strlen(text))
		return false;
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*ret = value;
	return true;
}

static void add_argument(struct parse *p, char *word)
{
	p->out->arguments[p->out->n_arguments++] = word;
	p->out->arguments[p->out->n_arguments] = NULL;
}

static int add_value(struct parse *p, const struct option_row *row, const char *text)
{
	int64_t unused;
	if (row->kind == OPTION_INTEGER && text && !options_parse_integer(text, &unused))
		return fail(p->err, E_INVALID,
		            "Invalid value for '--%s': '%s' is not a valid integer", row->name,
		            text);
	p->out->values[p->out->n_values++] = (struct option_value){.row = row, .text = text};
	return 0;
}

static int take_value(struct parse *p, const struct option_row *row, const char *shown)
{
	if (p->next >= p->argc)
		return fail(p->err, E_INVALID, "Option '%s' requires an argument", shown);
	return add_value(p, row, p->argv[p->next++]);
}

static int parse_long(struct parse *p, char *word)
{
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *row = row_by_name(p->table, name, len);
	if (!row_applies(p, row)) {
		if (!p->passes_unknown)
			return fail(p->err, E_INVALID, "No such option: --%.*s", (int)len, name);
		add_argument(p, word);
		return 0;
	}
	if (row->kind == OPTION_FLAG) {
		if (equals)
			return fail(p->err, E_INVALID, "Option '--%s' does not take a value",
			            row->name);
		return add_value(p, row, NULL);
	}
	if (equals)
		return add_value(p, row, equals + 1);
	autofree char *shown = xasprintf("--%s", row->name);
	return take_value(p, row, shown);
}

/* Unknown letters of a group that is passed on stay together as one word. */
static void pass_letters(struct parse *p, const char *letters)
{
	char *word = xasprintf("-%s", letters);
	p->out->made[p->out->n_made++] = word;
	add_argument(p, word);
}

static int parse_letters(struct parse *p, char *word)
{
	autofree char *unknown = xcalloc(strlen(word) + 1, 1);
	size_t n_unknown = 0;
	for (const char *c = word + 1; *c; c++) {
		const struct option_row *row = row_by_letter(p->table, *c);
		if (!row_applies(p, row)) {
			if (!p->passes_unknown)
				return fail(p->err, E_INVALID, "No such option: -%c", *c);
			unknown[n_unknown++] = *c;
			continue;
		}
		if (row->kind == OPTION_FLAG) {
			if (add_value(p, row, NULL) < 0)
				return -1;
			continue;
		}
		char shown[3] = {'-', *c, '\0'};
		if (c[1] ? add_value(p, row, c + 1) < 0 : take_value(p, row, shown) < 0)
			return -1;
		break;
	}
	if (n_unknown)
		pass_letters(p, unknown);
	return 0;
}

int options_parse(const struct option_row *table, bool passes_unknown, int argc, char **argv,
                  struct options *ret, struct error *err)
{
	size_t letters = 1;
	for (int i = 0; i < argc; i++)
		letters += strlen(argv[i]) + 1;
	*ret = (struct options){.table = table};
	ret->values = xcalloc(letters, sizeof *ret->values);
	ret->arguments = xcalloc((size_t)argc + 1, sizeof *ret->arguments);
	ret->made = xcalloc((size_t)argc + 1, sizeof *ret->made);

	struct parse p = {table, passes_unknown, argc, argv, 0, ret, err};
	while (p.next < argc) {
		char *word = argv[p.next++];
		if (strcmp(word, "--") == 0) {
			while (p.next < argc)
				add_argument(&p, argv[p.next++]);
			break;
		}
		int rc = 0;
		if (word[0] == '-' && word[1] == '-')
			rc = parse_long(&p, word);
		else if (word[0] == '-' && word[1])
			rc = parse_letters(&p, word);
		else
			add_argument(&p, word);
		if (rc < 0) {
			options_clear(ret);
			return -1;
		}
	}
	return 0;
}

void options_clear(struct options *options)
{
	for (size_t i = 0; i < options->n_made; i++)
		free(options->made[i]);
	free(options->made);
	free(options->values);
	free(options->arguments);
	*options = (struct options){0};
}

static const struct option_row *row_named(const struct options *options, const char *name)
{
	const struct option_row *row = row_by_name(options->table, name, strlen(name));
	if (!row)
		BUG("no option --%s in this command's table", name);
	return row;
}

const char *options_each(const struct options *options, const char *name, size_t index)
{
	const struct option_row *row = row_named(options, name);
	for (size_t i = 0; i < options->n_values; i++)
		if (options->values[i].row == row && index-- == 0)
			return options->values[i].text;
	return NULL;
}

size_t options_count(const struct options *options, const char *name)
{
	const struct option_row *row = row_named(options, name);
	size_t count = 0;
	for (size_t i = 0; i < options->n_values; i++)
		count += options->values[i].row == row;
	return count;
}

bool options_flag(const struct options *options, const char *name)
{
	return options_count(options, name) > 0;
}

const char *options_text(const struct options *options, const char *name)
{
	size_t count = options_count(options, name);
	return count ? options_each(options, name, count - 1) : NULL;
}

int64_t options_integer(const struct options *options, const char *name, int64_t fallback)
{
	const char *text = options_text(options, name);
	int64_t value = fallback;
	if (text && !options_parse_integer(text, &value))
		BUG("--%s was not checked", name);
	return value;
}
