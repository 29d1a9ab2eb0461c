/* SPDX-License-Identifier: Apache-2.0 */
/* hub.fetch = prefetch: everything is in the cache before the job starts. The same transfers as for
 * reads, a few files at once, wanted from first to last block. */
#include "base/clock.h"
#include "base/log.h"
#include "hub/repository.h"

#include <sys/socket.h>

#define FILES_AT_ONCE 4
#define AHEAD_BLOCKS 32
#define REPORT_MS 1000

struct prefetch_file {
	struct repository_file *file;
	uint32_t next; /* blocks before are there */
};

struct prefetch {
	struct repository *repository;
	struct prefetch_file files[FILES_AT_ONCE];
	uint32_t node;
	int64_t done_bytes, total_bytes, report_ms;
};

static void prefetch_report(struct prefetch *prefetch)
{
	int64_t now = clock_monotonic_ms();
	char text[256];
	int len;

	if (now - prefetch->report_ms < REPORT_MS)
		return;
	prefetch->report_ms = now;
	len = snprintf(text, sizeof(text),
	               "{\"type\": \"progress\", \"done\": %lld, \"total\": %lld}",
	               (long long)prefetch->done_bytes, (long long)prefetch->total_bytes);
	(void)send(prefetch->repository->mount->link_fd, text, (size_t)len,
	           MSG_NOSIGNAL | MSG_DONTWAIT);
}

static struct repository_file *prefetch_next_file(struct prefetch *prefetch)
{
	struct repository *repository = prefetch->repository;

	while (prefetch->node < repository_tree_count(repository->tree)) {
		const struct tree_node *node =
		        repository_tree_node(repository->tree, ++prefetch->node);

		if (!node->is_directory && node->size > 0)
			return repository_file_get(repository, prefetch->node);
	}
	return NULL;
}

/* False: it failed. */
static bool prefetch_go_on(struct prefetch *prefetch, struct prefetch_file *one)
{
	struct repository_file *file = one->file;

	while (one->next < file->n_blocks &&
	       repository_file_want(file, one->next, one->next + 1, true)) {
		prefetch->done_bytes += (int64_t)repository_file_block_size(file, one->next);
		if (!repository_verify_read(file, one->next++))
			return false;
	}
	if (file->has_failed)
		return false;
	(void)repository_file_want(file, one->next, one->next + AHEAD_BLOCKS, true);
	repository_range_start(file, clock_monotonic_ms());
	if (one->next == file->n_blocks) {
		repository_file_put(file);
		one->file = NULL;
	}
	return true;
}

static int prefetch_check_room(struct prefetch *prefetch, struct error *err)
{
	struct repository *repository = prefetch->repository;
	int64_t limit = json_integer_value(json_object_get(
	        json_object_get(repository->mount->request, "limits"), "cache_bytes"));

	for (uint32_t i = TREE_ROOT; i <= repository_tree_count(repository->tree); i++)
		prefetch->total_bytes += repository_tree_node(repository->tree, i)->size;
	if (limit > 0 && prefetch->total_bytes > limit)
		return fail(
		        err, E_TOO_LARGE,
		        "The %s %s has %lld bytes and cannot be fetched whole: the cache for "
		        "repositories has %lld (setting hub.cache_limit); hub.fetch = lazy needs "
		        "no room for all",
		        repository->about.type, repository->about.source,
		        (long long)prefetch->total_bytes, (long long)limit);
	return 0;
}

int repository_prefetch(struct repository *repository, struct error *err)
{
	struct prefetch prefetch = {.repository = repository, .node = TREE_ROOT};
	bool is_busy = true;

	if (prefetch_check_room(&prefetch, err) < 0)
		return -1;
	while (is_busy) {
		is_busy = false;
		for (int i = 0; i < FILES_AT_ONCE; i++) {
			struct prefetch_file *one = &prefetch.files[i];

			if (!one->file && (one->file = prefetch_next_file(&prefetch)))
				one->next = 0;
			if (!one->file)
				continue;
			is_busy = true;
			if (!prefetch_go_on(&prefetch, one))
				return fail(err, E_UNAVAILABLE,
				            "The %s %s could not be fetched from %s: see the "
				            "server's log",
				            repository->about.type, repository->about.source,
				            repository->about.endpoint);
		}
		prefetch_report(&prefetch);
		if (is_busy)
			(void)repository_turn(repository, -1, 100);
	}
	return 0;
}
