/* SPDX-License-Identifier: Apache-2.0 */
/* The Xet protocol over HTTP (xet-cas.md): tokens, uploads, and the questions whose answer is
 * always no. */
#include "api/buckets.h"

#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/xet_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void token_answer(struct http_request *request, struct api *api, bool may_write)
{
	const struct access *access = access_of(request);
	const struct bucket *bucket = &access->bucket;
	struct xet_grant grant = {
	        .may_write = may_write,
	        .expires_s = clock_now_ms() / 1000 + XET_TOKEN_LIFE_S,
	};
	autofree char *cas = buckets_cas_url(request, api, bucket);
	char token[XET_TOKEN_MAX], expires[32];

	memcpy(grant.namespace_id, bucket->namespace_id, ID_SIZE);
	memcpy(grant.bucket_id, bucket->id, ID_SIZE);
	if (access->caller.is_known)
		memcpy(grant.user_id, access->caller.user.id, ID_SIZE);
	xet_token_make(api->xet, &grant, token);
	snprintf(expires, sizeof(expires), "%" PRId64, grant.expires_s);
	http_add_header(request, "X-Xet-Cas-Url", cas);
	http_add_header(request, "X-Xet-Access-Token", token);
	http_add_header(request, "X-Xet-Token-Expiration", expires);
	http_add_header(request, "Cache-Control", "no-store");
	http_respond_json(request, 200,
	                  json_pack("{s:s,s:I,s:s}", "casUrl", cas, "exp",
	                            (json_int_t)grant.expires_s, "accessToken", token));
}

void xet_read_token(struct http_request *request, void *context)
{
	token_answer(request, context, false);
}

void xet_write_token(struct http_request *request, void *context)
{
	token_answer(request, context, true);
}

struct upload_call {
	struct buckets_call call;
	const char *format; /* of the answer; "%d": was it new? */
};

static void upload_done(void *arg, bool was_new, const struct error *err)
{
	struct upload_call *upload = arg;
	struct http_request *request = upload->call.request;
	struct api *api = upload->call.api;
	struct buffer body = BUFFER_INIT(256);

	buckets_call_end(&upload->call);
	if (request && err) {
		answer_error(request, err);
	} else if (request) {
		(void)buffer_add_text(&body, upload->format);
		(void)buffer_add_text(&body, was_new ? "1}\n" : "0}\n");
		answer_status_when_durable(api, request, 200, &body);
	}
	free(upload);
}

static void xorb_uploaded(void *arg, bool was_new, const struct error *err)
{
	struct upload_call *upload = arg;
	struct http_request *request = upload->call.request;
	struct api *api = upload->call.api;

	buckets_call_end(&upload->call);
	if (request && err)
		answer_error(request, err);
	else if (request)
		answer_value_when_durable(api, request, 200,
		                          json_pack("{s:b}", "was_inserted", (int)was_new));
	free(upload);
}

static struct upload_call *upload_new(struct http_request *request, struct api *api)
{
	struct upload_call *upload = xcalloc(1, sizeof(*upload));

	buckets_call_init(&upload->call, api, request);
	access_set_subject(request, access_of(request)->grant.bucket_id);
	return upload;
}

void xet_post_xorb(struct http_request *request, void *context)
{
	struct api *api = context;

	xet_xorb_put(api->xet, access_of(request)->grant.namespace_id, http_param(request, "hash"),
	             http_body_fd(request), xorb_uploaded, upload_new(request, api));
}

static void post_shard(struct http_request *request, struct api *api, const char *format)
{
	struct upload_call *upload = upload_new(request, api);

	upload->format = format;
	xet_shard_put(api->xet, access_of(request)->grant.namespace_id, http_body_fd(request),
	              upload_done, upload);
}

void xet_post_shard(struct http_request *request, void *context)
{
	post_shard(request, context, "{\"result\":");
}

/* A stream of lines, of which the last one is enough. */
void xet_post_shard_v2(struct http_request *request, void *context)
{
	post_shard(request, context, "{\"type\":\"result\",\"result\":");
}

void xet_find_chunk(struct http_request *request, void *context)
{
	struct xet_hash hash;

	if (!xet_hash_parse(http_param(request, "hash"), &hash))
		answer_fail(request, E_INVALID, "A chunk is named by 64 hexadecimal digits");
	else
		answer_fail(request, E_NOT_FOUND, "This server does not say which chunks it has");
}

void xet_telemetry(struct http_request *request, void *context)
{
	http_respond_json(request, 200, json_object());
}
