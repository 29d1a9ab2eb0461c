/* SPDX-License-Identifier: Apache-2.0 */
/* One file from a body; and how a FILE line of hearth-files becomes rows. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "hub/file_work.h"
#include "job/bucket_private.h"
#include "job/webhook_service.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void note_chunks(struct bucket_service *service, const char *hash, const char *hex)
{
	size_t len = strlen(hex) / 2;
	autofree uint8_t *table = xmalloc(len + 1);

	if (strlen(hex) % (2 * FILE_WORK_CHUNK_SIZE) != 0 || len == 0)
		return;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		table[i] = (uint8_t)(high << 4 | low);
	}
	chunk_tables_put(service->db, hash, table, len);
}

int bucket_note_file(struct bucket_service *service, const char *bucket_id, const json_t *line,
                     const char *content_type, int64_t uploaded_ms, struct bucket_file *ret)
{
	const char *hash = json_get_text(line, "hash", "");
	const char *chunks = json_get_text(line, "chunks", NULL);
	struct bucket_file file = {
	        .path = json_get_text(line, "path", ""),
	        .size = json_get_int(line, "size", 0),
	        .mtime_ns = json_get_int(line, "mtime_ns", 0),
	        .ctime_ns = json_get_int(line, "ctime_ns", 0),
	        .inode = (uint64_t)json_get_int(line, "inode", 0),
	        .content_type = content_type,
	};

	if (strlen(hash) != BUCKET_HASH_SIZE - 1)
		return -1;
	memcpy(file.hash, hash, BUCKET_HASH_SIZE);
	file.uploaded_ms = uploaded_ms ? uploaded_ms : file.mtime_ns / 1000000;
	if (chunks)
		note_chunks(service, hash, chunks);
	bucket_files_put(service->db, bucket_id, &file);
	*ret = file;
	return 0;
}

struct put {
	struct bucket_service *service;
	struct bucket bucket;
	bucket_entry_fn *entry;
	bucket_done_fn *done;
	void *arg;
	char *path, *caused_by_job;
	struct error refused;
};

static void put_finish(struct put *put, const struct error *err)
{
	bucket_busy_end(put->service, put->bucket.id);
	put->done(put->arg, false, err);
	free(put->path);
	free(put->caused_by_job);
	free(put);
}

static int put_take(struct put *put, const json_t *line, struct error *err)
{
	struct bucket_service *service = put->service;
	struct bucket_file file, old;
	struct bucket_entry entry = {.path = put->path, .file = &file};
	autojson json_t *extra = NULL;
	bool was_there;
	int64_t old_size = 0;

	if (!line)
		return fail(err, E_INTERNAL, "hearth-files gave no answer");
	if (json_get_text(line, "error", NULL))
		return fail(err, E_INVALID, "%s", json_get_text(line, "error", ""));
	was_there = bucket_files_find(service->db, put->bucket.id, put->path, &old);
	if (was_there)
		old_size = old.size;
	if (bucket_note_file(service, put->bucket.id, line, NULL, clock_now_ms(), &file) < 0)
		return fail(err, E_INTERNAL, "hearth-files gave no hash");
	bucket_usage_add(service, put->bucket.id, file.size - old_size, !was_there);
	extra = json_pack("{s:[s]}", "paths", put->path);
	webhook_service_bucket_event(service->webhooks, &put->bucket, "update", "repo.content",
	                             extra, put->caused_by_job);
	put->entry(put->arg, &entry);
	return 0;
}

static void put_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct put *put = arg;
	autojson json_t *line = answer ? file_answer_next(answer) : NULL;
	struct error problem = ERROR_INIT;

	if (!answer)
		put_finish(put, err);
	else
		put_finish(put, put_take(put, line, &problem) < 0 ? &problem : NULL);
}

static void put_refuse(void *arg)
{
	struct put *put = arg;

	put_finish(put, &put->refused);
}

void bucket_put(struct bucket_service *service, const struct bucket *bucket, const char *path,
                int body_fd, int64_t mtime_ns, const char *caused_by_job, bucket_entry_fn *entry,
                bucket_done_fn *done, void *arg)
{
	struct put *put = xcalloc(1, sizeof(*put));
	autofree char *folder = bucket_folder_path(service, bucket);
	autofree char *store = bucket_store_path(service, bucket->namespace_id);
	struct stat body = {0};

	put->service = service;
	put->bucket = *bucket;
	put->entry = entry;
	put->done = done;
	put->arg = arg;
	put->path = xstrdup(path);
	put->caused_by_job = xstrdup(caused_by_job);
	bucket_busy_begin(service, bucket->id);
	if (body_fd >= 0)
		(void)fstat(body_fd, &body);
	if (bucket_path_check(path, &put->refused) < 0 ||
	    bucket_check_quota(service, bucket, body.st_size, &put->refused) < 0) {
		loop_defer(service->loop, put_refuse, put);
		return;
	}
	if (mtime_ns < 0)
		mtime_ns = clock_now_ms() * 1000000;
	file_worker_run(service->worker, "put",
	                json_pack("{s:s,s:s,s:s,s:s,s:I}", "bucket", folder, "store", store, "tmp",
	                          service->tmp, "path", path, "mtime_ns", (json_int_t)mtime_ns),
	                body_fd, true, put_done, put);
}
