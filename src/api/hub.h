/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repositories that clients ask us for although we have none: answered from the mirror folder (hub.mirror), else passed on
 * to the Hub (hub.endpoint), else a clear 404.
 */
#ifndef HEARTH_API_HUB_H
#define HEARTH_API_HUB_H

#include "api/api.h"
#include "api/hub_path.h"

/* hub_proxy.c: pass the request on as it is and answer with the answer. Takes `path`. */
void hub_proxy(struct api *api, struct http_request *request, struct hub_path *path);

/* mirror.c: is there such a repository? Then answer from it; takes `path`. */
bool mirror_has(const struct api *api, const struct hub_path *path);
void mirror_answer(struct api *api, struct http_request *request, struct hub_path *path);
/* An error with X-Error-Code, which clients turn into exceptions. */
void hub_refuse(struct http_request *request, enum error_code code, const char *error_code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
