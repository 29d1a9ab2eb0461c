/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the registry client only: registry.c, registry_token.c, registry_blob.c. */
#ifndef HEARTH_IMAGE_REGISTRY_PRIVATE_H
#define HEARTH_IMAGE_REGISTRY_PRIVATE_H

#include "image/registry.h"
#include "image/registry_auth.h"
#include "image/registry_http.h"

struct repository {
	struct reference ref;
	char name[REFERENCE_MAX]; /* for sentences */
	const struct configuration *configuration;
	const char *ca_file;    /* borrowed from the configuration */
	char *base;             /* "https://host[:port]" */
	char *path;             /* repository there, a mirror's prefix in front */
	char *credentials_host; /* whose credentials are sent */
	struct auth_credentials credentials;
	struct registry_http *http;
	char *authorization; /* "Bearer …" or "Basic …"; NULL: none yet */
};

/* Answer a challenge: afterwards r->authorization is new, or NULL if nothing can be offered. */
int repository_ask_token(struct repository *r, const char *url, const char *challenge,
                         struct error *err);
/* One request; a 401 is answered with a token once. */
int repository_request(struct repository *r, struct registry_exchange *exchange, struct error *err);
/* The same until it is 200 or 206, with some patience for passing troubles. */
int repository_request_patiently(struct repository *r, struct registry_exchange *exchange,
                                 struct error *err);
/* Fill `err` with a sentence about an answer that is not 200. */
int repository_explain(const struct repository *r, const struct registry_exchange *exchange,
                       struct error *err);
/* Will it perhaps be better in a moment? */
bool repository_is_passing(const struct registry_exchange *exchange);
void repository_back_off(const struct registry_exchange *exchange, int tries);

#endif
