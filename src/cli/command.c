/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a command in the table and runs it with parsed options. */
#include "cli/command.h"

#include "base/cleanup.h"
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

/* How many of the words `name` ("image pull") takes; 0: the words do not begin with it. */
static int match_name(const char *name, size_t len, int argc, char **argv)
{
	int words = 0;
	const char *end = name + len;
	while (name < end) {
		const char *blank = memchr(name, ' ', (size_t)(end - name));
		size_t n = (size_t)((blank ? blank : end) - name);
		if (words >= argc || strlen(argv[words]) != n || memcmp(argv[words], name, n) != 0)
			return 0;
		words++;
		name += n + (blank ? 1 : 0);
	}
	return words;
}

static int match_command(const struct command *c, int argc, char **argv)
{
	int words = match_name(c->name, strlen(c->name), argc, argv);
	for (const char *alias = c->aliases; alias && !words;) {
		size_t n = strcspn(alias, ",");
		words = match_name(alias, n, argc, argv);
		alias = alias[n] ? alias + n + 1 + strspn(alias + n + 1, " ") : NULL;
	}
	return words;
}

/* How many words are the beginning of some command's name. */
static int match_group(int argc, char **argv)
{
	int longest = 0;
	for (const struct command *c = commands; c->name; c++)
		for (const char *p = strchr(c->name, ' '); p; p = strchr(p + 1, ' ')) {
			int n = match_name(c->name, (size_t)(p - c->name), argc, argv);
			if (n > longest)
				longest = n;
		}
	return longest;
}

const struct command *command_find(int argc, char **argv, int *ret_words)
{
	int skipped = argc > 0 && strcmp(argv[0], "jobs") == 0 ? 1 : 0;
	const struct command *best = NULL;
	int longest = 0;
	for (const struct command *c = commands; c->name; c++) {
		int n = match_command(c, argc - skipped, argv + skipped);
		if (n > longest) {
			longest = n;
			best = c;
		}
	}
	*ret_words = skipped + (best ? longest : match_group(argc - skipped, argv + skipped));
	return best;
}

static bool has_option(const struct command *command, const char *name)
{
	for (const struct option_row *row = command->options; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return true;
	return false;
}

/* --format, --json and -q say the same thing: only one of them may. */
static int choose_mode(struct invocation *in)
{
	const struct options *o = &in->options;
	if (!has_option(in->command, "format"))
		return 0;
	const char *format = options_text(o, "format");
	const char *names[3];
	size_t n = 0;
	if (format)
		names[n++] = "--format";
	if (options_flag(o, "json"))
		names[n++] = "--json";
	if (options_flag(o, "quiet"))
		names[n++] = "-q";
	if (n > 1)
		return help_usage_error(in->command, "'%s' and '%s' are mutually exclusive.",
		                        names[0], names[1]);
	if (format && !output_mode_by_name(format, &in->out.mode))
		return help_usage_error(in->command,
		                        "Invalid value for '--format': '%s' is not one of 'auto', "
		                        "'human', 'agent', 'json', 'quiet'.",
		                        format);
	if (options_flag(o, "json"))
		in->out.mode = OUTPUT_JSON;
	if (options_flag(o, "quiet"))
		in->out.mode = OUTPUT_QUIET;
	in->out.no_truncate =
	        has_option(in->command, "no-truncate") && options_flag(o, "no-truncate");
	return 0;
}

/* The name of the argument by its place: "COMMAND..." for all from the last on. */
static int check_arguments(const struct invocation *in)
{
	const struct command *c = in->command;
	int n = (int)in->options.n_arguments;
	if (n < c->min_arguments) {
		const char *name = c->arguments;
		for (int i = 0; i < n && strchr(name, ' '); i++)
			name = strchr(name, ' ') + 1;
		return help_usage_error(c, "Missing argument '%.*s'.", (int)strcspn(name, " "),
		                        name);
	}
	if (c->max_arguments >= 0 && n > c->max_arguments)
		return help_usage_error(c, "Got unexpected extra argument (%s)",
		                        in->options.arguments[c->max_arguments]);
	return 0;
}

int command_run(const struct command *command, int argc, char **argv)
{
	if (argc == 0 && command->min_arguments > 0) {
		help_command(stdout, command);
		return 0;
	}
	struct invocation in = {.command = command};
	struct error err = ERROR_INIT;
	if (options_parse(command->options, command->passes_unknown, argc, argv, &in.options,
	                  &err) < 0)
		return help_usage_error(command, "%s.", err.text);
	int status;
	if (options_flag(&in.options, "help")) {
		help_command(stdout, command);
		status = 0;
	} else {
		status = check_arguments(&in);
		if (status == 0)
			status = choose_mode(&in);
		if (status == 0)
			status = command->run(&in);
	}
	options_clear(&in.options);
	return status;
}
