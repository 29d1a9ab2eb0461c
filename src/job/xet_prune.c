/* SPDX-License-Identifier: Apache-2.0 */
/* Files in the stores of namespaces that no row names: xorbs whose row a crash has lost, chunk
 * tables that nobody has asked for. hearth-files looks for them, one store after the other, twice a
 * day. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/bucket_private.h"
#include "job/xet_private.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define PRUNE_FIRST_MAX_MS (10 * 60 * INT64_C(1000))
#define PRUNE_EVERY_MAX_MS (24 * 3600 * INT64_C(1000))
#define PRUNES_PER_LIFE 60 /* so often while something is kept */
#define NS_PER_MS INT64_C(1000000)

struct xet_prune {
	struct xet_service *service;
	struct loop_timer *timer;
	char (*stores)[ID_SIZE]; /* namespaces that are still to be looked at; the last one is next
	                          */
	size_t count;
	char store[ID_SIZE];        /* the present one, */
	struct file_answer *answer; /* with what was found there */
	int removed;
};

static void prune_next(struct xet_prune *prune);

/* A row that comes now is of a xorb that was uploaded again: its file is new, so it was not found.
 */
static void take_line(struct xet_prune *prune, const json_t *line)
{
	const char *hash = json_get_text(line, "xorb", NULL);

	prune->removed += (int)json_get_int(line, "removed", 0);
	if (!hash || xorbs_find(prune->service->db, prune->store, hash))
		return;
	bucket_store_remove(prune->service->buckets, prune->store, hash);
	prune->removed++;
}

static void take_lines(void *arg)
{
	struct xet_prune *prune = arg;

	for (int n = 0; n < BUCKET_LINES_PER_TURN; n++) {
		autojson json_t *line = file_answer_next(prune->answer);

		if (!line) {
			file_answer_free(prune->answer);
			prune->answer = NULL;
			prune_next(prune);
			return;
		}
		take_line(prune, line);
	}
	loop_timer_start(prune->timer, 0, 0);
}

static void prune_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct xet_prune *prune = arg;

	if (!answer) {
		log_warning("looking for uploads that nobody needs: %s", err->text);
		prune_next(prune);
		return;
	}
	file_answer_keep(answer);
	prune->answer = answer;
	take_lines(prune);
}

static void prune_next(struct xet_prune *prune)
{
	struct xet_service *service = prune->service;
	int64_t every_ms = service->keep_ms / PRUNES_PER_LIFE;
	int64_t before_ns = (clock_now_ms() - service->keep_ms) * NS_PER_MS;

	if (prune->count == 0) {
		if (prune->removed > 0)
			log_info("removed %d files of uploads that nobody needs", prune->removed);
		prune->removed = 0;
		loop_timer_start(prune->timer,
		                 every_ms < PRUNE_EVERY_MAX_MS ? every_ms : PRUNE_EVERY_MAX_MS, 0);
		return;
	}
	memcpy(prune->store, prune->stores[--prune->count], ID_SIZE);
	autofree char *store = bucket_store_path(service->buckets, prune->store);
	file_worker_run(bucket_service_worker(service->buckets), "prune",
	                json_pack("{s:s,s:I}", "store", store, "before_ns", (json_int_t)before_ns),
	                -1, false, prune_done, prune);
}

static void prune_begin(struct xet_prune *prune)
{
	autodir DIR *dir = opendir(prune->service->folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!id_is_valid(entry->d_name))
			continue;
		prune->stores =
		        xrealloc(prune->stores, (prune->count + 1) * sizeof(*prune->stores));
		memcpy(prune->stores[prune->count++], entry->d_name, ID_SIZE);
	}
	prune_next(prune);
}

static void on_timer(void *arg)
{
	struct xet_prune *prune = arg;

	if (prune->answer)
		take_lines(prune);
	else
		prune_begin(prune);
}

struct xet_prune *xet_prune_new(struct xet_service *service)
{
	struct xet_prune *prune = xcalloc(1, sizeof(*prune));
	int64_t first_ms = service->keep_ms / PRUNES_PER_LIFE;

	prune->service = service;
	prune->timer = loop_timer_new(service->loop, on_timer, prune);
	loop_timer_start(prune->timer,
	                 first_ms < PRUNE_FIRST_MAX_MS ? first_ms : PRUNE_FIRST_MAX_MS, 0);
	return prune;
}

void xet_prune_free(struct xet_prune *prune)
{
	if (!prune)
		return;
	loop_timer_free(prune->timer);
	file_answer_free(prune->answer);
	free(prune->stores);
	free(prune);
}
