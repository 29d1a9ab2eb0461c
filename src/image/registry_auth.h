/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a registry wants to be spoken to: the challenge of a 401 answer (RFC 9110 §11.6.1, Docker
 * token authentication), and credentials from a docker config.json.
 */
#ifndef HEARTH_IMAGE_REGISTRY_AUTH_H
#define HEARTH_IMAGE_REGISTRY_AUTH_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct auth_challenge {
	enum auth_scheme scheme;
	char realm[1024];
	char service[256];
	char scope[512];
};

/* Read one WWW-Authenticate value, which may hold several challenges: Bearer is taken before Basic.
 * False if there is neither, or it is damaged. */
bool auth_parse_challenge(const char *value, struct auth_challenge *ret);

struct auth_credentials {
	char *user, *password; /* NULL: none */
	char *identity_token;  /* OAuth 2 refresh token; NULL: none */
	bool has_helper;       /* config.json says that a helper program knows them */
};

void auth_credentials_clear(struct auth_credentials *credentials);

/* Those for the registry `host` ("docker.io" for Docker Hub) and repository `path`. None is no
 * failure; a config.json that cannot be read is. */
int auth_credentials_load(const char *config_path, const char *host, const char *path,
                          struct auth_credentials *ret, struct error *err);
/* The same from the parsed text. */
int auth_credentials_find(const json_t *config, const char *host, const char *path,
                          struct auth_credentials *ret, struct error *err);

/* "Basic dXNlcjpwYXNz", yours. */
char *auth_basic_value(const struct auth_credentials *credentials);

#endif
