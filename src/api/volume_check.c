/* SPDX-License-Identifier: Apache-2.0 */
/* One question per volume, for its revision; a gated repository is asked for once more, whether
 * this user has access. */
#include "api/volume_check.h"

#include "api/hub_token.h"
#include "api/hub_headers.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/hub_refusal.h"
#include "job/volume_token.h"
#include "job/volumes.h"
#include "net/uri.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (16 * 1024 * 1024)
#define TIMEOUT_MAX_MS (20 * 1000)
#define HEADER_MAX 1024

struct volume_check {
	struct api *api;
	struct job_spec *spec;
	volume_check_fn *fn; /* NULL: cancelled */
	void *arg;
	char *endpoint, *token;
	int n_asked;
	struct error err; /* of the first that failed */
};

struct question {
	struct volume_check *check;
	json_t *volume; /* of the specification; gone when cancelled */
	size_t index;
	bool is_gate;
	char *type, *source, *revision;
};

static void question_free(struct question *question)
{
	free(question->type);
	free(question->source);
	free(question->revision);
	free(question);
}

static void check_free(struct volume_check *check)
{
	if (check->token)
		seal_wipe(check->token, strlen(check->token));
	free(check->token);
	free(check->endpoint);
	free(check);
}

static void question_answered(void *arg, int status, const char *body, size_t len,
                              const struct error *transport);

static void question_send(struct question *question)
{
	struct volume_check *check = question->check;
	const struct configuration *c = check->api->configuration;
	int64_t timeout_ms = c->hub_timeout_s * 1000;
	autobuffer struct buffer url = BUFFER_INIT(8192);
	char *header = xasprintf("Authorization: Bearer %s", check->token);
	const char *headers[] = {*check->token ? header : NULL, NULL};
	struct http_client_request request = {
	        .method = "GET",
	        .headers = headers,
	        .max_response = ANSWER_MAX,
	        .timeout_ms = timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS,
	};

	(void)buffer_printf(&url, "%s/api/%ss/%s/", check->endpoint, question->type,
	                    question->source);
	if (question->is_gate) {
		(void)buffer_add_text(&url, "auth-check");
	} else {
		(void)buffer_add_text(&url, "revision/");
		uri_encode(&url, question->revision);
		(void)buffer_add_text(&url, "?expand[]=sha&expand[]=gated");
	}
	request.url = buffer_text(&url);
	http_client_send(check->api->client, &request, question_answered, question);
	seal_wipe(header, strlen(header));
	free(header);
}

static int question_judge(const struct question *question, int status,
                          const struct error *transport, struct error *err)
{
	const struct volume_check *check = question->check;
	const char *headers = http_client_answer_headers(check->api->client);
	autofree char *code = hub_header(headers, "X-Error-Code");
	autofree char *message = hub_header(headers, "X-Error-Message");
	struct hub_repository about = {.endpoint = check->endpoint,
	                               .type = question->type,
	                               .source = question->source,
	                               .revision = question->revision,
	                               .has_token = *check->token};

	if (status == 200)
		return 0;
	if (status == 0)
		return fail(
		        err, E_UNAVAILABLE,
		        "The Hub %s does not answer (%s), so the %s %s cannot be looked up; try "
		        "later",
		        check->endpoint, transport->text, question->type, question->source);
	(void)hub_refusal(&about, status, code ? code : "", message ? message : "", err);
	return error_prefix(err, "volumes[%zu]", question->index);
}

/* True: there is one question more. */
static bool question_take(struct question *question, const char *body, size_t len,
                          struct error *err)
{
	autojson json_t *info = NULL;
	const json_t *gated;
	const char *commit;

	if (question->is_gate || json_parse(body, len, "the Hub's answer", &info, err) < 0)
		return false;
	commit = json_get_text(info, "sha", "");
	if (strlen(commit) < 7 || strspn(commit, "0123456789abcdef") != strlen(commit)) {
		(void)fail(err, E_UNAVAILABLE, "The Hub %s does not tell the commit of the %s %s",
		           question->check->endpoint, question->type, question->source);
		return false;
	}
	json_object_set_new(question->volume, "commit", json_string(commit));
	gated = json_object_get(info, "gated");
	question->is_gate = gated && !json_is_false(gated) && !json_is_null(gated);
	return question->is_gate;
}

static void check_finish(struct volume_check *check)
{
	if (check->fn)
		check->fn(check->arg, check->err.code == E_NONE ? NULL : &check->err);
	check_free(check);
}

static void question_answered(void *arg, int status, const char *body, size_t len,
                              const struct error *transport)
{
	struct question *question = arg;
	struct volume_check *check = question->check;
	struct error err = ERROR_INIT;

	if (check->fn && question_judge(question, status, transport, &err) == 0 &&
	    question_take(question, body, len, &err)) {
		question_send(question);
		return;
	}
	if (err.code == E_INVALID) /* what is wrong is the Hub's answer, not the caller's request */
		err.code = E_UNAVAILABLE;
	if (check->err.code == E_NONE)
		check->err = err;
	question_free(question);
	if (--check->n_asked == 0)
		check_finish(check);
}

static void check_ask(struct volume_check *check, json_t *volume, size_t index)
{
	struct question *question = xcalloc(1, sizeof(*question));

	*question = (struct question){
	        .check = check,
	        .volume = volume,
	        .index = index,
	        .type = xstrdup(json_get_text(volume, "type", "")),
	        .source = xstrdup(json_get_text(volume, "source", "")),
	        .revision = xstrdup(json_get_text(volume, "revision", "main")),
	};
	check->n_asked++;
	question_send(question);
}

/* With the token that the job itself will use. */
static char *check_token(struct api *api, struct http_request *request, struct job_spec *spec)
{
	const char *token = hub_caller_token(api, request);

	if (token)
		json_object_set_new(spec->secrets, VOLUME_TOKEN_SECRET, json_string(token));
	return volume_token_of(api->db, api->configuration, spec->secrets);
}

bool volume_check_start(struct api *api, struct http_request *request, struct job_spec *spec,
                        volume_check_fn *fn, void *arg, struct volume_check **ret)
{
	struct volume_check *check;
	json_t *volume;
	size_t i;

	if (!api->client || !job_volumes_endpoint(api->configuration) ||
	    !job_volumes_need_hub(api->configuration, spec->body))
		return false;
	check = xcalloc(1, sizeof(*check));
	*check = (struct volume_check){.api = api,
	                               .spec = spec,
	                               .fn = fn,
	                               .arg = arg,
	                               .endpoint = hub_endpoint(api),
	                               .token = check_token(api, request, spec),
	                               .err = ERROR_INIT};
	json_array_foreach(json_object_get(spec->body, "volumes"), i, volume)
	{
		if (job_volumes_is_upstream(api->configuration, volume))
			check_ask(check, volume, i);
	}
	*ret = check;
	return true;
}

void volume_check_cancel(struct volume_check *check)
{
	check->fn = NULL;
}
