/* SPDX-License-Identifier: Apache-2.0 */
/* hearth manual: the page hearth.1 as troff, made from the command table. */
#include "cli/commands.h"

#include "cli/help.h"

#include <stdio.h>
#include <string.h>

/* Text with what troff would take for markup escaped. */
static void print_escaped(const char *text)
{
	bool at_start = true;
	for (; *text; text++) {
		if (at_start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if ((unsigned char)text[0] == 0xe2 && strncmp(text, "…", 3) == 0) {
			fputs("...", stdout);
			text += 2;
		} else
			putchar(*text);
		at_start = *text == '\n';
	}
}

static void print_option(const struct option_row *row)
{
	puts(".TP");
	if (row->letter)
		printf("\\fB\\-%c\\fR, ", row->letter);
	fputs("\\fB\\-\\-", stdout);
	print_escaped(row->name);
	fputs("\\fR", stdout);
	if (row->value)
		printf(" \\fI%s\\fR", row->value);
	putchar('\n');
	print_escaped(row->help);
	putchar('\n');
}

static bool is_common(const struct option_row *row)
{
	static const char *const names[] = {"help",        "format",    "json", "quiet",
	                                    "no-truncate", "namespace", "token"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(row->name, names[i]) == 0)
			return true;
	return false;
}

static void print_command(const struct command *c)
{
	printf(".SS \"hearth %s [OPTIONS] %s\"\n", c->name, c->arguments);
	print_escaped(c->summary);
	puts(".");
	if (c->aliases) {
		fputs("Also: hearth ", stdout);
		print_escaped(c->aliases);
		puts(".");
	}
	if (c->text) {
		puts(".PP");
		print_escaped(c->text);
		putchar('\n');
	}
	for (const struct option_row *row = c->options; row->name; row++)
		if (!is_common(row))
			print_option(row);
}

static void print_group(void *arg, const char *group)
{
	fputs(".SH ", stdout);
	printf("\"%s\"\n", group);
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->group, group) == 0)
			print_command(c);
}

static void print_common(void)
{
	puts(".SH \"OPTIONS OF MOST COMMANDS\"");
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, "inspect") == 0)
			for (const struct option_row *row = c->options; row->name; row++)
				print_option(row);
}

int manual_command(struct invocation *in)
{
	puts(".TH HEARTH 1 \"\" \"hearth " HEARTH_VERSION "\" \"Hearth\"\n"
	     ".SH NAME\nhearth \\- Hugging Face Jobs on your own machines\n"
	     ".SH SYNOPSIS\n.B hearth\n[\\fBjobs\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR] "
	     "[\\fIARGUMENTS\\fR]...\n"
	     ".SH DESCRIPTION\n"
	     "Runs and watches jobs on a Hearth server, or on any other Hub that speaks the Jobs "
	     "API.\nThe grammar is that of \\fBhf jobs\\fR: options may stand anywhere, and the "
	     "word \\fBjobs\\fR in front is optional.");
	help_each_group(print_group, NULL);
	print_common();
	puts(".SH ENVIRONMENT\n"
	     ".TP\n.B HF_ENDPOINT\nThe server; http://127.0.0.1:7440 if unset.\n"
	     ".TP\n.B HF_TOKEN\nThe token; else the file that \\fBhearth login\\fR and \\fBhf auth "
	     "login\\fR write.\n"
	     ".TP\n.BR HF_HOME \", \" HF_TOKEN_PATH\nWhere that file is; "
	     "~/.cache/huggingface/token if unset.\n"
	     ".TP\n.B HEARTH_SOCKET\nThe server's own socket, for \\fBhearth admin\\fR; "
	     "/var/lib/hearth/hearth.sock if unset.\n"
	     ".TP\n.B SSL_CERT_FILE\nCertificates to trust for https:// servers.\n"
	     ".TP\n.B NO_COLOR\nNo colours, if set.\n"
	     ".TP\n.B COLUMNS\nWidth of tables.\n"
	     ".SH \"EXIT STATUS\"\n"
	     ".TP\n.B 0\nDone; help was shown.\n"
	     ".TP\n.B 1\nAn error, a job that did not complete, or interrupted.\n"
	     ".TP\n.B 2\nThe command line is wrong.\n"
	     ".TP\n.B other\n\\fBhearth run\\fR and \\fBhearth uv run\\fR exit with the exit code "
	     "of "
	     "the job's command.\n"
	     ".SH \"SEE ALSO\"\n.BR hearthd (8),\n.BR hearth.conf (5)");
	return 0;
}
