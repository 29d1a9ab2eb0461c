/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts, made from the command table. */
#ifndef HEARTH_CLI_HELP_H
#define HEARTH_CLI_HELP_H

#include "base/error.h"
#include "cli/command.h"

#include <stdio.h>

void help_command(FILE *to, const struct command *command);
/* All commands, or those whose names begin with `prefix` ("image"); "" is all. */
void help_overview(FILE *to, const char *prefix);
/* Usage line, pointer to the help, and what was wrong, on stderr. Returns the exit status 2. */
int help_usage_error(const struct command *command, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

/* Visit the groups in the order of their first command. */
void help_each_group(void (*fn)(void *arg, const char *group), void *arg);

#endif
