/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the unquoted ">=" in the script of a shell; arithmetic and tests may have one. */
#include "api/shell_warning.h"

#include "base/json.h"

#include <ctype.h>
#include <string.h>

static bool is_shell(const char *program)
{
	static const char *const shells[] = {"sh", "bash", "dash", "ash", "zsh", "ksh", NULL};
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	for (size_t i = 0; shells[i]; i++) {
		if (strcmp(name, shells[i]) == 0)
			return true;
	}
	return false;
}

/* "-c", "-lc", "-ec": the next word is a script. */
static bool is_script_option(const char *word)
{
	return word[0] == '-' && word[1] != '-' && strchr(word, 'c');
}

/* `>=` followed by a blank is a comparison in (( )) or a stray; followed by a word, it redirects.
 */
static bool has_redirection(const char *script)
{
	char quote = 0;

	for (const char *c = script; *c; c++) {
		if (quote) {
			if (*c == '\\' && quote == '"' && c[1])
				c++;
			else if (*c == quote)
				quote = 0;
		} else if (*c == '\\' && c[1]) {
			c++;
		} else if (*c == '"' || *c == '\'') {
			quote = *c;
		} else if (c[0] == '>' && c[1] == '=' &&
		           (isalnum((unsigned char)c[2]) || c[2] == '$')) {
			return true;
		}
	}
	return false;
}

bool shell_warning_applies(const json_t *command, const json_t *arguments)
{
	const json_t *lists[] = {command, arguments};
	bool in_shell = false, script_follows = false;

	for (size_t l = 0; l < 2; l++) {
		for (size_t i = 0; i < json_array_size(lists[l]); i++) {
			const char *word = json_string_value(json_array_get(lists[l], i));

			if (!word)
				return false;
			if (script_follows)
				return has_redirection(word);
			if (in_shell)
				script_follows = is_script_option(word);
			else
				in_shell = is_shell(word);
		}
	}
	return false;
}
