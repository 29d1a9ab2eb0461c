/* SPDX-License-Identifier: Apache-2.0 */
/* Components are taken one by one from the front; a revision may hold an escaped '/'. */
#include "api/hub_path.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "net/uri.h"

#include <stdlib.h>
#include <string.h>

static const struct word {
	const char *name;
	enum hub_path_kind kind;
} words[] = {{"revision", HUB_INFO},   {"tree", HUB_TREE},
             {"refs", HUB_REFS},       {"paths-info", HUB_PATHS_INFO},
             {"resolve", HUB_RESOLVE}, {"auth-check", HUB_AUTH_CHECK}};

static enum hub_path_kind path_word(const char *name)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, name) == 0)
			return words[i].kind;
	}
	return HUB_OTHER;
}

static char *path_decode(const char *text, size_t len)
{
	char *decoded = xmalloc(len + 1);

	if (uri_decode(text, len, false, decoded) < 0)
		decoded[0] = '\0';
	return decoded;
}

/* The next component, decoded, yours to free; NULL at the end. */
static char *path_take(const char **at)
{
	size_t len;
	char *part;

	if (!**at)
		return NULL;
	len = strcspn(*at, "/");
	part = path_decode(*at, len);
	*at += len;
	*at += **at == '/';
	return part;
}

static bool path_is_type(const char *name)
{
	return strcmp(name, "models") == 0 || strcmp(name, "datasets") == 0 ||
	       strcmp(name, "spaces") == 0;
}

/* "name" or "ns/name" and the word behind it. False: no repository is named. */
static bool path_take_name(const char **at, char **ret_name, char **ret_word)
{
	autofree char *first = path_take(at), *second = path_take(at);

	if (!first)
		return false;
	if (!second || path_word(second) != HUB_OTHER) {
		*ret_name = take_ptr(&first);
		*ret_word = take_ptr(&second);
		return true;
	}
	*ret_name = xasprintf("%s/%s", first, second);
	*ret_word = path_take(at);
	return true;
}

static void path_take_rest(const char *at, struct hub_path *ret)
{
	char *revision = path_take(&at);
	size_t len = strlen(at);

	if (revision && *revision) {
		free(ret->revision);
		ret->revision = revision;
	} else {
		free(revision);
	}
	free(ret->path);
	ret->path = path_decode(at, len);
	for (len = strlen(ret->path); len > 0 && ret->path[len - 1] == '/'; len--)
		ret->path[len - 1] = '\0';
	memmove(ret->path, ret->path + strspn(ret->path, "/"),
	        strlen(ret->path + strspn(ret->path, "/")) + 1);
}

void hub_path_parse(const char *path, struct hub_path *ret)
{
	bool is_api = strncmp(path, "/api/", 5) == 0;
	const char *at = path + (is_api ? 5 : 1), *before = at;
	autofree char *type = path_take(&at), *word = NULL;

	*ret = (struct hub_path){
	        .kind = HUB_OTHER, .revision = xstrdup("main"), .path = xstrdup("")};
	if (!type || !path_is_type(type)) {
		if (is_api)
			return;
		at = before; /* models have no word of their own in addresses of files */
		free(type);
		type = xstrdup("models");
	}
	if (!path_take_name(&at, &ret->name, &word))
		return;
	ret->type = take_ptr(&type);
	ret->kind = word ? path_word(word) : is_api ? HUB_INFO : HUB_OTHER;
	if (word)
		path_take_rest(at, ret);
}

void hub_path_clear(struct hub_path *path)
{
	free(path->type);
	free(path->name);
	free(path->revision);
	free(path->path);
	*path = (struct hub_path){0};
}
