/* SPDX-License-Identifier: Apache-2.0 */
/* hearth: the command line of Hearth. Finds the command and runs it; see commands.c. */
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static char output_buffer[65536];

static int unknown(int argc, char **argv, int words)
{
	char group[128] = "";
	for (int i = 0; i < words; i++) {
		if (i == 0 && strcmp(argv[0], "jobs") == 0)
			continue;
		size_t n = strlen(group);
		snprintf(group + n, sizeof group - n, "%s%s", n ? " " : "", argv[i]);
	}
	if (words == argc) {
		help_overview(stderr, group);
		return COMMAND_USAGE_ERROR;
	}
	if (strcmp(argv[words], "--help") == 0 || strcmp(argv[words], "-h") == 0 ||
	    (words == 0 && strcmp(argv[words], "help") == 0)) {
		help_overview(stdout, group);
		return 0;
	}
	if (words == 0 && strcmp(argv[0], "--version") == 0) {
		puts("hearth " HEARTH_VERSION);
		return 0;
	}
	fprintf(stderr, "Usage: hearth %s%sCOMMAND [OPTIONS] [ARGUMENTS]...\n", group,
	        *group ? " " : "");
	fprintf(stderr, "Try 'hearth %s%s--help' for help.\n\n", group, *group ? " " : "");
	fprintf(stderr, "Error: No such %s '%s'.\n", argv[words][0] == '-' ? "option" : "command",
	        argv[words]);
	return COMMAND_USAGE_ERROR;
}

int main(int argc, char **argv)
{
	(void)setvbuf(stdout, output_buffer, _IOFBF, sizeof output_buffer);
	int words;
	const struct command *command = command_find(argc - 1, argv + 1, &words);
	int status = command ? command_run(command, argc - 1 - words, argv + 1 + words)
	                     : unknown(argc - 1, argv + 1, words);
	return output_finish(status);
}
