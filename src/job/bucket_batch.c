/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of files: from a batch (content by hash), or one from a body. hearth-files makes the
 * files and has them on disk before it answers; then the rows follow. A crash in between costs only
 * that the files are hashed again.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "hub/bucket_path.h"
#include "job/bucket_private.h"
#include "job/webhook_service.h"

#include <stdlib.h>
#include <string.h>

#define TERMS_MAX (64 * 1024 * 1024) /* of one file, as text */
#define EVENT_PATHS_MAX 1000
#define MEDIA_TYPE_MAX 200

struct batch {
	struct bucket_service *service;
	struct bucket bucket;
	bucket_batch_fn *fn;
	void *arg;
	char *caused_by_job;
	json_t *operations; /* of the caller */
	size_t next;
	json_t *types;   /* content types by path */
	json_t *failed;  /* for the caller */
	json_t *changed; /* paths, for webhooks */
	json_t *add, *delete;
	int64_t bytes, files; /* changes */
	int64_t bytes_wanted; /* of all files to be made */
	int processed, succeeded;
	struct file_answer *answer;
};

static void batch_fail(struct batch *batch, const char *path, const char *text)
{
	json_array_append_new(batch->failed, json_pack("{s:s,s:s}", "path", path, "error", text));
}

static void batch_finish(struct batch *batch, const struct error *err)
{
	struct bucket_service *service = batch->service;
	autojson json_t *extra = NULL;

	if (batch->bytes || batch->files || batch->succeeded)
		bucket_usage_add(service, batch->bucket.id, batch->bytes, batch->files);
	if (json_array_size(batch->changed)) {
		extra = json_pack("{s:O}", "paths", batch->changed);
		webhook_service_bucket_event(service->webhooks, &batch->bucket, "update",
		                             "repo.content", extra, batch->caused_by_job);
	}
	bucket_busy_end(service, batch->bucket.id);
	batch->fn(batch->arg, batch->processed, batch->succeeded, batch->failed, err);
	if (batch->answer)
		file_answer_free(batch->answer);
	json_decref(batch->operations);
	json_decref(batch->types);
	json_decref(batch->failed);
	json_decref(batch->changed);
	json_decref(batch->add);
	json_decref(batch->delete);
	free(batch->caused_by_job);
	free(batch);
}

/* How much less is there when this path goes? */
static bool batch_subtract(struct batch *batch, const char *path)
{
	struct bucket_file old;

	if (!bucket_files_find(batch->service->db, batch->bucket.id, path, &old))
		return false;
	batch->bytes -= old.size;
	batch->files--;
	return true;
}

static void batch_take_add(struct batch *batch, const json_t *line, const char *path)
{
	const char *type = json_get_text(batch->types, path, NULL);
	struct bucket_file file;

	(void)batch_subtract(batch, path);
	if (bucket_note_file(batch->service, batch->bucket.id, line, type, clock_now_ms(), &file) <
	    0) {
		batch_fail(batch, path, "the file could not be made");
		return;
	}
	batch->bytes += file.size;
	batch->files++;
	batch->succeeded++;
}

static void batch_take_line(struct batch *batch, const json_t *line)
{
	const char *path = json_get_text(line, "path", "");
	const char *error = json_get_text(line, "error", NULL);

	if (error) {
		batch_fail(batch, path, error);
		return;
	}
	if (!json_object_get(line, "deleted")) {
		batch_take_add(batch, line, path);
	} else {
		batch->succeeded++;
		if (!batch_subtract(batch, path) && json_get_bool(line, "deleted", false))
			batch->files--;
		bucket_files_remove(batch->service->db, batch->bucket.id, path);
	}
	if (json_array_size(batch->changed) < EVENT_PATHS_MAX)
		json_array_append_new(batch->changed, json_string(path));
}

static void batch_take_lines(void *arg)
{
	struct batch *batch = arg;

	for (int n = 0; n < BUCKET_LINES_PER_TURN; n++) {
		autojson json_t *line = file_answer_next(batch->answer);

		if (!line) {
			batch_finish(batch, NULL);
			return;
		}
		batch_take_line(batch, line);
	}
	loop_defer(batch->service->loop, batch_take_lines, batch);
}

