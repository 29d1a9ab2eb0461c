/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: the user and the token behind a request. */
#ifndef HEARTH_API_CALLER_H
#define HEARTH_API_CALLER_H

#include "api/api.h"

#include <jansson.h>
#include <stdbool.h>

#define UPSTREAM_TOKEN_ID "upstream" /* of `token`, when the upstream Hub knows it and we do not */

struct caller {
	bool is_known;	 /* `user` and `token` are set */
	bool is_admin;	 /* came over the Unix socket as root or as the admin's uid */
	struct account user;
	struct token token;
	json_t *write_in; /* names of the namespaces where a fine-grained token of the upstream Hub
			     may write; NULL: wherever the user may */
};
void caller_clear(struct caller *caller);

/* The token of an Authorization header ("Bearer hf_…"), borrowed from it; NULL if it is not that. */
const char *caller_bearer_token(const char *header);

/* The role of the caller in a namespace, lowered to what the token allows. */
enum account_role caller_role(struct api *api, const struct caller *caller,
			      const struct account *ns);
/* The first user of this server, with a token that may write. */
bool caller_is_operator(struct api *api, const struct caller *caller);
/* The job that the request comes from, by its address in the jobs' network; NULL: none. Borrowed
 * from `id`. */
const char *caller_job(const struct api *api, const struct http_request *request, char id[ID_SIZE]);

#endif
