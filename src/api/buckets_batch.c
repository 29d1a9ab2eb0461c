/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/batch: many changes of files, one JSON object per line (hub-jobs-api 7.6). */
#include "api/buckets.h"

#include "api/access_bucket.h"
#include "api/handlers.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define OPERATIONS_MAX 20000
#define LINES_PER_TURN 200

struct batch_call {
	struct buckets_call call;
	json_t *operations;
	size_t at; /* in the body */
	int line;
};

static void batch_free(struct batch_call *batch)
{
	buckets_call_end(&batch->call);
	json_decref(batch->operations);
	free(batch);
}

static json_t *batch_json(int processed, int succeeded, const json_t *failed)
{
	return json_pack("{s:b,s:i,s:i,s:O}", "success", json_array_size(failed) == 0, "processed",
	                 processed, "succeeded", succeeded, "failed", failed);
}

/* So that whoever looks only at the status reads why. */
static void batch_explain(struct http_request *request, json_t *answer, const json_t *failed)
{
	const json_t *first = json_array_get(failed, 0);
	struct error err = ERROR_INIT;
	size_t more = json_array_size(failed) - 1;

	(void)fail(&err, E_INVALID, "%s: %s", json_get_text(first, "path", ""),
	           json_get_text(first, "error", ""));
	json_object_set_new(answer, "error",
	                    more ? json_sprintf("%s (and %zu more)", err.text, more)
	                         : json_string(err.text));
	for (char *c = err.text; *c; c++)
		*c = *c >= ' ' && *c <= '~' ? *c : '?';
	http_add_header(request, "X-Error-Message", err.text);
}

static void batch_done(void *arg, int processed, int succeeded, const json_t *failed,
                       const struct error *err)
{
	struct batch_call *batch = arg;
	struct http_request *request = batch->call.request;
	struct api *api = batch->call.api;
	bool has_failed = json_array_size(failed) > 0;
	json_t *answer;

	batch_free(batch);
	if (!request)
		return;
	if (err) {
		answer_error(request, err);
		return;
	}
	answer = batch_json(processed, succeeded, failed);
	if (has_failed)
		batch_explain(request, answer, failed);
	answer_value_when_durable(api, request, has_failed ? 422 : 200, answer);
}

/* Which bucket is meant, and may the caller read it? What is not possible is refused with the
 * others. */
static void batch_check_copy(struct batch_call *batch, json_t *operation)
{
	struct access *access = access_of(batch->call.request);
	const char *type = json_get_text(operation, "sourceRepoType", "");
	const char *path = json_get_text(operation, "sourceRepoId", "");
	struct error err = ERROR_INIT;
	struct bucket source;

	if (strcmp(type, "bucket") != 0)
		(void)fail(&err, E_INVALID,
		           "files of a %.20s cannot be copied by this server: download them and "
		           "upload them",
		           *type ? type : "repository");
	else if (access_find_bucket_by_path(access, path, false, &source, &err) == 0)
		json_object_set_new(operation, "sourceBucketId", json_string(source.id));
	if (err.code == E_NOT_FOUND)
		(void)fail(&err, E_NOT_FOUND, "there is no bucket %.200s", path);
	if (err.code != E_NONE)
		json_object_set_new(operation, "refused", json_string(err.text));
}

static int batch_take_line(struct batch_call *batch, const char *text, size_t len,
                           struct error *err)
{
	autojson json_t *operation = NULL;
	char what[32];

	batch->line++;
	if (strspn(text, " \t\r\n") >= len)
		return 0;
	snprintf(what, sizeof(what), "line %d", batch->line);
	if (json_parse(text, len, what, &operation, err) < 0)
		return -1;
	if (!json_is_object(operation))
		return fail(err, E_INVALID, "line %d must be a JSON object", batch->line);
	if (json_array_size(batch->operations) == OPERATIONS_MAX)
		return fail(err, E_TOO_LARGE, "a batch may have at most %d operations",
		            OPERATIONS_MAX);
	/* These are ours to set. */
	(void)json_object_del(operation, "sourceBucketId");
	(void)json_object_del(operation, "refused");
	if (strcmp(json_get_text(operation, "type", ""), "copyFile") == 0)
		batch_check_copy(batch, operation);
	json_array_append(batch->operations, operation);
	return 0;
}

static void batch_take_lines(void *arg)
{
	struct batch_call *batch = arg;
	struct error err = ERROR_INIT;
	char job_id[ID_SIZE];
	size_t len;
	const char *body;

	if (!batch->call.request) {
		batch_free(batch);
		return;
	}
	body = http_body(batch->call.request, &len);
	for (int n = 0; n < LINES_PER_TURN && batch->at < len; n++) {
		const char *line = body + batch->at;
		const char *end = memchr(line, '\n', len - batch->at);
		size_t line_len = end ? (size_t)(end - line) : len - batch->at;

		if (batch_take_line(batch, line, line_len, &err) < 0) {
			struct http_request *request = batch->call.request;

			batch_free(batch);
			answer_error(request, &err);
			return;
		}
		batch->at += line_len + 1;
	}
	if (batch->at < len)
		loop_defer(batch->call.api->loop, batch_take_lines, batch);
	else
		bucket_batch(batch->call.api->buckets, &batch->call.bucket, batch->operations,
		             caller_job(batch->call.api, batch->call.request, job_id), batch_done,
		             batch);
}

void buckets_batch(struct http_request *request, void *context)
{
	struct batch_call *batch = xcalloc(1, sizeof(*batch));

	buckets_call_init(&batch->call, context, request);
	batch->operations = json_array();
	access_set_subject(request, batch->call.bucket.id);
	batch_take_lines(batch);
}
