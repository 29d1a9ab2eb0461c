/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command is. commands.c holds the one table; help, completion and the manual are generated
 * from it, so a command cannot exist without being documented.
 */
#ifndef HEARTH_CLI_COMMAND_H
#define HEARTH_CLI_COMMAND_H

#include "cli/options.h"
#include "cli/output.h"

#include <stdbool.h>

#define COMMAND_USAGE_ERROR 2

struct invocation {
	const struct command *command;
	struct options options;
	struct output out;
};

struct command {
	const char *name;      /* "image pull" */
	const char *aliases;   /* other full names, separated by commas; NULL: none */
	const char *group;     /* heading under which help and manual list it */
	const char *arguments; /* "IMAGE COMMAND..."; "" if none */
	int min_arguments;
	int max_arguments;   /* -1: any number */
	bool passes_unknown; /* unknown options are arguments */
	const struct option_row *options;
	int (*run)(struct invocation *in); /* the exit status */
	const char *summary;               /* one line */
	const char *text;                  /* more, for --help and the manual; NULL: none */
};

extern const struct command commands[]; /* ends with a row without name */

/* The command that the words begin with; *ret_words: how many words its name took. The word "jobs"
 * in front is allowed, as in `hf jobs run`. NULL: none; then *ret_words words are a known group. */
const struct command *command_find(int argc, char **argv, int *ret_words);

/* Parse options, check arguments and modes, run. `argv` is behind the command's name. */
int command_run(const struct command *command, int argc, char **argv);

#endif
