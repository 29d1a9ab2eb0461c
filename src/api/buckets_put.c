/* SPDX-License-Identifier: Apache-2.0 */
/* PUT /api/buckets/{ns}/{name}/files/{path}: a file from the body, an extension of Hearth for
 * `hearth bucket cp`. */
#include "api/buckets.h"

#include "api/handlers.h"
#include "base/memory.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct put_call {
	struct buckets_call call;
	json_t *entry;
};

static void put_entry(void *arg, const struct bucket_entry *entry)
{
	struct put_call *put = arg;

	put->entry = buckets_entry_json(entry);
}

static void put_done(void *arg, bool has_more, const struct error *err)
{
	struct put_call *put = arg;
	struct http_request *request = put->call.request;

	buckets_call_end(&put->call);
	if (!request)
		json_decref(put->entry);
	else if (err)
		answer_error(request, err);
	else
		answer_value_when_durable(put->call.api, request, 200, put->entry);
	free(put);
}

void buckets_put_file(struct http_request *request, void *context)
{
	const char *mtime = http_query(request, "mtime");
	struct put_call *put;
	char *end = NULL;
	long long ms = mtime ? strtoll(mtime, &end, 10) : -1;
	char job_id[ID_SIZE];
	int empty_fd = -1;

	if (mtime && (!*mtime || *end || ms < 0 || ms > INT64_MAX / 1000000)) {
		answer_fail(request, E_INVALID, "mtime must be milliseconds since 1970");
		return;
	}
	put = xcalloc(1, sizeof(*put));
	buckets_call_init(&put->call, context, request);
	access_set_subject(request, put->call.bucket.id);
	if (http_body_fd(request) < 0)
		empty_fd = memfd_create("empty", MFD_CLOEXEC);
	bucket_put(put->call.api->buckets, &put->call.bucket, http_param(request, "path"),
	           empty_fd >= 0 ? empty_fd : http_body_fd(request), ms < 0 ? -1 : ms * 1000000,
	           caller_job(put->call.api, request, job_id), put_entry, put_done, put);
	if (empty_fd >= 0)
		(void)close(empty_fd);
}
