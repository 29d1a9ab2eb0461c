/* SPDX-License-Identifier: Apache-2.0 */
/* Events from outside: POST /api/webhooks/ingest for a real Hub, which knows the secret, and POST
 * /api/webhooks/announce for whoever may write where it happened. */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void ingest_answer(struct api *api, struct http_request *request, bool is_new)
{
	struct buffer json = BUFFER_INIT(256);

	(void)buffer_printf(&json, "{\"accepted\":true,\"duplicate\":%s}",
	                    is_new ? "false" : "true");
	answer_when_durable(api, request, &json);
}

static void ingest_take(struct api *api, struct http_request *request, json_t *payload)
{
	const char *key = http_header(request, "X-Hearth-Event-Id");
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];
	bool is_new;

	if (!key)
		key = http_header(request, "Idempotency-Key");
	if (webhook_ingest(api->webhooks, payload, key, caller_job(api, request, job_id), &is_new,
	                   &err) < 0)
		answer_error(request, &err);
	else
		ingest_answer(api, request, is_new);
}

/* The secret was checked by access.c, before the body was taken. */
void webhooks_ingest(struct http_request *request, void *context)
{
	autojson json_t *payload = NULL;
	struct error err = ERROR_INIT;

	if (http_body_json(request, &payload, &err) < 0)
		answer_error(request, &err);
	else
		ingest_take(context, request, payload);
}

/* In a namespace of this server whoever may write there; of others only the operator speaks. */
static int announce_check(struct api *api, const struct caller *caller, const json_t *payload,
                          struct error *err)
{
	const char *name = json_get_text(json_object_get(payload, "repo"), "name", "");
	char *space = xstrndup(name, strcspn(name, "/"));
	struct account owner;
	bool is_ours = accounts_find(api->db, space, &owner);
	bool may = is_ours ? caller_role(api, caller, &owner) >= ROLE_WRITE
	                   : caller_is_operator(api, caller);

	free(space);
	if (may)
		return 0;
	return fail(
	        err, E_FORBIDDEN,
	        "repo.name: announcing a change of \"%.200s\" needs a write token of somebody who "
	        "may write in its namespace%s",
	        name, is_ours ? "" : ", or of the operator when nobody here has that name");
}

void webhooks_announce(struct http_request *request, void *context)
{
	autojson json_t *payload = NULL;
	struct error err = ERROR_INIT;

	if (http_body_json(request, &payload, &err) < 0 ||
	    announce_check(context, &access_of(request)->caller, payload, &err) < 0)
		answer_error(request, &err);
	else
		ingest_take(context, request, payload);
}
