/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets themselves: create, show, list, delete, rename, settings (hub-jobs-api 7.2, 7.3). */
#include "api/buckets.h"

#include "api/access_bucket.h"
#include "api/handlers.h"
#include "api/page_link.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_service.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 1000

static void call_cancelled(void *arg)
{
	struct buckets_call *call = arg;

	call->request = NULL;
}

void buckets_call_init(struct buckets_call *call, struct api *api, struct http_request *request)
{
	call->api = api;
	call->request = request;
	call->bucket = access_of(request)->bucket;
	http_on_cancel(request, call_cancelled, call);
}

void buckets_call_end(struct buckets_call *call)
{
	if (call->request)
		http_on_cancel(call->request, NULL, NULL);
}

static json_t *bucket_json(const struct bucket *bucket)
{
	char created[CLOCK_TEXT_SIZE], updated[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:o,s:b,s:s,s:s,s:I,s:I,s:s,s:[]}", "author", bucket->namespace_name,
	                 "id", json_sprintf("%s/%s", bucket->namespace_name, bucket->name),
	                 "private", (int)bucket->is_private, "createdAt",
	                 clock_format_iso(bucket->created_ms, created), "updatedAt",
	                 clock_format_iso(bucket->updated_ms, updated), "size",
	                 (json_int_t)bucket->size, "totalFiles", (json_int_t)bucket->files,
	                 "repoType", "bucket", "cdnRegions");
}

/* By the name under which the client knows us, which is what it compares with (hub-jobs-api 7.2).
 */
static json_t *bucket_url(struct http_request *request, const struct bucket *bucket)
{
	return json_sprintf("%s/buckets/%s/%s", http_base_url(request, NULL),
	                    bucket->namespace_name, bucket->name);
}

/* "private" of the Python client, "visibility" of the JavaScript one. */
static int read_privacy(json_t *body, bool fallback, bool *ret, struct error *err)
{
	const json_t *flag = json_object_get(body, "private");
	const json_t *visibility = json_object_get(body, "visibility");
	const char *text = json_string_value(visibility);

	*ret = fallback;
	if (flag && !json_is_null(flag) && !json_is_boolean(flag))
		return fail(err, E_INVALID, "private must be true or false");
	if (visibility && !json_is_null(visibility) &&
	    (!text || (strcmp(text, "public") != 0 && strcmp(text, "private") != 0)))
		return fail(err, E_INVALID, "visibility must be \"public\" or \"private\"");
	if (text)
		*ret = strcmp(text, "private") == 0;
	if (json_is_boolean(flag))
		*ret = json_is_true(flag);
	return 0;
}

static void answer_existing(struct http_request *request, const struct bucket *bucket,
                            const struct error *err)
{
	http_add_header(request, "X-Error-Message", err->text);
	http_respond_json(request, 409,
	                  json_pack("{s:s,s:o,s:s}", "error", err->text, "url",
	                            bucket_url(request, bucket), "id", bucket->id));
}

