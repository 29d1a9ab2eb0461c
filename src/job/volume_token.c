/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "job/volume_token.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/seal.h"
#include "store/accounts.h"

#include <fcntl.h>
#include <string.h>

#define TOKEN_FILE_MAX 4096

static bool token_is_plausible(const char *token)
{
	size_t len = strlen(token);

	if (len < 4 || len > 1024)
		return false;
	for (; *token; token++) {
		if (*token <= ' ' || *token > '~')
			return false;
	}
	return true;
}

/* Read each time, so that a new one counts at once. */
static char *token_of_file(const char *path)
{
	autobuffer struct buffer text = BUFFER_INIT(TOKEN_FILE_MAX);
	struct error err = ERROR_INIT;
	char *token;

	if (!path || !*path)
		return xstrdup("");
	if (file_read(AT_FDCWD, path, &text, &err) < 0) {
		log_error("hub.token_file: %s", err.text);
		return xstrdup("");
	}
	token = xstrndup(buffer_text(&text), strcspn(buffer_text(&text), " \t\r\n"));
	seal_wipe(text.data, text.len);
	if (!token_is_plausible(token))
		token[0] = '\0';
	return token;
}

static bool token_is_ours(struct database *db, const char *text)
{
	struct token token;
	struct account user;

	return tokens_find(db, text, &token, &user);
}

char *volume_token_of(struct database *db, const struct configuration *configuration,
                      const json_t *secrets)
{
	const char *token = json_get_text(secrets, VOLUME_TOKEN_SECRET, NULL);

	if (token)
		return xstrdup(token);
	token = json_get_text(secrets, "HF_TOKEN", "");
	if (token_is_plausible(token) && !token_is_ours(db, token))
		return xstrdup(token);
	return token_of_file(configuration->hub_token_file);
}

void volume_token_give(struct database *db, const struct configuration *configuration,
                       json_t *secrets, json_t *mounts)
{
	json_t *mount;
	size_t i;

	json_array_foreach(mounts, i, mount)
	{
		char *token;

		if (strcmp(json_get_text(mount, "kind", ""), "repository") != 0)
			continue;
		token = volume_token_of(db, configuration, secrets);
		json_object_set_new(mount, "token", json_string(token));
		seal_wipe(token, strlen(token));
		free(token);
	}
	json_object_del(secrets, VOLUME_TOKEN_SECRET);
}
