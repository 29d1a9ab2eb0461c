/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a client gets a file by hash: its chunk table is cut into groups, each of them a xorb of
 * scheme 0 that exists only on the wire (xet-cas.md 2.5, 5.3). One term and one fetch entry per
 * group; groups with the same content share an entry.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/bucket_private.h"
#include "job/xet_private.h"

#include <stdlib.h>
#include <string.h>

#define URL_LIFE_S 3600
#define GROUPS_PER_TURN 8 /* hashing one takes up to a millisecond */

struct fetch {
	struct fetch *next;
	char xorb[XET_HASH_TEXT_SIZE];
	struct file_group group;
	uint32_t first, end;
};

struct reconstruction {
	struct xet_service *service;
	struct xet_grant grant;
	struct bucket bucket;
	char hash[XET_HASH_TEXT_SIZE];
	int64_t from, to; /* `to` clamped to the size */
	int version;
	char *data_url;
	xet_json_fn *fn;
	void *arg;
	bool was_hashed; /* the table was missing and was made again */
	struct xet_file file;
	struct xet_table table;
	struct file_group group;
	int64_t skipped; /* offset_into_first_range */
	json_t *terms;
	struct fetch *fetches, **last;
};

static void reconstruction_finish(struct reconstruction *r, json_t *take_answer, bool is_beyond,
                                  const struct error *err)
{
	r->fn(r->arg, take_answer, is_beyond, err);
	xet_file_close(&r->file);
	xet_table_close(&r->table);
	json_decref(r->terms);
	for (struct fetch *f = r->fetches, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	free(r->data_url);
	free(r);
}

static json_t *range_json(int64_t start, int64_t end)
{
	return json_pack("{s:I,s:I}", "start", (json_int_t)start, "end", (json_int_t)end);
}

static json_t *fetch_json(const struct reconstruction *r, const struct fetch *fetch)
{
	struct xet_range range = {
	        .group = fetch->group,
	        .first = fetch->first,
	        .end = fetch->end,
	        .expires_s = clock_now_ms() / 1000 + URL_LIFE_S,
	};
	autofree char *url = NULL;
	uint32_t begin, end, ignored;
	json_t *chunks = range_json(fetch->first, fetch->end), *bytes;

	memcpy(range.bucket_id, r->bucket.id, ID_SIZE);
	memcpy(range.hash, r->hash, sizeof(range.hash));
	url = xet_range_url(r->service, &range, r->data_url);
	file_group_locate(&r->table.view, &fetch->group, fetch->first, &begin, &ignored);
	file_group_locate(&r->table.view, &fetch->group, fetch->end, &end, &ignored);
	bytes = range_json(begin, (int64_t)end - 1);
	if (r->version == 1)
		return json_pack("[{s:s,s:o,s:o}]", "url", url, "range", chunks, "url_range",
		                 bytes);
	return json_pack("[{s:s,s:[{s:o,s:o}]}]", "url", url, "ranges", "chunks", chunks, "bytes",
	                 bytes);
}

static void reconstruction_answer(struct reconstruction *r)
{
	json_t *fetches = json_object();

	for (const struct fetch *f = r->fetches; f; f = f->next)
		json_object_set_new(fetches, f->xorb, fetch_json(r, f));
	reconstruction_finish(r,
	                      json_pack("{s:I,s:O,s:o}", "offset_into_first_range",
	                                (json_int_t)r->skipped, "terms", r->terms,
	                                r->version == 1 ? "fetch_info" : "xorbs", fetches),
	                      false, NULL);
}

static void reconstruction_add_fetch(struct reconstruction *r, const char *xorb, uint32_t first,
                                     uint32_t end)
{
	struct fetch *fetch = r->fetches;

	while (fetch && strcmp(fetch->xorb, xorb) != 0)
		fetch = fetch->next;
	if (fetch) {
		fetch->first = first < fetch->first ? first : fetch->first;
		fetch->end = end > fetch->end ? end : fetch->end;
		return;
	}
	fetch = xcalloc(1, sizeof(*fetch));
	memcpy(fetch->xorb, xorb, XET_HASH_TEXT_SIZE);
	fetch->group = r->group;
	fetch->first = first;
	fetch->end = end;
	*r->last = fetch;
	r->last = &fetch->next;
}

/* The part of the present group that lies in [from, to): whole chunks. */
static void reconstruction_add_group(struct reconstruction *r)
{
	const struct file_group *group = &r->group;
	int64_t at = (int64_t)group->offset, first_at = at, bytes = 0;
	uint32_t first = 0, end = 0;
	char xorb[XET_HASH_TEXT_SIZE];
	struct xet_hash hash;

	for (size_t i = group->first; i < group->end && at < r->to; i++) {
		uint32_t length = file_table_length(&r->table.view, i);

		if (at + length <= r->from) {
			first = (uint32_t)(i - group->first) + 1;
			first_at = at + length;
		} else {
			bytes += length;
		}
		at += length;
		end = (uint32_t)(i - group->first) + 1;
	}
	if (json_array_size(r->terms) == 0)
		r->skipped = r->from - first_at;
	file_group_hash(&r->table.view, group, &hash);
	xet_hash_format(&hash, xorb);
	json_array_append_new(r->terms,
	                      json_pack("{s:s,s:I,s:o}", "hash", xorb, "unpacked_length",
	                                (json_int_t)bytes, "range", range_json(first, end)));
	reconstruction_add_fetch(r, xorb, first, end);
}

static void reconstruction_walk(void *arg)
{
	struct reconstruction *r = arg;
	int n = 0;

	while (file_group_next(&r->table.view, &r->group)) {
		if ((int64_t)r->group.offset >= r->to)
			break;
		if ((int64_t)r->group.offset + r->group.data_bytes <= r->from)
			continue;
		reconstruction_add_group(r);
		if (++n == GROUPS_PER_TURN) {
			loop_defer(r->service->loop, reconstruction_walk, r);
			return;
		}
	}
	reconstruction_answer(r);
}

static void reconstruction_begin(void *arg);

static void reconstruction_hashed(void *arg, struct file_answer *answer, const struct error *err)
{
	struct reconstruction *r = arg;
	autojson json_t *line = answer ? file_answer_next(answer) : NULL;
	struct bucket_file file;

	if (line)
		(void)bucket_note_file(r->service->buckets, r->bucket.id, line, NULL, 0, &file);
	if (err)
		reconstruction_finish(r, NULL, false, err);
	else
		reconstruction_begin(r);
}

/* The table may lie with another namespace, from which the bucket was moved. */
static void reconstruction_hash(struct reconstruction *r)
{
	struct bucket_service *buckets = r->service->buckets;
	autofree char *folder = bucket_folder_path(buckets, &r->bucket);
	autofree char *store = bucket_store_path(buckets, r->bucket.namespace_id);
	json_t *request = json_pack("{s:s,s:s,s:[s]}", "bucket", folder, "store", store, "paths",
	                            r->file.path);

	r->was_hashed = true;
	xet_file_close(&r->file);
	file_worker_run(bucket_service_worker(buckets), "hash", request, -1, true,
	                reconstruction_hashed, r);
}

static void reconstruction_begin(void *arg)
{
	struct reconstruction *r = arg;
	struct error err = ERROR_INIT;
	int64_t size;

	if (xet_file_open(r->service, &r->bucket, r->hash, &r->file, &err) < 0) {
		reconstruction_finish(r, NULL, false, &err);
		return;
	}
	size = r->file.size;
	if (r->from >= size) {
		reconstruction_finish(r, NULL, true, NULL);
		return;
	}
	if (xet_table_open(r->service, r->bucket.namespace_id, r->hash, &r->table, &err) < 0) {
		if (err.code == E_NOT_FOUND && !r->was_hashed)
			reconstruction_hash(r);
		else
			reconstruction_finish(r, NULL, false, &err);
		return;
	}
	if (r->to < 0 || r->to > size)
		r->to = size;
	reconstruction_walk(r);
}

static void reconstruction_empty(void *arg)
{
	struct reconstruction *r = arg;

	if (r->from > 0)
		reconstruction_finish(r, NULL, true, NULL);
	else
		reconstruction_answer(r);
}

static void reconstruction_unknown(void *arg)
{
	struct error err = ERROR_INIT;

	(void)fail(&err, E_NOT_FOUND, "The bucket of this token has no file with this hash");
	reconstruction_finish(arg, NULL, false, &err);
}

void xet_reconstruct(struct xet_service *service, const struct xet_grant *grant, const char *hash,
                     int64_t from, int64_t to, int version, const char *data_url, xet_json_fn *fn,
                     void *arg)
{
	struct reconstruction *r = xcalloc(1, sizeof(*r));
	loop_fn *begin = reconstruction_begin;
	struct xet_hash parsed;

	r->service = service;
	r->grant = *grant;
	r->from = from;
	r->to = to;
	r->version = version;
	r->data_url = xstrdup(data_url);
	r->fn = fn;
	r->arg = arg;
	r->file.fd = -1;
	r->terms = json_array();
	r->last = &r->fetches;
	if (!xet_hash_parse(hash, &parsed) ||
	    !buckets_find_by_id(service->db, grant->bucket_id, &r->bucket))
		begin = reconstruction_unknown;
	else if (xet_hash_is_zero(&parsed))
		begin = reconstruction_empty;
	xet_hash_format(&parsed, r->hash);
	loop_defer(service->loop, begin, r);
}
