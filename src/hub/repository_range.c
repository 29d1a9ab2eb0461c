/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers of ranges: each brings a run of blocks that nobody else fetches. Where the Hub
 * redirects to is remembered per file until it is refused; what fails is tried again, later and
 * later, until the reads are late (repository_file.c).
 */
#include "hub/repository.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 8      /* of one range */
#define FILE_RANGES_MAX 4 /* of one file at once */
#define RANGES_MAX 12
#define RANGES_KEPT_FREE 4 /* for what a read waits for */
#define BUFFERED_MAX ((size_t)64 * 1024 * 1024)
#define HOPS_MAX 5
#define PROGRESS_MIN ((size_t)16 * 1024)
#define URL_FAILURES_MAX 2

struct range {
	struct range *next;
	struct repository_file *file;
	struct hub_transfer *transfer;
	uint32_t first, end, cursor; /* blocks */
	bool is_remembered;          /* asked where the Hub sent us, not the Hub */
	bool is_wrong;               /* what comes is not the file of the list */
	size_t received;
};

static char *file_url(const struct repository_file *file)
{
	const struct repository *repository = file->repository;
	autobuffer struct buffer path = BUFFER_INIT(64 * 1024), url = BUFFER_INIT(256 * 1024);

	if (file->url)
		return xstrdup(file->url);
	repository_tree_path(repository->tree, file->number, &path);
	(void)buffer_add_text(&url, repository->resolve);
	repository_add_path(&url, buffer_text(&path));
	return buffer_take(&url);
}

static void file_forget_url(struct repository_file *file)
{
	free(file->url);
	file->url = NULL;
}

/* What did not come is to be asked for again. */
static void range_give_up(struct range *range)
{
	struct repository_file *file = range->file;

	for (uint32_t index = range->cursor; index < range->end; index++) {
		struct pending *pending = repository_file_pending(file, index);

		if (pending)
			pending->state = PENDING_QUEUED;
	}
	if (range->cursor < range->end)
		block_cache_release(file->repository->cache, &file->key, range->cursor,
		                    range->end - range->cursor);
}

static void range_free(struct range *range)
{
	struct range **link = &range->file->ranges;

	while (*link != range)
		link = &(*link)->next;
	*link = range->next;
	range->file->repository->n_ranges--;
	range_give_up(range);
	free(range);
}

void repository_range_cancel(struct repository_file *file)
{
	while (file->ranges) {
		hub_transfer_cancel(file->ranges->transfer);
		range_free(file->ranges);
	}
}

/* A few bytes and then silence, again and again, is no progress. */
static void range_note_progress(struct range *range, size_t len)
{
	struct repository_file *file = range->file;
	int64_t now = clock_monotonic_ms();

	range->received += len;
	if (range->received < PROGRESS_MIN)
		return;
	file->repository->progress_ms = now;
	file->repository->dead_until_ms = 0;
	file->failures = 0;
	for (uint32_t index = range->cursor; index < range->end; index++) {
		struct pending *pending = repository_file_pending(file, index);

		if (pending)
			pending->since_ms = now;
	}
}

/* Bytes for one block; returns how many. */
static size_t range_fill(struct range *range, struct pending *pending, const char *data, size_t len)
{
	struct repository_file *file = range->file;
	size_t size = repository_file_block_size(file, pending->index);
	size_t n = size - pending->filled < len ? size - pending->filled : len;

	if (!pending->data) {
		pending->data = xmalloc(size);
		file->repository->buffered += BLOCK_BYTES;
	}
	memcpy(pending->data + pending->filled, data, n);
	if (pending->filled + n == size)
		range->cursor++;
	repository_file_arrived(file, pending, n);
	return n;
}

