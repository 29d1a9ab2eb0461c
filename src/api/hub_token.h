/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens on their way to the Hub of repositories: only a token of that very Hub goes there, never one of ours. */
#ifndef HEARTH_API_HUB_TOKEN_H
#define HEARTH_API_HUB_TOKEN_H

#include "api/api.h"

/* URL of the Hub without a final '/', yours to free; NULL: none is configured. */
char *hub_endpoint(const struct api *api);
/* The caller's own token, if it is one of that Hub; borrowed from the request; NULL: it is ours, or of another Hub. */
const char *hub_caller_token(struct api *api, struct http_request *request);
bool hub_is_same_origin(const char *url, const char *other);

#endif
