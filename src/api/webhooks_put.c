/* SPDX-License-Identifier: Apache-2.0 */
/* Create or change a webhook. The repositories that its job mounts are looked up first, as for a
 * job that starts at once; what the Hub says of their commits is forgotten again. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/volume_check.h"
#include "api/webhooks.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/volume_token.h"

#include <stdlib.h>
#include <string.h>

struct put {
	struct api *api;
	struct http_request *request;
	json_t *body;
	bool is_new;
	struct job_spec spec; /* of "job", only to look its volumes up */
	struct volume_check *check;
};

static void put_free(struct put *put)
{
	json_decref(put->body);
	job_spec_clear(&put->spec);
	free(put);
}

/* The job whose specification is to be copied, secrets included: as for starting it again. */
static int put_find_source(struct api *api, const struct access *access, const json_t *body,
                           struct job_record *ret, bool *ret_found, struct error *err)
{
	const json_t *value = json_object_get(body, "jobSourceId");
	const char *id = json_string_value(value);
	struct account owner;

	*ret_found = false;
	if (!value || json_is_null(value) || (id && !*id))
		return 0;
	if (id && id_is_valid(id) && jobs_find(api->db, id, ret)) {
		*ret_found = true;
		if (accounts_find_by_id(api->db, ret->namespace_id, &owner) &&
		    caller_role(api, &access->caller, &owner) >= ROLE_WRITE)
			return 0;
	}
	return fail(err, E_NOT_FOUND, "jobSourceId: there is no such job that you may start again");
}

/* What is to be changed, as it is now: the Hub may have taken its time. */
static bool put_load(struct put *put, struct webhook *ret)
{
	const struct account *user = &access_of(put->request)->caller.user;

	if (!put->is_new)
		return webhooks_load(put->api, put->request, ret);
	memcpy(ret->owner_id, user->id, ID_SIZE);
	memcpy(ret->owner_name, user->name, sizeof(ret->owner_name));
	return true;
}

static void put_finish(struct put *put)
{
	const char *hub_token = json_get_text(put->spec.secrets, VOLUME_TOKEN_SECRET, NULL);
	autowebhook struct webhook webhook = {0};
	struct job_record source autojob = {0};
	struct error err = ERROR_INIT;
	bool has_source;

	if (!put_load(put, &webhook)) {
		put_free(put);
		return;
	}
	if (put_find_source(put->api, access_of(put->request), put->body, &source, &has_source,
	                    &err) < 0 ||
	    webhook_put(put->api->webhooks, put->body, has_source ? &source : NULL, hub_token,
	                &webhook, &err) < 0)
		answer_error(put->request, &err);
	else
		webhooks_answer_one(put->api, put->request, webhook.id);
	put_free(put);
}

static void put_checked(void *arg, const struct error *err)
{
	struct put *put = arg;
	struct error named;

	http_on_cancel(put->request, NULL, NULL);
	if (!err) {
		put_finish(put);
		return;
	}
	named = *err;
	(void)error_prefix(&named, "job");
	answer_error(put->request, &named);
	put_free(put);
}

static void put_cancelled(void *arg)
{
	struct put *put = arg;

	volume_check_cancel(put->check);
	put_free(put);
}

static int put_read(struct put *put, struct error *err)
{
	json_t *job;

	if (http_body_json(put->request, &put->body, err) < 0)
		return -1;
	job = json_object_get(put->body, "job");
	if (json_object_size(job) > 0 &&
	    job_spec_parse(put->api->configuration, job, &put->spec, err) < 0)
		return error_prefix(err, "job");
	return 0;
}

static void put_begin(struct api *api, struct http_request *request, bool is_new)
{
	struct put *put = xcalloc(1, sizeof(*put));
	struct error err = ERROR_INIT;

	*put = (struct put){.api = api, .request = request, .is_new = is_new};
	if (put_read(put, &err) < 0) {
		answer_error(request, &err);
		put_free(put);
		return;
	}
	if (put->spec.body &&
	    volume_check_start(api, request, &put->spec, put_checked, put, &put->check))
		http_on_cancel(request, put_cancelled, put);
	else
		put_finish(put);
}

void webhooks_create(struct http_request *request, void *context)
{
	if (webhooks_may_write(context, request))
		put_begin(context, request, true);
}

void webhooks_update(struct http_request *request, void *context)
{
	autowebhook struct webhook webhook = {0};

	if (webhooks_may_write(context, request) && webhooks_load(context, request, &webhook))
		put_begin(context, request, false);
}
