/* SPDX-License-Identifier: Apache-2.0 */
/* Words of `uv run`, and inline metadata of scripts. */
#include "job/uv_script.h"

#include <string.h>

/* Options of `uv run` whose next word is their value (uv 0.13). */
static const char *const value_options[] = {"--with",
                                            "-w",
                                            "--with-editable",
                                            "--with-requirements",
                                            "--python",
                                            "-p",
                                            "--extra",
                                            "--no-extra",
                                            "--group",
                                            "--no-group",
                                            "--only-group",
                                            "--env-file",
                                            "--package",
                                            "--index",
                                            "--default-index",
                                            "--index-url",
                                            "-i",
                                            "--extra-index-url",
                                            "--find-links",
                                            "-f",
                                            "--upgrade-package",
                                            "-P",
                                            "--upgrade-group",
                                            "--reinstall-package",
                                            "--index-strategy",
                                            "--keyring-provider",
                                            "--resolution",
                                            "--prerelease",
                                            "--fork-strategy",
                                            "--config-setting",
                                            "-C",
                                            "--config-settings-package",
                                            "--no-build-isolation-package",
                                            "--exclude-newer",
                                            "--exclude-newer-package",
                                            "--link-mode",
                                            "--no-build-package",
                                            "--no-binary-package",
                                            "--no-sources-package",
                                            "--refresh-package",
                                            "--cache-dir",
                                            "--python-platform",
                                            "--python-preference",
                                            "--color",
                                            "--directory",
                                            "--project",
                                            "--config-file",
                                            "--allow-insecure-host",
                                            "--torch-backend",
                                            NULL};

const char *uv_script_word(const json_t *body, size_t index)
{
	const json_t *command = json_object_get(body, "command");
	size_t count = json_array_size(command);

	if (index < count)
		return json_string_value(json_array_get(command, index));
	return json_string_value(json_array_get(json_object_get(body, "arguments"), index - count));
}

static bool takes_value(const char *word)
{
	for (size_t i = 0; value_options[i]; i++) {
		if (strcmp(word, value_options[i]) == 0)
			return true;
	}
	return false;
}

static size_t skip_options(const json_t *body, size_t i)
{
	const char *word;

	while ((word = uv_script_word(body, i)) && word[0] == '-' && word[1] != '\0') {
		if (strcmp(word, "--") == 0)
			return i + 1;
		i += takes_value(word) && uv_script_word(body, i + 1) ? 2 : 1;
	}
	return i;
}

static bool is_run(const json_t *body, size_t *ret_index)
{
	size_t i = skip_options(body, 1);
	const char *word = uv_script_word(body, i);

	*ret_index = i;
	return word && strcmp(word, "run") == 0;
}

size_t uv_script_target(const json_t *body)
{
	size_t i;

	return is_run(body, &i) ? skip_options(body, i + 1) : i;
}

bool uv_script_is_repeatable(const json_t *body)
{
	static const char *const changing[] = {"--upgrade", "--reinstall", "--refresh", "-U", "-P"};
	size_t i, end = uv_script_target(body);

	if (!is_run(body, &i))
		return false;
	for (; i < end; i++) {
		const char *word = uv_script_word(body, i);
		for (size_t k = 0; word && k < sizeof(changing) / sizeof(changing[0]); k++) {
			if (strncmp(word, changing[k], strlen(changing[k])) == 0)
				return false;
		}
	}
	return true;
}

bool uv_script_has_own_cache(const json_t *body)
{
	size_t end = uv_script_target(body);

	for (size_t i = 1; i < end; i++) {
		const char *word = uv_script_word(body, i);
		if (word && (strcmp(word, "--no-cache") == 0 || strcmp(word, "-n") == 0 ||
		             strncmp(word, "--cache-dir", 11) == 0))
			return true;
	}
	return false;
}

static size_t line_length(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);

	return end ? (size_t)(end - text) : len;
}

static bool line_is(const char *line, size_t len, const char *wanted)
{
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	return len == strlen(wanted) && memcmp(line, wanted, len) == 0;
}

void uv_script_add_metadata(const char *text, size_t len, struct buffer *ret)
{
	bool is_inside = false;

	while (len > 0) {
		size_t line = line_length(text, len), step = line < len ? line + 1 : line;

		if (!is_inside && line_is(text, line, "# /// script"))
			is_inside = true;
		else if (is_inside && line_is(text, line, "# ///"))
			return;
		else if (is_inside && (line == 0 || text[0] != '#'))
			is_inside = false;
		if (is_inside)
			(void)buffer_add(ret, text, step);
		text += step;
		len -= step;
	}
}
