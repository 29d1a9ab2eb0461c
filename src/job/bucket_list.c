/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries of a bucket with their hashes. hearth-files says what is on disk; what the rows do not
 * know, or know of an older file, it hashes in a second run. Everything happens a hundred entries
 * per turn.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/bucket_private.h"
#include "job/bucket_select.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	struct bucket_service *service;
	struct bucket bucket;
	bool is_urgent, has_more;
	bucket_entry_fn *entry;
	bucket_done_fn *done;
	void *arg;
	struct listed *first, **last;
	struct listed *next;          /* to be handed out, or whose hash comes next */
	struct bucket_select *select; /* NULL: entries come in the order that is wanted */
	struct file_answer *answer;
};

static void listing_finish(struct listing *listing, const struct error *err)
{
	listing->done(listing->arg, listing->has_more, err);
	for (struct listed *l = listing->first, *next; l; l = next) {
		next = l->next;
		listed_free(l);
	}
	if (listing->answer)
		file_answer_free(listing->answer);
	bucket_select_free(listing->select);
	free(listing);
}

static void listing_give(void *arg)
{
	struct listing *listing = arg;
	int n = 0;

	for (; listing->next; listing->next = listing->next->next) {
		struct listed *l = listing->next;
		struct bucket_entry entry = {.path = l->path, .is_directory = l->is_directory};

		if (n++ == BUCKET_LINES_PER_TURN) {
			loop_defer(listing->service->loop, listing_give, listing);
			return;
		}
		l->file.path = l->path;
		l->file.content_type = l->content_type;
		entry.file = l->is_directory ? NULL : &l->file;
		if (l->is_directory || l->is_known)
			listing->entry(listing->arg, &entry);
	}
	listing_finish(listing, NULL);
}

static void listing_begin_giving(struct listing *listing)
{
	if (listing->answer)
		file_answer_free(listing->answer);
	listing->answer = NULL;
	listing->next = listing->first;
	listing_give(listing);
}

/* Lines of hashes come in the order of the paths; some may be missing. */
static void listing_take_hash(struct listing *listing, const json_t *line)
{
	const char *path = json_get_text(line, "path", "");
	struct listed *l = listing->next;

	while (l && strcmp(l->path, path) != 0)
		l = l->next;
	if (!l)
		return;
	listing->next = l->next;
	if (bucket_note_file(listing->service, listing->bucket.id, line, NULL, 0, &l->file) == 0)
		l->is_known = true;
}

static void listing_take_hashes(void *arg)
{
	struct listing *listing = arg;

	for (int n = 0; n < BUCKET_LINES_PER_TURN; n++) {
		autojson json_t *line = file_answer_next(listing->answer);

		if (!line) {
			listing_begin_giving(listing);
			return;
		}
		listing_take_hash(listing, line);
	}
	loop_defer(listing->service->loop, listing_take_hashes, listing);
}

static void listing_hashed(void *arg, struct file_answer *answer, const struct error *err)
{
	struct listing *listing = arg;
	struct bucket now;

	if (!answer) {
		listing_finish(listing, err);
		return;
	}
	/* Deleted meanwhile: rows would have no bucket. */
	if (!buckets_find_by_id(listing->service->db, listing->bucket.id, &now)) {
		listing->has_more = false;
		listing_finish(listing, NULL);
		return;
	}
	file_answer_keep(answer);
	listing->answer = answer;
	listing->next = listing->first;
	listing_take_hashes(listing);
}

static void listing_hash(struct listing *listing)
{
	json_t *unknown = json_array();
	autofree char *folder = bucket_folder_path(listing->service, &listing->bucket);
	autofree char *store = bucket_store_path(listing->service, listing->bucket.namespace_id);

	file_answer_free(take_ptr(&listing->answer));
	if (listing->select)
		listing->first = bucket_select_take(listing->select, &listing->has_more);
	for (struct listed *l = listing->first; l; l = l->next)
		if (!l->is_directory && !l->is_known)
			json_array_append_new(unknown, json_string(l->path));
	if (json_array_size(unknown) == 0) {
		json_decref(unknown);
		listing_begin_giving(listing);
		return;
	}
	file_worker_run(
	        listing->service->worker, "hash",
	        json_pack("{s:s,s:s,s:o}", "bucket", folder, "store", store, "paths", unknown), -1,
	        listing->is_urgent, listing_hashed, listing);
}

/* The empty file's hash is known to everybody. */
static void listed_know_empty(struct listing *listing, struct listed *l)
{
	memset(l->file.hash, '0', BUCKET_HASH_SIZE - 1);
	l->is_known = true;
	bucket_files_put(listing->service->db, listing->bucket.id, &l->file);
}

