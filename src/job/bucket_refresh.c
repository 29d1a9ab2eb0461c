/* SPDX-License-Identifier: Apache-2.0 */
/* How much is in a bucket: roughly at once, exactly some seconds after the last change; and what a
 * job wrote into one that it had mounted. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/bucket_private.h"
#include "job/webhook_service.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_AFTER_MS 5000
#define REFRESH_PAGE 1000
#define EVENT_PATHS_MAX 1000

void bucket_usage_add(struct bucket_service *service, const char *bucket_id, int64_t bytes,
                      int64_t files)
{
	struct bucket bucket;

	if (!buckets_find_by_id(service->db, bucket_id, &bucket))
		return;
	bucket.size += bytes;
	bucket.files += files;
	buckets_set_usage(service->db, bucket_id, bucket.size > 0 ? bucket.size : 0,
	                  bucket.files > 0 ? bucket.files : 0, clock_now_ms());
	bucket_count_later(service, bucket_id);
}

static void count_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct bucket_state *state = arg;
	struct bucket_service *service = state->service;
	autojson json_t *line = answer ? file_answer_next(answer) : NULL;
	struct bucket bucket;

	state->is_counting = false;
	/* Changed meanwhile: the next count is right. */
	if (line && !state->is_count_wanted && !state->busy &&
	    buckets_find_by_id(service->db, state->entry.id, &bucket) &&
	    (json_get_int(line, "size", 0) != bucket.size ||
	     json_get_int(line, "files", 0) != bucket.files))
		buckets_set_usage(service->db, bucket.id, json_get_int(line, "size", 0),
		                  json_get_int(line, "files", 0), bucket.updated_ms);
	if (state->is_count_wanted)
		loop_timer_start(state->count_timer, COUNT_AFTER_MS, 0);
	bucket_state_release(state);
}

static void count_now(void *arg)
{
	struct bucket_state *state = arg;
	struct bucket_service *service = state->service;
	autofree char *folder = NULL;
	struct bucket bucket;

	if (state->is_counting)
		return;
	state->is_count_wanted = false;
	if (!buckets_find_by_id(service->db, state->entry.id, &bucket)) {
		bucket_state_release(state);
		return;
	}
	state->is_counting = true;
	folder = bucket_folder_path(service, &bucket);
	file_worker_run(service->worker, "usage", json_pack("{s:s}", "bucket", folder), -1, false,
	                count_done, state);
}

void bucket_count_later(struct bucket_service *service, const char *bucket_id)
{
	struct bucket_state *state = bucket_state_of(service, bucket_id);

	state->is_count_wanted = true;
	if (!state->count_timer)
		state->count_timer = loop_timer_new(service->loop, count_now, state);
	loop_timer_start(state->count_timer, COUNT_AFTER_MS, 0);
}

struct refresh {
	struct bucket_service *service;
	struct bucket bucket;
	char *job_id;
	char *after;
	int64_t size, files;
	json_t *changed;
};

static void refresh_page(struct refresh *refresh);

/* Whatever was modified after the last time that we looked. */
static void refresh_entry(void *arg, const struct bucket_entry *entry)
{
	struct refresh *refresh = arg;

	refresh->size += entry->file->size;
	refresh->files++;
	free(refresh->after);
	refresh->after = xstrdup(entry->path);
	if (entry->file->ctime_ns / 1000000 > refresh->bucket.updated_ms &&
	    json_array_size(refresh->changed) < EVENT_PATHS_MAX)
		json_array_append_new(refresh->changed, json_string(entry->path));
}

static void refresh_finish(struct refresh *refresh)
{
	struct bucket_service *service = refresh->service;
	struct bucket now;

	if (buckets_find_by_id(service->db, refresh->bucket.id, &now) &&
	    (json_array_size(refresh->changed) || now.size != refresh->size ||
	     now.files != refresh->files)) {
		autojson json_t *extra = json_pack("{s:O}", "paths", refresh->changed);

		buckets_set_usage(service->db, now.id, refresh->size, refresh->files,
		                  clock_now_ms());
		webhook_service_bucket_event(service->webhooks, &now, "update", "repo.content",
		                             extra, refresh->job_id);
		bucket_count_later(service, now.id);
	}
	json_decref(refresh->changed);
	free(refresh->after);
	free(refresh->job_id);
	free(refresh);
}

static void refresh_done(void *arg, bool has_more, const struct error *err)
{
	struct refresh *refresh = arg;

	if (err)
		log_warning("what job %s wrote into the bucket %s/%s was not all looked at: %s",
		            refresh->job_id, refresh->bucket.namespace_name, refresh->bucket.name,
		            err->text);
	if (has_more && !err && refresh->after)
		refresh_page(refresh);
	else
		refresh_finish(refresh);
}

static void refresh_page(struct refresh *refresh)
{
	autofree char *after = xstrdup(refresh->after);

	bucket_list_at_leisure(refresh->service, &refresh->bucket,
	                       &(struct bucket_list_query){
	                               .prefix = "",
	                               .is_recursive = true,
	                               .after = after,
	                               .limit = REFRESH_PAGE,
	                       },
	                       refresh_entry, refresh_done, refresh);
}

void bucket_refresh(struct bucket_service *service, const char *bucket_id, const char *job_id)
{
	struct refresh *refresh;
	struct bucket bucket;

	if (!buckets_find_by_id(service->db, bucket_id, &bucket))
		return;
	refresh = xcalloc(1, sizeof(*refresh));
	refresh->service = service;
	refresh->bucket = bucket;
	refresh->job_id = xstrdup(job_id);
	refresh->changed = json_array();
	refresh_page(refresh);
}
