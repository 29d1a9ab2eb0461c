/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/scheduled-jobs/{ns}: check, look up volumes as for a job, insert, and answer once the
 * schedule is on disk. */
#include "api/schedules.h"

#include "api/access.h"
#include "api/handlers.h"
#include "api/jobs.h"
#include "api/volume_check.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/spec.h"

#include <stdlib.h>
#include <string.h>

/* A schedule that perhaps waits for the Hub's word about its volumes. */
struct creation {
	struct api *api;
	struct http_request *request;
	json_t *body;
	struct job_spec spec;
	const char *expression; /* in the body */
	bool suspend, concurrency;
	struct volume_check *check;
};

/* An optional flag: absent and null are false. */
static int create_read_flag(const json_t *body, const char *name, bool *ret, struct error *err)
{
	const json_t *value = json_object_get(body, name);

	if (value && !json_is_null(value) && !json_is_boolean(value))
		return fail(err, E_INVALID, "%s must be true or false", name);
	*ret = json_is_true(value);
	return 0;
}

static int create_read_spec(struct api *api, const json_t *body, struct job_spec *ret,
                            struct error *err)
{
	json_t *spec = json_object_get(body, "jobSpec");

	if (!json_is_object(spec))
		return fail(err, E_INVALID,
		            "jobSpec is required: an object as in POST /api/jobs/{ns}");
	if (job_spec_parse(api->configuration, spec, ret, err) < 0)
		return error_prefix(err, "jobSpec");
	return 0;
}

static int create_read(struct creation *creation, struct error *err)
{
	if (http_body_json(creation->request, &creation->body, err) < 0 ||
	    create_read_spec(creation->api, creation->body, &creation->spec, err) < 0 ||
	    schedules_read_expression(creation->body, &creation->expression, err) < 0 ||
	    create_read_flag(creation->body, "suspend", &creation->suspend, err) < 0)
		return -1;
	return create_read_flag(creation->body, "concurrency", &creation->concurrency, err);
}

static void create_free(struct creation *creation)
{
	json_decref(creation->body);
	job_spec_clear(&creation->spec);
	free(creation);
}

/* A job sees its repositories as they were when it was submitted; the jobs of a schedule as they
 * are when they start. */
static void create_unpin_volumes(json_t *body)
{
	json_t *volume;
	size_t i;

	json_array_foreach(json_object_get(body, "volumes"), i, volume)
	        json_object_del(volume, "commit");
}

static int create_insert(struct creation *creation, char ret_id[ID_SIZE], struct error *err)
{
	const struct access *access = access_of(creation->request);
	const struct account *user = &access->caller.user;
	autojson json_t *initiator =
	        json_pack("{s:s, s:s, s:s}", "type", "user", "id", user->id, "name", user->name);
	const struct schedule_request wanted = {
	        .spec = &creation->spec,
	        .owner = &access->ns,
	        .creator = user,
	        .initiator = initiator,
	        .expression = creation->expression,
	        .suspend = creation->suspend,
	        .concurrency = creation->concurrency,
	};

	if (jobs_check_volumes(creation->api, creation->request, creation->spec.body, err) < 0)
		return error_prefix(err, "jobSpec");
	create_unpin_volumes(creation->spec.body);
	return schedule_create(creation->api->schedules, &wanted, ret_id, err);
}

static void create_finish(struct creation *creation)
{
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	if (create_insert(creation, id, &err) < 0)
		answer_error(creation->request, &err);
	else
		schedules_answer_when_durable(creation->api, creation->request, id);
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

void schedules_create(struct http_request *request, void *context)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));
	struct error err = ERROR_INIT;

	creation->api = context;
	creation->request = request;
	if (create_read(creation, &err) < 0) {
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