static void listed_look_up(struct listing *listing, struct listed *l)
{
	struct bucket_file known;

	if (bucket_files_find(listing->service->db, listing->bucket.id, l->path, &known) &&
	    known.size == l->file.size && known.mtime_ns == l->file.mtime_ns &&
	    known.ctime_ns == l->file.ctime_ns && known.inode == l->file.inode) {
		l->content_type = xstrdup(known.content_type);
		l->file = known;
		l->is_known = true;
	} else if (l->file.size == 0) {
		l->file.path = l->path;
		listed_know_empty(listing, l);
	}
}

static void listing_take_line(struct listing *listing, const json_t *line)
{
	struct listed *l;

	if (json_get_bool(line, "more", false)) {
		listing->has_more = true;
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->path = xstrdup(json_get_text(line, "path", ""));
	l->is_directory = json_get_bool(line, "directory", false);
	l->file.size = json_get_int(line, "size", 0);
	l->file.mtime_ns = json_get_int(line, "mtime_ns", 0);
	l->file.ctime_ns = json_get_int(line, "ctime_ns", 0);
	l->file.inode = (uint64_t)json_get_int(line, "inode", 0);
	l->file.uploaded_ms = l->file.mtime_ns / 1000000; /* as it will be when it is hashed */
	if (!l->is_directory)
		listed_look_up(listing, l);
	if (listing->select) {
		bucket_select_add(listing->select, l);
		return;
	}
	*listing->last = l;
	listing->last = &l->next;
}

static void listing_take_lines(void *arg)
{
	struct listing *listing = arg;

	for (int n = 0; n < BUCKET_LINES_PER_TURN; n++) {
		autojson json_t *line = file_answer_next(listing->answer);

		if (!line) {
			listing_hash(listing);
			return;
		}
		listing_take_line(listing, line);
	}
	loop_defer(listing->service->loop, listing_take_lines, listing);
}

static void listing_listed(void *arg, struct file_answer *answer, const struct error *err)
{
	struct listing *listing = arg;
	struct bucket now;

	if (!answer || !buckets_find_by_id(listing->service->db, listing->bucket.id, &now)) {
		listing_finish(listing, err);
		return;
	}
	file_answer_keep(answer);
	listing->answer = answer;
	listing_take_lines(listing);
}

static void listing_start(struct bucket_service *service, const struct bucket *bucket,
                          const char *operation, json_t *take_request,
                          struct bucket_select *take_select, bool is_urgent, bucket_entry_fn *entry,
                          bucket_done_fn *done, void *arg)
{
	struct listing *listing = xcalloc(1, sizeof(*listing));
	autofree char *folder = bucket_folder_path(service, bucket);

	listing->service = service;
	listing->bucket = *bucket;
	listing->is_urgent = is_urgent;
	listing->entry = entry;
	listing->done = done;
	listing->arg = arg;
	listing->last = &listing->first;
	listing->select = take_select;
	json_object_set_new(take_request, "bucket", json_string(folder));
	file_worker_run(service->worker, operation, take_request, -1, is_urgent, listing_listed,
	                listing);
}

static json_t *list_request(const struct bucket_list_query *query, bool is_all)
{
	json_t *request =
	        json_pack("{s:s,s:b,s:b}", "prefix", query->prefix, "recursive",
	                  (int)query->is_recursive, "directories", (int)!query->is_recursive);

	if (is_all)
		return request;
	json_object_set_new(request, "limit", json_integer(query->limit));
	if (query->after)
		json_object_set_new(request, "after", json_string(query->after));
	return request;
}

void bucket_list(struct bucket_service *service, const struct bucket *bucket,
                 const struct bucket_list_query *query, bucket_entry_fn *entry,
                 bucket_done_fn *done, void *arg)
{
	struct bucket_select *select = bucket_select_new(query);

	listing_start(service, bucket, "list", list_request(query, select != NULL), select, true,
	              entry, done, arg);
}

void bucket_list_at_leisure(struct bucket_service *service, const struct bucket *bucket,
                            const struct bucket_list_query *query, bucket_entry_fn *entry,
                            bucket_done_fn *done, void *arg)
{
	listing_start(service, bucket, "list", list_request(query, false), NULL, false, entry, done,
	              arg);
}

void bucket_stat(struct bucket_service *service, const struct bucket *bucket,
                 const char *const *paths, size_t count, bucket_entry_fn *entry,
                 bucket_done_fn *done, void *arg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(paths[i]));
	listing_start(service, bucket, "stat", json_pack("{s:o}", "paths", list), NULL, true, entry,
	              done, arg);
}
