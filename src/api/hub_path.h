/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the Hub's API for repositories: what they ask for, of which repository. */
#ifndef HEARTH_API_HUB_PATH_H
#define HEARTH_API_HUB_PATH_H

#include <stdbool.h>

enum hub_path_kind {
	HUB_OTHER, /* something of the Hub that we only pass on */
	HUB_INFO,  /* /api/models/ns/name, …/revision/{rev} */
	HUB_TREE,
	HUB_PATHS_INFO,
	HUB_REFS,
	HUB_AUTH_CHECK,
	HUB_RESOLVE, /* /ns/name/resolve/{rev}/{path} */
};

struct hub_path {
	enum hub_path_kind kind;
	char *type;	/* "models", "datasets", "spaces"; NULL with HUB_OTHER */
	char *name;	/* "ns/name", or "name" for old repositories without namespace */
	char *revision; /* "main" when the path names none */
	char *path;	/* of a file or folder, without slashes at its ends; "" if none */
};

/* `path` as sent, still encoded, and accepted by the router. */
void hub_path_parse(const char *path, struct hub_path *ret);
void hub_path_clear(struct hub_path *path);

#endif