static void batch_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct batch *batch = arg;

	if (!answer) {
		/* Some of it may be done. */
		bucket_count_later(batch->service, batch->bucket.id);
		batch_finish(batch, err);
		return;
	}
	file_answer_keep(answer);
	batch->answer = answer;
	batch_take_lines(batch);
}

/* Where is content with this hash, as far as this namespace may know? Adds what hearth-files needs.
 */
static bool batch_find_registered(struct batch *batch, const char *hash, json_t *add)
{
	struct bucket_service *service = batch->service;
	autobuffer struct buffer terms = BUFFER_INIT(TERMS_MAX);
	json_t *list;
	int64_t size;

	if (!registered_files_find(service->db, batch->bucket.namespace_id, hash, &size, &terms))
		return false;
	list = json_loadb(buffer_text(&terms), terms.len, 0, NULL);
	json_object_set_new(add, "size", json_integer(size));
	json_object_set_new(add, "terms", list ? list : json_array());
	batch->bytes_wanted += size;
	return true;
}

/* A copy of a file that is untouched since it was hashed need not be hashed again. */
static json_t *source_facts(const struct bucket_file *file)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "size", (json_int_t)file->size, "mtime_ns",
	                 (json_int_t)file->mtime_ns, "ctime_ns", (json_int_t)file->ctime_ns,
	                 "inode", (json_int_t)file->inode);
}

static void batch_set_source(struct batch *batch, json_t *add, const char *bucket_id,
                             const struct bucket_file *file)
{
	struct bucket source;
	autofree char *folder = NULL;

	if (!buckets_find_by_id(batch->service->db, bucket_id, &source))
		return;
	folder = bucket_folder_path(batch->service, &source);
	json_object_set_new(add, "from", json_string(folder));
	json_object_set_new(add, "from_path", json_string(file->path));
	json_object_set_new(add, "size", json_integer(file->size));
	json_object_set_new(add, "source", source_facts(file));
	batch->bytes_wanted += file->size;
}

static bool batch_find_in_buckets(struct batch *batch, const char *hash, json_t *add)
{
	struct bucket_file file;
	char id[ID_SIZE];

	if (!bucket_files_find_in_namespace(batch->service->db, batch->bucket.namespace_id, hash,
	                                    id, &file))
		return false;
	batch_set_source(batch, add, id, &file);
	return true;
}

struct source_search {
	struct batch *batch;
	json_t *add;
	const char *bucket_id;
};

static bool batch_take_source(void *arg, const struct bucket_file *file)
{
	struct source_search *search = arg;

	batch_set_source(search->batch, search->add, search->bucket_id, file);
	return false;
}

static bool batch_find(struct batch *batch, const json_t *operation, const char *hash, json_t *add)
{
	const char *source = json_get_text(operation, "sourceBucketId", NULL);
	struct source_search search = {batch, add, source};

	if (strspn(hash, "0") == BUCKET_HASH_SIZE - 1) {
		json_object_set_new(add, "size", json_integer(0));
		json_object_set_new(add, "terms", json_array());
		return true;
	}
	if (!source)
		return batch_find_registered(batch, hash, add) ||
		       batch_find_in_buckets(batch, hash, add);
	bucket_files_each_with_hash(batch->service->db, source, hash, batch_take_source, &search);
	return json_object_get(add, "from");
}

static int64_t operation_mtime_ns(const json_t *operation)
{
	int64_t ms = json_get_int(operation, "mtime", -1);

	if (ms < 0 || ms > INT64_MAX / 1000000 - 1)
		return clock_now_ms() * 1000000;
	return ms * 1000000 + json_get_int(operation, "mtimeNanos", 0);
}

/* It becomes a header. */
static bool is_media_type(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return len > 2 && len <= MEDIA_TYPE_MAX && strchr(text, '/');
}

