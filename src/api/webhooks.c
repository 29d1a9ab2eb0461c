/* SPDX-License-Identifier: Apache-2.0 */
/* /api/settings/webhooks (hub-jobs-api 4.1): the webhooks of the owner of the token. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/query_number.h"
#include "api/webhook_json.h"
#include "api/webhooks.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "store/webhooks.h"

#include <stdlib.h>
#include <string.h>

#define LOG_SHOWN 100
#define LOG_SHOWN_MAX 1000
#define PAYLOADS_MAX ((size_t)4 * 1024 * 1024)
#define WEBHOOK_ANSWER_MAX ((size_t)32 * 1024 * 1024)

bool webhooks_may_write(struct api *api, struct http_request *request)
{
	const struct access *access = access_of(request);

	if (caller_role(api, &access->caller, &access->caller.user) >= ROLE_WRITE)
		return true;
	answer_fail(
	        request, E_FORBIDDEN,
	        "The token \"%s\" has the role read; this call needs a token with the role write",
	        access->caller.token.name);
	return false;
}

bool webhooks_load(struct api *api, struct http_request *request, struct webhook *ret)
{
	const char *id = http_param(request, "id");

	if (id_is_valid(id) && webhooks_find(api->db, id, ret)) {
		if (strcmp(ret->owner_id, access_of(request)->caller.user.id) == 0)
			return true;
		webhook_clear(ret);
	}
	answer_fail(request, E_NOT_FOUND, "Webhook not found");
	return false;
}

static void webhooks_answer(struct api *api, struct http_request *request, json_t *take_answer)
{
	struct buffer json = BUFFER_INIT(WEBHOOK_ANSWER_MAX);
	autofree char *text = json_to_text(take_answer);

	json_decref(take_answer);
	(void)buffer_add_text(&json, text);
	answer_when_durable(api, request, &json);
}

void webhooks_answer_one(struct api *api, struct http_request *request, const char *id)
{
	autowebhook struct webhook webhook = {0};

	if (!webhooks_find(api->db, id, &webhook))
		BUG("webhook %s is gone in the turn that changed it", id);
	access_set_subject(request, id);
	webhooks_answer(api, request, json_pack("{s:o}", "webhook", webhook_json(&webhook)));
}

static void webhooks_add(void *arg, const struct webhook *webhook)
{
	json_array_append_new(arg, webhook_json(webhook));
}

void webhooks_list(struct http_request *request, void *context)
{
	struct api *api = context;
	json_t *list = json_array();

	webhooks_each(api->db, access_of(request)->caller.user.id, webhooks_add, list);
	http_respond_json(request, 200, list);
}

void webhooks_show(struct http_request *request, void *context)
{
	autowebhook struct webhook webhook = {0};

	if (webhooks_load(context, request, &webhook))
		http_respond_json(request, 200,
		                  json_pack("{s:o}", "webhook", webhook_json(&webhook)));
}

static void webhooks_switch(struct http_request *request, struct api *api, bool is_on)
{
	autowebhook struct webhook webhook = {0};

	if (!webhooks_may_write(api, request) || !webhooks_load(api, request, &webhook))
		return;
	webhook_enable(api->webhooks, &webhook, is_on);
	webhooks_answer_one(api, request, webhook.id);
}

void webhooks_enable(struct http_request *request, void *context)
{
	webhooks_switch(request, context, true);
}

void webhooks_disable(struct http_request *request, void *context)
{
	webhooks_switch(request, context, false);
}

void webhooks_delete(struct http_request *request, void *context)
{
	struct api *api = context;
	autowebhook struct webhook webhook = {0};

	if (!webhooks_may_write(api, request) || !webhooks_load(api, request, &webhook))
		return;
	webhook_remove(api->webhooks, webhook.id);
	access_set_subject(request, webhook.id);
	webhooks_answer(api, request, json_object());
}

struct delivery_list {
	json_t *list;
	size_t payload_bytes;
};

/* Payloads may be long; beyond a sum the older ones are left out. */
static void webhooks_add_delivery(void *arg, const struct webhook_delivery *delivery)
{
	struct delivery_list *deliveries = arg;

	deliveries->payload_bytes += strlen(delivery->event.payload);
	json_array_append_new(
	        deliveries->list,
	        webhook_json_delivery(delivery, deliveries->payload_bytes <= PAYLOADS_MAX));
}

void webhooks_deliveries(struct http_request *request, void *context)
{
	struct api *api = context;
	autowebhook struct webhook webhook = {0};
	struct delivery_list deliveries = {0};
	int64_t limit = LOG_SHOWN;

	if (!webhooks_load(api, request, &webhook))
		return;
	if (!query_number(request, "limit", 1, LOG_SHOWN_MAX, &limit)) {
		answer_fail(request, E_INVALID, "limit must be a number from 1 to %d",
		            LOG_SHOWN_MAX);
		return;
	}
	deliveries.list = json_array();
	webhook_log_each(api->webhooks, webhook.id, (int)limit, webhooks_add_delivery, &deliveries);
	http_respond_json(request, 200, deliveries.list);
}

/* The request may leave before the receiver has answered; the replay goes on. */
struct replay_wait {
	struct api *api;
	struct http_request *request; /* NULL: gone */
};

static void webhooks_replay_left(void *arg)
{
	struct replay_wait *wait = arg;

	wait->request = NULL;
}

static void webhooks_replayed(void *arg, const struct webhook_delivery *delivery)
{
	struct replay_wait *wait = arg;
	json_t *answer = json_pack("{s:i, s:s}", "status", delivery->status, "id", delivery->id);

	if (delivery->error)
		json_object_set_new(answer, "error", json_string(delivery->error));
	if (delivery->job_id[0])
		json_object_set_new(answer, "jobId", json_string(delivery->job_id));
	if (wait->request) {
		http_on_cancel(wait->request, NULL, NULL);
		webhooks_answer(wait->api, wait->request, answer);
	} else {
		json_decref(answer);
	}
	free(wait);
}

void webhooks_replay(struct http_request *request, void *context)
{
	struct api *api = context;
	autowebhook struct webhook webhook = {0};
	struct error err = ERROR_INIT;
	struct replay_wait *wait;

	if (!webhooks_may_write(api, request) || !webhooks_load(api, request, &webhook))
		return;
	wait = xcalloc(1, sizeof(*wait));
	*wait = (struct replay_wait){.api = api, .request = request};
	if (webhook_replay(api->webhooks, &webhook, http_param(request, "log"), webhooks_replayed,
	                   wait, &err) < 0) {
		free(wait);
		answer_error(request, &err);
		return;
	}
	access_set_subject(request, webhook.id);
	http_on_cancel(request, webhooks_replay_left, wait);
}