static bool range_data(void *arg, int64_t offset, int64_t total, const char *data, size_t len)
{
	struct range *range = arg;
	struct repository_file *file = range->file;

	if (total >= 0 && total != file->size)
		range->is_wrong = true;
	if (range->is_wrong || range->cursor == range->end)
		return false;
	range_note_progress(range, len);
	while (len > 0 && range->cursor < range->end) {
		struct pending *pending = repository_file_pending(file, range->cursor);
		int64_t at = (int64_t)range->cursor * BLOCK_BYTES + (int64_t)pending->filled;
		size_t n;

		if (offset > at) {
			range->is_wrong = true;
			return false;
		}
		if (offset + (int64_t)len <= at) /* the whole file comes: ours is further on */
			return true;
		data += at - offset;
		len -= (size_t)(at - offset);
		n = range_fill(range, pending, data, len);
		data += n;
		len -= n;
		offset = at + (int64_t)n;
	}
	return true;
}

static void file_retry_later(struct repository_file *file, const struct hub_answer *answer)
{
	int64_t wait = repository_backoff_ms(file->failures++);

	if (answer->retry_after_s > 0 && wait < answer->retry_after_s * 1000)
		wait = answer->retry_after_s * 1000;
	file->retry_at_ms = clock_monotonic_ms() + wait;
	if (file->failures > URL_FAILURES_MAX)
		file_forget_url(file);
}

static void file_refused(struct repository_file *file, const struct hub_answer *answer,
                         bool is_wrong)
{
	struct repository *repository = file->repository;
	autobuffer struct buffer path = BUFFER_INIT(64 * 1024);
	struct error err = ERROR_INIT;

	repository_tree_path(repository->tree, file->number, &path);
	if (is_wrong)
		(void)fail(&err, E_UNAVAILABLE, "what the Hub sends is not the file of its list");
	else
		(void)hub_refusal(&repository->about, answer->status, answer->error_code,
		                  answer->error_message, &err);
	log_warning("%s: %s", buffer_text(&path), err.text);
	repository_file_fail(file, err.code == E_FORBIDDEN ? EACCES : EIO);
}

static bool answer_is_redirect(const struct hub_answer *answer)
{
	return answer->status >= 301 && answer->status <= 308 && answer->status != 304 &&
	       *answer->location;
}

static void file_follow(struct repository_file *file, const struct hub_answer *answer,
                        bool is_remembered)
{
	struct hub_answer too_many = {.status = answer->status, .error_code = ""};

	file->hops = is_remembered ? file->hops + 1 : 1;
	if (file->hops > HOPS_MAX) {
		too_many.error_message = "too many redirects";
		file_refused(file, &too_many, false);
		return;
	}
	file_forget_url(file);
	file->url = xstrdup(answer->location);
}

static void file_judge(struct repository_file *file, const struct hub_answer *answer,
                       bool is_complete, bool is_remembered, bool is_wrong)
{
	int status = answer->status;

	if (is_complete)
		return;
	if (is_wrong) {
		file_refused(file, answer, true);
	} else if (answer_is_redirect(answer)) {
		file_follow(file, answer, is_remembered);
	} else if (status / 100 == 4 && status != 408 && status != 429) {
		if (!is_remembered) {
			file_refused(file, answer, false);
			return;
		}
		/* Its time was over: the Hub gives another one. */
		file_forget_url(file);
		if (file->failures++ > 0)
			file_retry_later(file, answer);
	} else {
		file_retry_later(file, answer);
	}
}

static void range_done(void *arg, const struct hub_answer *answer)
{
	struct range *range = arg;
	struct repository_file *file = range->file;
	bool is_complete = range->cursor == range->end;
	bool is_remembered = range->is_remembered, is_wrong = range->is_wrong;

	/* The Hub itself sends the file: so it will the rest. */
	if (answer->status / 100 == 2 && !file->url && !is_wrong)
		file->url = file_url(file);
	range_free(range);
	file_judge(file, answer, is_complete, is_remembered, is_wrong);
}

static struct pending *file_next_queued(const struct repository_file *file)
{
	struct pending *pending, *first = NULL;