static void batch_add(struct batch *batch, const json_t *operation, const char *path)
{
	const char *given = json_get_text(operation, "xetHash", "");
	const char *type = json_get_text(operation, "contentType", NULL);
	char hash[BUCKET_HASH_SIZE] = "";
	json_t *add;

	if (strlen(given) == BUCKET_HASH_SIZE - 1 &&
	    strspn(given, "0123456789abcdefABCDEF") == BUCKET_HASH_SIZE - 1)
		for (size_t i = 0; i < BUCKET_HASH_SIZE - 1; i++)
			hash[i] = (char)(given[i] | (given[i] >= 'A' ? 0x20 : 0));
	if (!*hash) {
		batch_fail(batch, path, "xetHash must be 64 hexadecimal digits");
		return;
	}
	add = json_pack("{s:s,s:s,s:I}", "path", path, "hash", hash, "mtime_ns",
	                (json_int_t)operation_mtime_ns(operation));
	if (!batch_find(batch, operation, hash, add)) {
		batch_fail(batch, path,
		           json_object_get(operation, "sourceBucketId")
		                   ? "the source bucket has no file with this xetHash"
		                   : "unknown xet hash: upload the content first");
		json_decref(add);
		return;
	}
	json_array_append_new(batch->add, add);
	if (type && is_media_type(type))
		json_object_set_new(batch->types, path, json_string(type));
}

static void batch_prepare(struct batch *batch, const json_t *operation)
{
	const char *type = json_get_text(operation, "type", "");
	const char *path = json_get_text(operation, "path", "");
	const char *refused = json_get_text(operation, "refused", NULL);
	struct error err = ERROR_INIT;

	batch->processed++;
	if (refused)
		batch_fail(batch, path, refused);
	else if (bucket_path_check(path, &err) < 0)
		batch_fail(batch, path, err.text);
	else if (strcmp(type, "deleteFile") == 0)
		json_array_append_new(batch->delete, json_string(path));
	else if (strcmp(type, "addFile") == 0 || strcmp(type, "copyFile") == 0)
		batch_add(batch, operation, path);
	else
		batch_fail(batch, path, "type must be addFile, copyFile or deleteFile");
}

static void batch_run(void *arg)
{
	struct batch *batch = arg;
	struct bucket_service *service = batch->service;
	autofree char *folder = bucket_folder_path(service, &batch->bucket);
	autofree char *store = bucket_store_path(service, batch->bucket.namespace_id);
	struct error err = ERROR_INIT;

	if (batch->bytes_wanted &&
	    bucket_check_quota(service, &batch->bucket, batch->bytes_wanted, &err) < 0) {
		batch_finish(batch, &err);
		return;
	}
	if (json_array_size(batch->add) + json_array_size(batch->delete) == 0) {
		batch_finish(batch, NULL);
		return;
	}
	file_worker_run(service->worker, "batch",
	                json_pack("{s:s,s:s,s:s,s:O,s:O}", "bucket", folder, "store", store, "tmp",
	                          service->tmp, "add", batch->add, "delete", batch->delete),
	                -1, true, batch_done, batch);
}

static struct batch *batch_new(struct bucket_service *service, const struct bucket *bucket,
                               const char *caused_by_job, bucket_batch_fn *fn, void *arg)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));

	batch->service = service;
	batch->bucket = *bucket;
	batch->fn = fn;
	batch->arg = arg;
	batch->caused_by_job = xstrdup(caused_by_job);
	batch->types = json_object();
	batch->failed = json_array();
	batch->changed = json_array();
	batch->add = json_array();
	batch->delete = json_array();
	bucket_busy_begin(service, bucket->id);
	return batch;
}

static void batch_prepare_some(void *arg)
{
	struct batch *batch = arg;
	size_t count = json_array_size(batch->operations), n = 0;

	for (; batch->next < count && n < BUCKET_LINES_PER_TURN; batch->next++, n++)
		batch_prepare(batch, json_array_get(batch->operations, batch->next));
	loop_defer(batch->service->loop, batch->next < count ? batch_prepare_some : batch_run,
	           batch);
}

void bucket_batch(struct bucket_service *service, const struct bucket *bucket,
                  const json_t *operations, const char *caused_by_job, bucket_batch_fn *fn,
                  void *arg)
{
	struct batch *batch = batch_new(service, bucket, caused_by_job, fn, arg);

	batch->operations = json_incref((json_t *)(uintptr_t)operations);
	loop_defer(service->loop, batch_prepare_some, batch);
}
