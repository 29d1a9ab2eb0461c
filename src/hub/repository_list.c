/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders by the tree API, page after page. Many who want the same folder cost one question. A Hub
 * that does not answer is asked again until the time limit is over.
 */
#include "hub/repository.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX ((size_t)64 * 1024 * 1024)

struct waiter {
	struct waiter *next;
	listing_fn *fn;
	void *arg;
};

struct listing {
	struct listing *next;
	struct repository *repository;
	uint32_t folder;
	enum listing_depth depth;
	char *url;
	struct buffer page;
	struct hub_transfer *transfer;
	struct waiter *waiters;
	int failures;
	bool is_too_large;
	int64_t retry_at_ms, since_ms;
};

static char *listing_url(struct repository *repository, uint32_t folder, enum listing_depth depth)
{
	autobuffer struct buffer path = BUFFER_INIT(64 * 1024), url = BUFFER_INIT(256 * 1024);

	repository_tree_path(repository->tree, folder, &path);
	(void)buffer_printf(&url, "%s/tree/%s", repository->api, repository->commit);
	if (path.len > 0)
		(void)buffer_add_byte(&url, '/');
	repository_add_path(&url, buffer_text(&path));
	(void)buffer_printf(&url, "?recursive=%s&expand=false&limit=1000",
	                    depth == LIST_FOLDER ? "false" : "true");
	return buffer_take(&url);
}

static void listing_free(struct listing *listing)
{
	struct listing **link = &listing->repository->listings;

	while (*link != listing)
		link = &(*link)->next;
	*link = listing->next;
	if (listing->transfer)
		hub_transfer_cancel(listing->transfer);
	while (listing->waiters) {
		struct waiter *waiter = listing->waiters;

		listing->waiters = waiter->next;
		free(waiter);
	}
	buffer_clear(&listing->page);
	free(listing->url);
	free(listing);
}

/* Waiters are taken one by one: what one of them does may make another one forget. */
static void listing_tell(struct listing *listing, const struct error *err)
{
	while (listing->waiters) {
		struct waiter *waiter = listing->waiters;

		listing->waiters = waiter->next;
		waiter->fn(waiter->arg, err);
		free(waiter);
	}
	listing_free(listing);
}

static bool listing_data(void *arg, int64_t offset, int64_t total, const char *data, size_t len)
{
	struct listing *listing = arg;

	listing->since_ms = clock_monotonic_ms();
	listing->is_too_large = buffer_add(&listing->page, data, len) < 0;
	return !listing->is_too_large;
}

static void listing_retry(struct listing *listing, const struct hub_answer *answer)
{
	struct repository *repository = listing->repository;
	int64_t now = clock_monotonic_ms(), wait = repository_backoff_ms(listing->failures++);
	struct error err = ERROR_INIT;

	if (answer->retry_after_s > 0 && wait < answer->retry_after_s * 1000)
		wait = answer->retry_after_s * 1000;
	if (now + wait < listing->since_ms + repository->timeout_ms) {
		listing->retry_at_ms = now + wait;
		return;
	}
	if (answer->status)
		(void)hub_refusal(&repository->about, answer->status, answer->error_code,
		                  answer->error_message, &err);
	else
		(void)fail(&err, E_UNAVAILABLE, "The Hub %s does not answer: %s",
		           repository->about.endpoint, answer->problem);
	listing_tell(listing, &err);
}

static void listing_finish(struct listing *listing)
{
	struct repository *repository = listing->repository;

	if (listing->depth != LIST_FOLDER)
		repository_tree_set_all_listed(repository->tree);
	repository_tree_node(repository->tree, listing->folder)->is_listed = true;
	listing_tell(listing, NULL);
}

static void listing_go_on(struct listing *listing, const char *next)
{
	struct repository *repository = listing->repository;

	if (listing->depth == LIST_PEEK) {
		listing->depth = LIST_FOLDER;
		free(listing->url);
		listing->url = listing_url(repository, listing->folder, LIST_FOLDER);
	} else {
		free(listing->url);
		listing->url = xstrdup(next);
	}
	listing->failures = 0;
	listing->retry_at_ms = listing->since_ms = clock_monotonic_ms();
}

static void listing_done(void *arg, const struct hub_answer *answer)
{
	struct listing *listing = arg;
	struct repository *repository = listing->repository;
	autojson json_t *page = NULL;
	struct error err = ERROR_INIT;

	listing->transfer = NULL;
	if (answer->status == 0 || answer->status == 429 || answer->status >= 500 ||
	    (answer->status == 200 && !answer->is_complete)) {
		listing_retry(listing, answer);
		return;
	}
	if (answer->status != 200) {
		(void)hub_refusal(&repository->about, answer->status, answer->error_code,
		                  answer->error_message, &err);
		listing_tell(listing, &err);
		return;
	}
	if (listing->is_too_large)
		(void)fail(&err, E_UNAVAILABLE, "a page of the Hub's list of files is too large");
	if (listing->is_too_large ||
	    json_parse(buffer_text(&listing->page), listing->page.len, "the Hub's list of files",
	               &page, &err) < 0 ||
	    repository_tree_add(repository->tree, page, &err) < 0) {
		listing_tell(listing, &err);
		return;
	}
	/* Where to go on is the Hub's word, but not where our token goes. */
	if (*answer->next && hub_client_is_ours(repository->client, answer->next))
		listing_go_on(listing, answer->next);
	else
		listing_finish(listing);
}

static void listing_start(struct listing *listing)
{
	struct hub_request request = {
	        .url = listing->url,
	        .last = -1,
	        .stall_s = repository_stall_s(listing->repository),
	        .data = listing_data,
	        .done = listing_done,
	        .arg = listing,
	};

	buffer_reset(&listing->page);
	listing->retry_at_ms = 0;
	listing->transfer = hub_transfer_start(listing->repository->client, &request);
}

void repository_list(struct repository *repository, uint32_t folder, enum listing_depth depth,
                     listing_fn *fn, void *arg)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));
	struct listing *listing = repository->listings;

	*waiter = (struct waiter){.fn = fn, .arg = arg};
	while (listing && (listing->folder != folder || listing->depth != depth))
		listing = listing->next;
	if (listing) {
		waiter->next = listing->waiters;
		listing->waiters = waiter;
		return;
	}
	listing = xcalloc(1, sizeof(*listing));
	*listing = (struct listing){.next = repository->listings,
	                            .repository = repository,
	                            .folder = folder,
	                            .depth = depth,
	                            .url = listing_url(repository, folder, depth),
	                            .page = BUFFER_INIT(PAGE_MAX),
	                            .waiters = waiter,
	                            .since_ms = clock_monotonic_ms()};
	repository->listings = listing;
	listing_start(listing);
}

void repository_list_forget(struct repository *repository, void *arg)
{
	for (struct listing *listing = repository->listings; listing; listing = listing->next) {
		for (struct waiter **link = &listing->waiters; *link;) {
			struct waiter *waiter = *link;

			if (waiter->arg != arg) {
				link = &waiter->next;
				continue;
			}
			*link = waiter->next;
			free(waiter);
		}
	}
}

int64_t repository_list_tick(struct repository *repository, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (struct listing *listing = repository->listings; listing; listing = listing->next) {
		if (listing->retry_at_ms && listing->retry_at_ms <= now_ms)
			listing_start(listing);
		else if (listing->retry_at_ms && listing->retry_at_ms < next)
			next = listing->retry_at_ms;
	}
	return next;
}

void repository_list_end(struct repository *repository)
{
	while (repository->listings)
		listing_free(repository->listings);
}
