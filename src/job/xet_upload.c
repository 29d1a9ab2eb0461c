/* SPDX-License-Identifier: Apache-2.0 */
/* Xorbs and shards: checked and stored by hearth-files, then noted. An answer means that the rows
 * are written; the caller holds it back until they are committed. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/xet_hash.h"
#include "job/bucket_private.h"
#include "job/xet_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct upload {
	struct xet_service *service;
	char namespace_id[ID_SIZE];
	char hash[BUCKET_HASH_SIZE];
	xet_result_fn *fn;
	void *arg;
	bool was_new;
	struct error err;
	struct file_answer *answer;
	char last_xorb[BUCKET_HASH_SIZE];
};

static void upload_finish(struct upload *upload, const struct error *err)
{
	if (upload->answer)
		file_answer_free(upload->answer);
	upload->fn(upload->arg, upload->was_new, err);
	free(upload);
}

static void upload_finish_later(void *arg)
{
	struct upload *upload = arg;

	upload_finish(upload, upload->err.code != E_NONE ? &upload->err : NULL);
}

static int64_t xorb_bytes(const struct xet_service *service, const char *namespace_id,
                          const char *hash)
{
	autofree char *path =
	        xasprintf("%s/%s/xorbs/%.2s/%s", service->folder, namespace_id, hash, hash);
	struct stat status;

	return stat(path, &status) == 0 ? status.st_size : -1;
}

static void xorb_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct upload *upload = arg;
	struct xet_service *service = upload->service;
	autojson json_t *line = answer ? file_answer_next(answer) : NULL;

	if (!line) {
		(void)fail(&upload->err, E_INTERNAL, "hearth-files gave no answer");
		upload_finish(upload, err ? err : &upload->err);
		return;
	}
	upload->was_new = json_get_bool(line, "inserted", true);
	xorbs_put(service->db, upload->namespace_id, upload->hash, json_get_int(line, "bytes", 0),
	          clock_now_ms());
	xet_sync_later(service);
	upload_finish(upload, NULL);
}

static struct upload *upload_new(struct xet_service *service, const char *namespace_id, int body_fd,
                                 xet_result_fn *fn, void *arg)
{
	struct upload *upload = xcalloc(1, sizeof(*upload));

	upload->service = service;
	memcpy(upload->namespace_id, namespace_id, ID_SIZE);
	upload->fn = fn;
	upload->arg = arg;
	if (body_fd < 0)
		(void)fail(&upload->err, E_INVALID, "The body is empty");
	return upload;
}

static void xorb_check(struct upload *upload, const char *hash, int body_fd)
{
	struct xet_service *service = upload->service;
	struct stat body = {0};
	struct xet_hash parsed;

	if (!xet_hash_parse(hash, &parsed)) {
		(void)fail(&upload->err, E_INVALID,
		           "The name of a xorb is its hash, 64 hexadecimal digits");
		return;
	}
	xet_hash_format(&parsed, upload->hash);
	if (body_fd >= 0)
		(void)fstat(body_fd, &body);
	if (!xorbs_find(service->db, upload->namespace_id, upload->hash))
		(void)bucket_check_namespace_quota(service->buckets, upload->namespace_id,
		                                   body.st_size, &upload->err);
}

void xet_xorb_put(struct xet_service *service, const char *namespace_id, const char *hash,
                  int body_fd, xet_result_fn *fn, void *arg)
{
	struct upload *upload = upload_new(service, namespace_id, body_fd, fn, arg);
	autofree char *store = bucket_store_path(service->buckets, namespace_id);
	bool is_known;

	if (upload->err.code == E_NONE)
		xorb_check(upload, hash, body_fd);
	is_known = upload->err.code == E_NONE &&
	           xorbs_find(service->db, namespace_id, upload->hash) &&
	           xorb_bytes(service, namespace_id, upload->hash) >= 0;
	if (is_known)
		xorbs_touch(service->db, namespace_id, upload->hash, clock_now_ms());
	if (is_known || upload->err.code != E_NONE)
		loop_defer(service->loop, upload_finish_later, upload);
	else
		file_worker_run(bucket_service_worker(service->buckets), "xorb",
		                json_pack("{s:s,s:s}", "store", store, "hash", upload->hash),
		                body_fd, true, xorb_done, upload);
}

/* What a file refers to is in use again. A xorb may have a file but no row, after a crash. */
static void shard_touch_xorbs(struct upload *upload, const json_t *terms)
{
	struct xet_service *service = upload->service;
	int64_t now_ms = clock_now_ms(), bytes;
	const json_t *term;
	size_t i;

	json_array_foreach(terms, i, term)
	{
		const char *xorb = json_string_value(json_array_get(term, 0));

		if (!xorb || strlen(xorb) != BUCKET_HASH_SIZE - 1 ||
		    strcmp(xorb, upload->last_xorb) == 0)
			continue;
		memcpy(upload->last_xorb, xorb, BUCKET_HASH_SIZE);
		if (xorbs_find(service->db, upload->namespace_id, xorb))
			xorbs_touch(service->db, upload->namespace_id, xorb, now_ms);
		else if ((bytes = xorb_bytes(service, upload->namespace_id, xorb)) >= 0)
			xorbs_put(service->db, upload->namespace_id, xorb, bytes, now_ms);
	}
}

static void shard_take_file(struct upload *upload, const json_t *line)
{
	struct xet_service *service = upload->service;
	const char *hash = json_get_text(line, "hash", "");
	const json_t *terms = json_object_get(line, "terms");
	autofree char *text = json_to_text(terms);

	shard_touch_xorbs(upload, terms);
	registered_files_put(service->db, upload->namespace_id, hash, json_get_int(line, "size", 0),
	                     text, clock_now_ms());
	upload->was_new = true;
}

static void shard_take_files(void *arg)
{
	struct upload *upload = arg;

	for (int n = 0; n < BUCKET_LINES_PER_TURN; n++) {
		autojson json_t *line = file_answer_next(upload->answer);

		if (!line) {
			upload_finish(upload, NULL);
			return;
		}
		shard_take_file(upload, line);
	}
	loop_defer(upload->service->loop, shard_take_files, upload);
}

static void shard_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct upload *upload = arg;

	if (!answer) {
		upload_finish(upload, err);
		return;
	}
	file_answer_keep(answer);
	upload->answer = answer;
	shard_take_files(upload);
}

void xet_shard_put(struct xet_service *service, const char *namespace_id, int body_fd,
                   xet_result_fn *fn, void *arg)
{
	struct upload *upload = upload_new(service, namespace_id, body_fd, fn, arg);
	autofree char *store = bucket_store_path(service->buckets, namespace_id);

	if (upload->err.code != E_NONE)
		loop_defer(service->loop, upload_finish_later, upload);
	else
		file_worker_run(bucket_service_worker(service->buckets), "shard",
		                json_pack("{s:s}", "store", store), body_fd, true, shard_done,
		                upload);
}
