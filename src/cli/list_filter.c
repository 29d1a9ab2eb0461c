/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of lists. See the header. */
#include "cli/list_filter.h"

#include <ctype.h>
#include <string.h>

char *list_filter_word(char **rest)
{
	char *word;

	while ((word = strsep(rest, ","))) {
		while (isspace((unsigned char)*word))
			word++;
		size_t len = strlen(word);
		while (len && isspace((unsigned char)word[len - 1]))
			word[--len] = '\0';
		if (*word)
			return word;
	}
	return NULL;
}

int list_filter_check_label(const char *text, const char *name, struct error *err)
{
	if (!strchr(text, '='))
		return fail(err, E_INVALID,
		            "Invalid label filter '%s': must be in the form 'key=value'", text);
	if (name && strncmp(text, "name=", 5) == 0)
		return fail(err, E_INVALID,
		            "Cannot filter by both `--name` and `--label name=...`.");
	return 0;
}
