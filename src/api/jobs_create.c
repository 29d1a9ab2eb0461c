/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/jobs/{ns}: check, insert, and answer once the job is on disk. */
#include "api/jobs.h"

#include "api/access.h"
#include "api/handlers.h"
#include "api/volume_check.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/billing.h"
#include "job/flavor_catalogue.h"
#include "job/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LENGTH_MAX 255

static int create_read_key(struct http_request *request, const char **ret, struct error *err)
{
	const char *key = http_header(request, "Idempotency-Key");

	*ret = key;
	if (!key)
		return 0;
	if (!key[0] || strlen(key) > KEY_LENGTH_MAX)
		return fail(err, E_INVALID,
		            "The header Idempotency-Key must have 1 to %d characters",
		            KEY_LENGTH_MAX);
	for (; *key; key++) {
		if (*key < ' ' || *key > '~')
			return fail(err, E_INVALID,
			            "The header Idempotency-Key must be printable ASCII");
	}
	return 0;
}

static json_t *create_initiator(const struct account *user)
{
	return json_pack("{s:s,s:s,s:s}", "type", "user", "id", user->id, "name", user->name);
}

static int create_submit(struct api *api, struct http_request *request, struct job_spec *spec,
                         char ret_id[ID_SIZE], struct error *err)
{
	const struct access *access = access_of(request);
	autojson json_t *initiator = create_initiator(&access->caller.user);
	struct job_submission submission = {
	        .spec = spec,
	        .owner = &access->ns,
	        .creator = &access->caller.user,
	        .initiator = initiator,
	};
	bool existing = false;

	if (jobs_check_volumes(api, request, spec->body, err) < 0 ||
	    create_read_key(request, &submission.idempotency_key, err) < 0 ||
	    job_submit(api->jobs, &submission, ret_id, &existing, err) < 0)
		return -1;
	if (existing)
		http_add_header(request, "Idempotency-Replayed", "true");
	return 0;
}

/* The client logs it once per topic (hub-jobs-api 0.5). */
static void create_add_warning(struct http_request *request, const struct job_spec *spec)
{
	char value[sizeof(spec->warning) + 32];

	if (!spec->warning[0])
		return;
	snprintf(value, sizeof(value), "jobs-command; %s", spec->warning);
	for (char *c = value; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	http_add_header(request, "X-HF-Warning", value);
}

/* A submission that waits for the Hub's word about its volumes. */
struct creation {
	struct api *api;
	struct http_request *request;
	struct job_spec spec;
	struct volume_check *check;
};

static void create_free(struct creation *creation)
{
	job_spec_clear(&creation->spec);
	free(creation);
}

static void create_add_budget(struct api *api, struct http_request *request)
{
	char value[BILLING_WARNING_SIZE + 16], text[BILLING_WARNING_SIZE];

	if (!billing_warning(api->billing, access_of(request)->ns.id, text))
		return;
	snprintf(value, sizeof(value), "budget; %s", text);
	http_add_header(request, "X-HF-Warning", value);
}

static void create_finish(struct creation *creation)
{
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	if (create_submit(creation->api, creation->request, &creation->spec, id, &err) < 0) {
		answer_error(creation->request, &err);
	} else {
		create_add_warning(creation->request, &creation->spec);
		create_add_budget(creation->api, creation->request);
		jobs_answer_when_durable(creation->api, creation->request, id);
	}
	create_free(creation);
}

static void create_checked(void *arg, const struct error *err)
{
	struct creation *creation = arg;

	http_on_cancel(creation->request, NULL, NULL);
	if (!err) {
		create_finish(creation);
		return;
	}
	answer_error(creation->request, err);
	create_free(creation);
}

static void create_cancelled(void *arg)
{
	struct creation *creation = arg;

	volume_check_cancel(creation->check);
	create_free(creation);
}

void jobs_create(struct http_request *request, void *context)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));
	const struct access *access = access_of(request);
	const struct flavor *flavor;
	autojson json_t *body = NULL;
	struct error err = ERROR_INIT;

	creation->api = context;
	creation->request = request;
	if (http_body_json(request, &body, &err) < 0 ||
	    job_spec_parse(creation->api->configuration, body, &creation->spec, &err) < 0 ||
	    flavor_choose(creation->api->configuration, creation->spec.flavor,
	                  access->caller.user.name, access->ns.name, &flavor, &err) < 0) {
		answer_error(request, &err);
		create_free(creation);
		return;
	}
	if (!volume_check_start(creation->api, request, &creation->spec, create_checked, creation,
	                        &creation->check))
		create_finish(creation);
	else
		http_on_cancel(request, create_cancelled, creation);
}
