/* SPDX-License-Identifier: Apache-2.0 */
/* The Xet service: wiring; uploads are flushed to disk some seconds after they came, and collected
 * when no client can still refer to them (xet-cas.md 2.7). */
#include "job/xet_service.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/bucket_private.h"
#include "job/xet_private.h"

#include <stdlib.h>
#include <string.h>

#define SYNC_AFTER_MS 5000   /* without an upload, which a flush would slow down, … */
#define SYNC_LATEST_MS 60000 /* … but not for ever */
#define SYNC_AGAIN_MS 60000  /* after a failure */
#define COLLECT_EVERY_MS (60 * 60 * INT64_C(1000))
#define COLLECT_SOON_MS 2000
#define COLLECT_AT_ONCE 100
#define TABLES_AT_ONCE 1000

static void sync_done(void *arg, struct file_answer *answer, const struct error *err)
{
	struct xet_service *service = arg;

	service->is_syncing = false;
	if (err)
		log_warning("uploads are not flushed to disk: %s", err->text);
	else
		xorbs_set_all_durable(service->db, service->sync_before_ms);
	service->is_sync_wanted |= err != NULL;
	if (service->is_sync_wanted)
		loop_timer_start(service->sync_timer, err ? SYNC_AGAIN_MS : SYNC_AFTER_MS, 0);
}

static void sync_now(void *arg)
{
	struct xet_service *service = arg;

	if (service->is_syncing)
		return;
	service->is_syncing = true;
	service->is_sync_wanted = false;
	service->sync_before_ms = clock_now_ms();
	file_worker_run(bucket_service_worker(service->buckets), "sync",
	                json_pack("{s:s}", "folder", service->folder), -1, false, sync_done,
	                service);
}

void xet_sync_later(struct xet_service *service)
{
	int64_t now_ms = clock_monotonic_ms();

	if (!service->is_sync_wanted)
		service->sync_wanted_ms = now_ms;
	service->is_sync_wanted = true;
	if (!service->is_syncing && now_ms - service->sync_wanted_ms < SYNC_LATEST_MS)
		loop_timer_start(service->sync_timer, SYNC_AFTER_MS, 0);
}

struct collected {
	struct xet_service *service;
	int count;
};

static void collect_xorb(void *arg, const char *namespace_id, const char *hash)
{
	struct collected *collected = arg;

	bucket_store_remove(collected->service->buckets, namespace_id, hash);
	collected->count++;
}

/* A little at a time. What a crash leaves of it is a row without a file, which the next upload
 * mends. */
static void collect(void *arg)
{
	struct xet_service *service = arg;
	struct collected collected = {.service = service};
	int64_t before_ms = clock_now_ms() - service->keep_ms, every_ms = COLLECT_EVERY_MS;

	/* First what refers to xorbs, all of it. */
	if (registered_files_forget(service->db, before_ms, COLLECT_AT_ONCE) == COLLECT_AT_ONCE) {
		loop_timer_start(service->collect_timer, COLLECT_SOON_MS, 0);
		return;
	}
	xorbs_take_unused(service->db, before_ms, COLLECT_AT_ONCE, collect_xorb, &collected);
	chunk_tables_forget_unused(service->db, &service->table_cursor, TABLES_AT_ONCE);
	if (every_ms > service->keep_ms / 4)
		every_ms = service->keep_ms / 4;
	if (collected.count == COLLECT_AT_ONCE || service->table_cursor)
		every_ms = COLLECT_SOON_MS;
	loop_timer_start(service->collect_timer, every_ms, 0);
}

static int service_load(struct xet_service *service, struct error *err)
{
	autobuffer struct buffer epoch = BUFFER_INIT(32);
	autoclose int fd = -1;

	service->epoch = server_facts_get(service->db, "cas_epoch", &epoch)
	                         ? (int)strtol(buffer_text(&epoch), NULL, 10)
	                         : 1;
	if (file_open_dir(service->folder, 0750, &fd, err) < 0)
		return -1;
	return seal_key_load(fd, "token.key", &service->key, err);
}

int xet_service_new(struct loop *loop, struct database *db, struct bucket_service *buckets,
                    const char *state_dir, struct xet_service **ret, struct error *err)
{
	struct xet_service *service = xcalloc(1, sizeof(*service));

	service->loop = loop;
	service->db = db;
	service->buckets = buckets;
	service->folder = xasprintf("%s/xet", state_dir);
	service->keep_ms = buckets->configuration->upload_keep_s * 1000;
	if (service_load(service, err) < 0) {
		xet_service_free(service);
		return -1;
	}
	service->sync_timer = loop_timer_new(loop, sync_now, service);
	service->collect_timer = loop_timer_new(loop, collect, service);
	loop_timer_start(service->collect_timer, COLLECT_SOON_MS, 0);
	if (!xorbs_are_all_durable(db)) /* what came shortly before a restart */
		xet_sync_later(service);
	service->prune = xet_prune_new(service);
	*ret = service;
	return 0;
}

void xet_service_free(struct xet_service *service)
{
	if (!service)
		return;
	loop_timer_free(service->sync_timer);
	loop_timer_free(service->collect_timer);
	xet_prune_free(service->prune);
	seal_key_free(service->key);
	free(service->folder);
	free(service);
}

int xet_service_epoch(const struct xet_service *service)
{
	return service->epoch;
}