	for (pending = file->pending; pending; pending = pending->next) {
		if (pending->state != PENDING_QUEUED)
			continue;
		if (pending->is_wanted)
			return pending;
		if (!first)
			first = pending;
	}
	return first;
}

static uint32_t pending_run(const struct pending *pending)
{
	uint32_t count = 1;

	for (; count < BLOCKS_MAX && pending->next; pending = pending->next, count++) {
		const struct pending *next = pending->next;

		if (next->index != pending->index + 1 || next->state != PENDING_QUEUED ||
		    next->filled > 0 || next->is_unclaimed)
			break;
	}
	return count;
}

/* How many blocks from `pending` on are ours to fetch now; 0: look again. */
static uint32_t file_claim(struct repository_file *file, struct pending *pending, int64_t now)
{
	struct block_cache *cache = file->repository->cache;
	uint32_t first = pending->index, count = pending_run(pending);
	bool is_there = false;

	if (pending->is_unclaimed)
		return 1;
	if (!block_cache_claim(cache, &file->key, first, count)) {
		count = 1;
		if (!block_cache_claim(cache, &file->key, first, 1)) {
			pending->state = PENDING_ELSEWHERE;
			pending->since_ms = now;
			if (!pending->is_wanted)
				repository_file_pending_drop(file, pending);
			return 0;
		}
	}
	/* It may have come between our look and our claim. */
	for (uint32_t index = first; index < first + count; index++) {
		if (!repository_file_block(file, index))
			continue;
		repository_file_pending_drop(file, repository_file_pending(file, index));
		is_there = file->has_news = true;
	}
	if (is_there)
		block_cache_release(cache, &file->key, first, count);
	return is_there ? 0 : count;
}

static void range_start(struct repository_file *file, struct pending *pending, uint32_t count,
                        int64_t now)
{
	struct repository *repository = file->repository;
	struct range *range = xcalloc(1, sizeof(*range));
	uint32_t last = pending->index + count - 1;
	autofree char *url = file_url(file);
	struct hub_request request = {
	        .url = url,
	        .first = (int64_t)pending->index * BLOCK_BYTES + (int64_t)pending->filled,
	        .last = (int64_t)last * BLOCK_BYTES +
	                (int64_t)repository_file_block_size(file, last) - 1,
	        .stall_s = repository_stall_s(repository),
	        .data = range_data,
	        .done = range_done,
	        .arg = range,
	};

	*range = (struct range){.next = file->ranges,
	                        .file = file,
	                        .first = pending->index,
	                        .cursor = pending->index,
	                        .end = last + 1,
	                        .is_remembered = file->url != NULL};
	for (; pending && pending->index <= last; pending = pending->next) {
		pending->state = PENDING_FETCHING;
		if (!pending->since_ms)
			pending->since_ms = now;
	}
	if (!file->is_fetched)
		block_cache_set_verified(repository->cache, &file->key, false);
	file->is_fetched = true;
	file->ranges = range;
	repository->n_ranges++;
	range->transfer = hub_transfer_start(repository->client, &request);
}

static int file_count_ranges(const struct repository_file *file)
{
	int count = 0;

	for (const struct range *range = file->ranges; range; range = range->next)
		count++;
	return count;
}

void repository_range_start(struct repository_file *file, int64_t now_ms)
{
	struct repository *repository = file->repository;

	while (now_ms >= file->retry_at_ms && repository->n_ranges < RANGES_MAX) {
		struct pending *pending = file_next_queued(file);
		uint32_t count;

		/* Until it is known where the file is, one asks for all. */
		if (!pending || (!file->url && file->ranges))
			return;
		if (!pending->is_wanted && (file_count_ranges(file) >= FILE_RANGES_MAX ||
		                            repository->n_ranges >= RANGES_MAX - RANGES_KEPT_FREE ||
		                            repository->buffered >= BUFFERED_MAX))
			return;
		count = file_claim(file, pending, now_ms);
		if (count > 0)
			range_start(file, pending, count, now_ms);
	}
}
