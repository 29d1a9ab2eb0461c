/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of webhooks share: webhooks.c and webhooks_put.c (create and change). */
#ifndef HEARTH_API_WEBHOOKS_H
#define HEARTH_API_WEBHOOKS_H

#include "api/api.h"
#include "store/webhooks.h"

/* They call out and start jobs in the owner's name: a token that only reads may not change them.
 * False: the request is answered. */
bool webhooks_may_write(struct api *api, struct http_request *request);
/* The webhook of the request's path. False: the request is answered. */
bool webhooks_load(struct api *api, struct http_request *request, struct webhook *ret);
/* Once it is on disk. */
void webhooks_answer_one(struct api *api, struct http_request *request, const char *id);

#endif
