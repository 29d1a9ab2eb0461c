/* SPDX-License-Identifier: Apache-2.0 */
/* The question is for people; a program that wants the other modes has to say --yes. */
#include "cli/confirm.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool read_yes(void)
{
	char line[64];
	if (!fgets(line, sizeof line, stdin))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}

bool confirm(const struct invocation *in, const char *fmt, ...)
{
	autofree char *question = NULL;
	va_list ap;
	if (options_flag(&in->options, "yes"))
		return true;
	va_start(ap, fmt);
	int len = vasprintf(&question, fmt, ap);
	va_end(ap);
	if (len < 0)
		BUG("out of memory");
	if (in->out.mode != OUTPUT_HUMAN) {
		(void)output_error("%s Use --yes to skip confirmation.", question);
		return false;
	}
	printf("%s [y/N]: ", question);
	(void)fflush(stdout);
	if (read_yes())
		return true;
	fputs("Aborted!\n", stderr);
	return false;
}
