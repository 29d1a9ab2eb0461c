/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and keeps the token in the same environment variables and the same file as `hf`. */
#include "cli/token_file.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/input_file.h"

#include <libgen.h>
#include <pwd.h>
#include <string.h>

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static char *home(void)
{
	const char *value = environment("HOME");
	if (value)
		return xstrdup(value);
	const struct passwd *user = getpwuid(getuid());
	return xstrdup(user ? user->pw_dir : "/");
}

static char *expand_home(const char *path)
{
	if (path[0] != '~' || (path[1] && path[1] != '/'))
		return xstrdup(path);
	autofree char *start = home();
	return xasprintf("%s%s", start, path + 1);
}

char *token_file_path(void)
{
	const char *value = environment("HF_TOKEN_PATH");
	if (value)
		return expand_home(value);
	value = environment("HF_HOME");
	if (value) {
		autofree char *folder = expand_home(value);
		return xasprintf("%s/token", folder);
	}
	value = environment("XDG_CACHE_HOME");
	if (value) {
		autofree char *folder = expand_home(value);
		return xasprintf("%s/huggingface/token", folder);
	}
	autofree char *folder = home();
	return xasprintf("%s/.cache/huggingface/token", folder);
}

/* Without line ends and blanks around it; NULL if nothing is left. */
static char *clean(const char *text)
{
	const char *end = text + strlen(text);
	while (*text && strchr(" \t\r\n", *text))
		text++;
	while (end > text && strchr(" \t\r\n", end[-1]))
		end--;
	return end > text ? xstrndup(text, (size_t)(end - text)) : NULL;
}

char *token_file_find(const char *given, const char **ret_origin)
{
	static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
	*ret_origin = "--token";
	if (given)
		return clean(given);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *value = environment(names[i]);
		char *token = value ? clean(value) : NULL;
		*ret_origin = names[i];
		if (token)
			return token;
	}
	*ret_origin = "the token file";
	autofree char *path = token_file_path();
	autobuffer struct buffer text = BUFFER_INIT(4096);
	struct error ignored = ERROR_INIT;
	if (input_file_read(path, &text, &ignored) < 0)
		return NULL;
	return clean(buffer_text(&text));
}

int token_file_write(const char *token, struct error *err)
{
	autofree char *path = token_file_path();
	autofree char *copy = xstrdup(path);
	autofree char *copy2 = xstrdup(path);
	autoclose int folder = -1;
	if (file_open_dir(dirname(copy), 0700, &folder, err) < 0)
		return -1;
	return file_write_atomic(folder, basename(copy2), token, strlen(token), 0600, false, err);
}