void buckets_post(struct http_request *request, void *context)
{
	struct api *api = context;
	struct access *access = access_of(request);
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	struct bucket bucket = {0};
	char job_id[ID_SIZE];
	bool is_private;

	if (http_body_json(request, &body, &err) < 0 ||
	    read_privacy(body, api->configuration->buckets_private, &is_private, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	if (bucket_create(api->buckets, &access->ns, http_param(request, "name"), is_private,
	                  caller_job(api, request, job_id), &bucket, &err) < 0) {
		if (err.code == E_CONFLICT && bucket.id[0])
			answer_existing(request, &bucket, &err);
		else
			answer_error(request, &err);
		return;
	}
	access_set_subject(request, bucket.id);
	answer_value_when_durable(
	        api, request, 200,
	        json_pack("{s:o,s:o,s:s}", "url", bucket_url(request, &bucket), "name",
	                  json_sprintf("%s/%s", bucket.namespace_name, bucket.name), "id",
	                  bucket.id));
}

void buckets_show(struct http_request *request, void *context)
{
	http_respond_json(request, 200, bucket_json(&access_of(request)->bucket));
}

struct bucket_page {
	json_t *list;
	size_t limit;
	char last[sizeof(((struct bucket *)0)->name)];
	bool has_more;
};

static void page_add(void *arg, const struct bucket *bucket)
{
	struct bucket_page *page = arg;

	if (json_array_size(page->list) == page->limit) {
		page->has_more = true;
		return;
	}
	json_array_append_new(page->list, bucket_json(bucket));
	memcpy(page->last, bucket->name, sizeof(page->last));
}

void buckets_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct access *access = access_of(request);
	struct bucket_page page = {.list = json_array(), .limit = LIST_LIMIT};
	autobuffer struct buffer link = BUFFER_INIT(16384);
	bool only_public = caller_role(api, &access->caller, &access->ns) < ROLE_READ;

	buckets_each(api->db, access->ns.id, http_query(request, "search"), only_public,
	             http_query(request, "cursor"), LIST_LIMIT + 1, page_add, &page);
	if (page.has_more &&
	    page_link_write(&link, http_base_url(request, api->configuration->public_url),
	                    http_path(request), http_raw_query(request), page.last) == 0)
		http_add_header(request, "Link", buffer_text(&link));
	http_respond_json(request, 200, page.list);
}

void buckets_delete(struct http_request *request, void *context)
{
	struct api *api = context;
	const struct bucket *bucket = &access_of(request)->bucket;
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];

	access_set_subject(request, bucket->id);
	if (bucket_delete(api->buckets, bucket, caller_job(api, request, job_id), &err) < 0)
		answer_error(request, &err);
	else
		answer_value_when_durable(api, request, 200, json_object());
}

void buckets_settings(struct http_request *request, void *context)
{
	struct api *api = context;
	const struct bucket *bucket = &access_of(request)->bucket;
	autojson json_t *body = NULL, *extra = NULL;
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];
	bool is_private;

	if (http_body_json(request, &body, &err) < 0 ||
	    read_privacy(body, bucket->is_private, &is_private, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	access_set_subject(request, bucket->id);
	if (is_private != bucket->is_private) {
		buckets_set_private(api->db, bucket->id, is_private);
		extra = json_pack("{s:{s:b}}", "updatedConfig", "private", (int)is_private);
		webhook_service_bucket_event(api->webhooks, bucket, "update", "repo.config", extra,
		                             caller_job(api, request, job_id));
	}
	answer_value_when_durable(
	        api, request, 200,
	        json_pack("{s:b,s:[]}", "private", (int)is_private, "cdnRegions"));
}

static int move_to(struct api *api, struct http_request *request, const struct bucket *bucket,
                   const char *to, struct error *err)
{
	const struct access *access = access_of(request);
	char job_id[ID_SIZE];
	const char *slash = strchr(to, '/');
	autofree char *ns = slash ? xstrndup(to, (size_t)(slash - to)) : NULL;
	struct account owner;

	if (!ns || strchr(slash + 1, '/'))
		return fail(err, E_INVALID, "toRepo must be NAMESPACE/NAME");
	if (!accounts_find(api->db, strcmp(ns, "me") == 0 ? access->caller.user.name : ns, &owner))
		return fail(err, E_NOT_FOUND, "Namespace not found: %.100s", ns);
	if (caller_role(api, &access->caller, &owner) < ROLE_WRITE)
		return fail(err, E_FORBIDDEN,
		            "%s may not write in the namespace %s (permission repo.write)",
		            access->caller.user.name, owner.name);
	return bucket_move(api->buckets, bucket, &owner, slash + 1,
	                   caller_job(api, request, job_id), err);
}

void buckets_move_repo(struct http_request *request, void *context)
{
	struct api *api = context;
	struct access *access = access_of(request);
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;
	struct bucket bucket;
	const char *from, *to;

	if (http_body_json(request, &body, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	from = json_get_text(body, "fromRepo", "");
	to = json_get_text(body, "toRepo", "");
	if (strcmp(json_get_text(body, "type", "model"), "bucket") != 0) {
		http_add_header(request, "X-Error-Code", "RepoNotFound");
		answer_fail(request, E_NOT_FOUND,
		            "Hearth has no repositories besides buckets: type must be \"bucket\"");
		return;
	}
	if (access_find_bucket_by_path(access, from, true, &bucket, &err) < 0 ||
	    move_to(api, request, &bucket, to, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	access_set_subject(request, bucket.id);
	answer_value_when_durable(api, request, 200, json_object());
}
