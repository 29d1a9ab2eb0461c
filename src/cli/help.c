/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what the command table says about itself, folded to the width of a page. */
#include "cli/help.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdarg.h>
#include <string.h>

#define PAGE_WIDTH 80
#define TEXT_COLUMN 28

/* Words folded at PAGE_WIDTH; the cursor stands at `column`, next lines start at `indent`. Line
 * ends in the text are kept. */
static void print_folded(FILE *to, const char *text, size_t column, size_t indent)
{
	bool is_start = true;
	while (*text) {
		if (*text == '\n') {
			fprintf(to, "\n%*s", text[1] && text[1] != '\n' ? (int)indent : 0, "");
			column = indent;
			is_start = true;
			text++;
			continue;
		}
		size_t len = strcspn(text, " \n");
		if (!is_start && column + 1 + len > PAGE_WIDTH) {
			fprintf(to, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!is_start) {
			fputc(' ', to);
			column++;
		}
		(void)fwrite(text, 1, len, to);
		column += len;
		is_start = false;
		text += len;
		while (*text == ' ')
			text++;
	}
	fputc('\n', to);
}

static void print_entry(FILE *to, const char *left, const char *text)
{
	int n = fprintf(to, "  %s", left);
	if (n > TEXT_COLUMN - 2)
		n = fprintf(to, "\n%*s", TEXT_COLUMN, "") - 1;
	else
		n += fprintf(to, "%*s", TEXT_COLUMN - n, "");
	print_folded(to, text, (size_t)n, TEXT_COLUMN);
}

static void print_option(FILE *to, const struct option_row *row)
{
	char letter[5] = "";
	if (row->letter)
		snprintf(letter, sizeof letter, "-%c, ", row->letter);
	autofree char *left = xasprintf("%s--%s%s%s", letter, row->name, row->value ? " " : "",
	                                row->value ? row->value : "");
	print_entry(to, left, row->help);
}

static void print_usage(FILE *to, const struct command *command)
{
	fprintf(to, "Usage: hearth %s [OPTIONS]%s%s\n", command->name,
	        *command->arguments ? " " : "", command->arguments);
}

void help_command(FILE *to, const struct command *command)
{
	print_usage(to, command);
	fprintf(to, "\n  %s\n", command->summary);
	if (command->text) {
		fputs("\n  ", to);
		print_folded(to, command->text, 2, 2);
	}
	if (command->aliases)
		fprintf(to, "\n  Also: hearth %s\n", command->aliases);
	fputs("\nOptions:\n", to);
	for (const struct option_row *row = command->options; row->name; row++)
		print_option(to, row);
}

void help_each_group(void (*fn)(void *arg, const char *group), void *arg)
{
	for (const struct command *c = commands; c->name; c++) {
		bool is_first = true;
		for (const struct command *before = commands; before < c; before++)
			if (strcmp(before->group, c->group) == 0)
				is_first = false;
		if (is_first)
			fn(arg, c->group);
	}
}

struct overview {
	FILE *to;
	const char *prefix;
};

static bool has_prefix(const struct command *command, const char *prefix)
{
	size_t n = strlen(prefix);
	return n == 0 || (strncmp(command->name, prefix, n) == 0 && command->name[n] == ' ');
}

static void print_group(void *arg, const char *group)
{
	struct overview *o = arg;
	bool is_first = true;
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->group, group) != 0 || !has_prefix(c, o->prefix))
			continue;
		if (is_first)
			fprintf(o->to, "\n%s:\n", group);
		is_first = false;
		print_entry(o->to, c->name, c->summary);
	}
}

void help_overview(FILE *to, const char *prefix)
{
	struct overview o = {to, prefix};
	fprintf(to, "Usage: hearth %s%sCOMMAND [OPTIONS] [ARGUMENTS]...\n", prefix,
	        *prefix ? " " : "");
	if (!*prefix)
		fputs("\n  Hugging Face Jobs on your own machines. Every job command may also be\n"
		      "  written as with hf: hearth jobs run, hearth jobs ps, …\n",
		      to);
	help_each_group(print_group, &o);
	fprintf(to, "\nUse `hearth %s%sCOMMAND --help` for more about one of them.\n", prefix,
	        *prefix ? " " : "");
	if (!*prefix)
		fputs("\nEnvironment:\n"
		      "  HF_ENDPOINT               The server; http://127.0.0.1:7440 if unset\n"
		      "  HF_TOKEN                  The token; else the file that `hearth login` "
		      "and\n"
		      "                            `hf auth login` write\n"
		      "  HF_HOME, HF_TOKEN_PATH    Where that file is\n"
		      "  HEARTH_SOCKET             The server's own socket, for `hearth admin`\n"
		      "  NO_COLOR                  No colours, if set\n",
		      to);
}

int help_usage_error(const struct command *command, const char *fmt, ...)
{
	print_usage(stderr, command);
	fprintf(stderr, "Try 'hearth %s --help' for help.\n\nError: ", command->name);
	va_list ap;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\n", stderr);
	return COMMAND_USAGE_ERROR;
}
