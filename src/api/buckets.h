/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of buckets share. */
#ifndef HEARTH_API_BUCKETS_H
#define HEARTH_API_BUCKETS_H

#include "api/access.h"
#include "api/answer.h"
#include "base/buffer.h"

#define BUCKETS_PAGE_MAX ((size_t)16 * 1024 * 1024) /* of a listing, as text */

/* An answer of the bucket service that comes in a later turn: `request` is NULL once the client has left. */
struct buckets_call {
	struct api *api;
	struct http_request *request;
	struct bucket bucket;
};
void buckets_call_init(struct buckets_call *call, struct api *api, struct http_request *request);
void buckets_call_end(struct buckets_call *call); /* before the answer */

/* One entry of a listing (hub-jobs-api 7.4). */
json_t *buckets_entry_json(const struct bucket_entry *entry);
/* "Link: <…/xet-read-token>; rel=\"xet-auth\"" and what else leads to the content by hash; URLs are absolute. */
char *buckets_token_url(struct http_request *request, const struct api *api, const struct bucket *bucket, const char *kind);
char *buckets_cas_url(struct http_request *request, const struct api *api, const struct bucket *bucket);

/* "text/plain; charset=utf-8" for "a/b.txt"; never NULL. */
const char *media_type_of(const char *path);

#endif
