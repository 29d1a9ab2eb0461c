/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of the job. A read whose blocks are all in the cache is answered at once; else it waits,
 * its missing blocks are wanted, and it is looked at again when one of them came or failed. In
 * order, more is asked for ahead: twice as much each time, up to WINDOW_MAX.
 */
#include "hub/repository.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_FIRST 4
#define WINDOW_MAX 32
#define NEAR_BYTES                                                                                 \
	(4LL * BLOCK_BYTES) /* reads of the kernel's own read-ahead may overtake each other */
#define READ_MAX (2 * BLOCK_BYTES)
#define TICK_MS 100
#define ELSEWHERE_MS 10
#define DEAD_MS 3000

size_t repository_file_block_size(const struct repository_file *file, uint32_t index)
{
	int64_t left = file->size - (int64_t)index * BLOCK_BYTES;

	return left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
}

struct block *repository_file_block(const struct repository_file *file, uint32_t index)
{
	return block_cache_find(file->repository->cache, &file->key, index,
	                        repository_file_block_size(file, index));
}

static void file_make_key(struct repository_file *file, const struct tree_node *node)
{
	struct repository *repository = file->repository;
	autobuffer struct buffer path = BUFFER_INIT(64 * 1024);

	if (node->oid_len > 0) {
		block_key_make(&file->key, repository->identity, node->oid, node->oid_len);
		return;
	}
	(void)buffer_printf(&path, "%s ", repository->commit);
	repository_tree_path(repository->tree, file->number, &path);
	block_key_make(&file->key, repository->identity, buffer_text(&path), path.len);
}

struct repository_file *repository_file_get(struct repository *repository, uint32_t number)
{
	struct repository_file **bucket = &repository->files[number % FILE_BUCKETS];
	struct repository_file *file = *bucket;
	const struct tree_node *node = repository_tree_node(repository->tree, number);

	while (file && file->number != number)
		file = file->next;
	if (!file) {
		file = xcalloc(1, sizeof(*file));
		file->repository = repository;
		file->number = number;
		file->size = node->size;
		file->n_blocks = (uint32_t)((node->size + BLOCK_BYTES - 1) / BLOCK_BYTES);
		file_make_key(file, node);
		repository_verify_begin(file);
		file->next = *bucket;
		*bucket = file;
	}
	file->opens++;
	return file;
}

void repository_file_pending_drop(struct repository_file *file, struct pending *pending)
{
	struct pending **link = &file->pending;

	while (*link != pending)
		link = &(*link)->next;
	*link = pending->next;
	if (pending->data)
		file->repository->buffered -= BLOCK_BYTES;
	free(pending->data);
	free(pending);
}

static void file_free(struct repository_file *file)
{
	struct repository_file **link = &file->repository->files[file->number % FILE_BUCKETS];

	while (*link != file)
		link = &(*link)->next;
	*link = file->next;
	repository_range_cancel(file);
	while (file->pending)
		repository_file_pending_drop(file, file->pending);
	/* A kernel that is unmounting does not close what was open. */
	while (file->readers) {
		struct file_reader *reader = file->readers;

		file->readers = reader->next;
		free(reader);
	}
	repository_verify_end(file);
	free(file->url);
	free(file);
}

struct file_reader *repository_file_open(struct repository *repository, uint32_t number)
{
	struct file_reader *reader = xcalloc(1, sizeof(*reader));

	reader->file = repository_file_get(repository, number);
	reader->generation = reader->file->generation;
	reader->next = reader->file->readers;
	reader->file->readers = reader;
	return reader;
}

void repository_file_close(struct file_reader *reader)
{
	struct file_reader **link = &reader->file->readers;

	while (*link != reader)
		link = &(*link)->next;
	*link = reader->next;
	repository_file_put(reader->file);
	free(reader);
}

/* Nobody has it open any more: what was asked for ahead is not needed. */
void repository_file_put(struct repository_file *file)
{
	if (--file->opens == 0 && !file->reads)
		file_free(file);
}

struct pending *repository_file_pending(struct repository_file *file, uint32_t index)
{
	struct pending *pending = file->pending;

	while (pending && pending->index < index)
		pending = pending->next;
	return pending && pending->index == index ? pending : NULL;
}

static void file_add_pending(struct repository_file *file, uint32_t index, bool is_wanted)
{
	struct pending **link = &file->pending, *pending = xcalloc(1, sizeof(*pending));

	while (*link && (*link)->index < index)
		link = &(*link)->next;
	*pending = (struct pending){.next = *link, .index = index, .is_wanted = is_wanted};
	*link = pending;
}

bool repository_file_want(struct repository_file *file, uint32_t first, uint32_t end,
                          bool is_wanted)
{
	bool is_there = true;

	for (uint32_t index = first; index < end && index < file->n_blocks; index++) {
		struct pending *pending = repository_file_pending(file, index);

		if (!pending && repository_file_block(file, index))
			continue;
		is_there = false;
		if (!pending)
			file_add_pending(file, index, is_wanted);
		else if (is_wanted)
			pending->is_wanted = true;
	}
	return is_there;
}

static void read_free(struct file_read *read)
{
	struct file_read **link = &read->file->reads;

	while (*link != read)
		link = &(*link)->next;
	*link = read->next;
	free(read);
}

static int read_copy(const struct repository_file *file, int64_t offset, size_t size, char *data)
{
	while (size > 0) {
		uint32_t index = (uint32_t)(offset / BLOCK_BYTES);
		size_t at = (size_t)(offset % BLOCK_BYTES);
		size_t n = BLOCK_BYTES - at < size ? BLOCK_BYTES - at : size;
		const struct block *block = repository_file_block(file, index);

		if (!block || block_read(block, at, data, n) < 0)
			return -1;
		data += n;
		offset += (int64_t)n;
		size -= n;
	}
	return 0;
}

static void read_answer(struct repository_file *file, fuse_req_t request, int64_t offset,
                        size_t size)
{
	static char data[READ_MAX];

	for (uint32_t index = (uint32_t)(offset / BLOCK_BYTES);
	     (int64_t)index * BLOCK_BYTES < offset + (int64_t)size; index++) {
		if (!repository_verify_read(file, index)) {
			fuse_reply_err(request, EIO);
			return;
		}
	}
	if (read_copy(file, offset, size, data) < 0)
		fuse_reply_err(request, EIO);
	else
		fuse_reply_buf(request, data, size);
}

static void reader_read_ahead(struct file_reader *reader, int64_t offset, size_t size)
{
	int64_t distance = offset - reader->position;
	uint32_t end = (uint32_t)((offset + (int64_t)size - 1) / BLOCK_BYTES) + 1;

	if (distance > NEAR_BYTES || distance < -NEAR_BYTES) {
		reader->window = 0;
		reader->ahead = end;
	} else if (reader->window == 0) {
		reader->window = WINDOW_FIRST;
	}
	reader->position = offset + (int64_t)size;
	if (reader->ahead < end)
		reader->ahead = end;
	/* Half of the window is still to come: then the other half is asked for in large pieces. */
	if (reader->window == 0 || reader->ahead - end > reader->window / 2)
		return;
	(void)repository_file_want(reader->file, reader->ahead, end + reader->window, false);
	reader->ahead = end + reader->window;
	if (reader->window < WINDOW_MAX)
		reader->window *= 2;
}

bool repository_file_read(struct file_reader *reader, fuse_req_t request, int64_t offset,
                          size_t size)
{
	struct repository_file *file = reader->file;
	struct file_read *read;
	bool is_there;

	if (offset >= file->size || size == 0) {
		fuse_reply_buf(request, NULL, 0);
		return true;
	}
	if (reader->generation != file->generation) {
		fuse_reply_err(request, EIO);
		return true;
	}
	if (size > READ_MAX - BLOCK_BYTES)
		size = READ_MAX - BLOCK_BYTES;
	if ((int64_t)size > file->size - offset)
		size = (size_t)(file->size - offset);
	is_there = repository_file_want(file, (uint32_t)(offset / BLOCK_BYTES),
	                                (uint32_t)((offset + (int64_t)size - 1) / BLOCK_BYTES) + 1,
	                                true);
	reader_read_ahead(reader, offset, size);
	if (is_there && offset + (int64_t)size == file->size && repository_verify_holds(file))
		is_there = false;
	if (is_there) {
		read_answer(file, request, offset, size);
	} else if (clock_monotonic_ms() < file->repository->dead_until_ms) {
		fuse_reply_err(request, EIO);
		return true;
	} else {
		read = xcalloc(1, sizeof(*read));
		*read = (struct file_read){.next = file->reads,
		                           .file = file,
		                           .request = request,
		                           .offset = offset,
		                           .size = size};
		file->reads = read;
	}
	repository_range_start(file, clock_monotonic_ms());
	return is_there;
}

void repository_file_interrupt(struct repository_file *file, fuse_req_t request)
{
	struct file_read *read = file->reads;

	while (read && read->request != request)
		read = read->next;
	if (!read)
		return;
	read_free(read);
	fuse_reply_err(request, EINTR);
}

void repository_file_fail(struct repository_file *file, int error_number)
{
	file->has_failed = true;
	while (file->reads) {
		fuse_req_t request = file->reads->request;

		fuse_req_interrupt_func(request, NULL, NULL);
		read_free(file->reads);
		fuse_reply_err(request, error_number);
	}
	repository_range_cancel(file);
	while (file->pending)
		repository_file_pending_drop(file, file->pending);
}

void repository_file_arrived(struct repository_file *file, struct pending *pending, size_t len)
{
	size_t size = repository_file_block_size(file, pending->index);
	struct repository *repository = file->repository;

	pending->filled += len;
	if (pending->filled < size)
		return;
	(void)block_cache_put(repository->cache, &file->key, pending->index,
	                      take_ptr(&pending->data), size);
	repository->buffered -= BLOCK_BYTES;
	block_cache_release(repository->cache, &file->key, pending->index, 1);
	repository_file_pending_drop(file, pending);
	file->has_news = true;
}

/* Another process fetches the block: has it come, or did that process give up? */
static void file_look_elsewhere(struct repository_file *file, int64_t now)
{
	struct pending *pending, *next;

	for (pending = file->pending; pending; pending = next) {
		next = pending->next;
		if (pending->state != PENDING_ELSEWHERE)
			continue;
		if (repository_file_block(file, pending->index)) {
			repository_file_pending_drop(file, pending);
			file->has_news = true;
		} else if (block_cache_claim(file->repository->cache, &file->key, pending->index,
		                             1)) {
			block_cache_release(file->repository->cache, &file->key, pending->index, 1);
			pending->state = PENDING_QUEUED;
		} else if (now - pending->since_ms > file->repository->timeout_ms / 2) {
			pending->is_unclaimed = true;
			pending->state = PENDING_QUEUED;
		}
	}
}

static bool read_is_there(const struct file_read *read)
{
	int64_t end = read->offset + (int64_t)read->size;

	for (int64_t at = read->offset / BLOCK_BYTES; at * BLOCK_BYTES < end; at++) {
		if (!repository_file_block(read->file, (uint32_t)at))
			return false;
	}
	return end < read->file->size || !repository_verify_holds(read->file);
}

/* In the order in which they came: the newest is first in the list. */
static void file_answer_reads(struct repository_file *file)
{
	struct file_read *ready = NULL, *read, *next;

	for (read = file->reads; read; read = next) {
		next = read->next;
		if (!read_is_there(read)) {
			/* A block may have been evicted meanwhile. */
			(void)repository_file_want(
			        file, (uint32_t)(read->offset / BLOCK_BYTES),
			        (uint32_t)((read->offset + (int64_t)read->size - 1) / BLOCK_BYTES) +
			                1,
			        true);
			continue;
		}
		struct file_read **link = &file->reads;

		while (*link != read)
			link = &(*link)->next;
		*link = read->next;
		read->next = ready;
		ready = read;
	}
	for (; ready; ready = next) {
		next = ready->next;
		fuse_req_interrupt_func(ready->request, NULL, NULL);
		read_answer(file, ready->request, ready->offset, ready->size);
		free(ready);
	}
}

/* A block that was begun and has not grown for too long, or a Hub that says nothing at all. */
static bool file_is_late(const struct repository_file *file, int64_t now)
{
	int64_t limit = file->repository->timeout_ms;

	for (const struct pending *pending = file->pending; pending; pending = pending->next) {
		if (pending->is_wanted && pending->since_ms && now - pending->since_ms > limit)
			return true;
	}
	return false;
}

static int64_t file_tick(struct repository_file *file, int64_t now)
{
	int64_t next = file->pending ? now + TICK_MS : INT64_MAX;

	file_look_elsewhere(file, now);
	if (file->has_news) {
		file->has_news = false;
		file_answer_reads(file);
	}
	if (file->pending && file_is_late(file, now)) {
		log_warning("%s %s: the Hub sent nothing for %lld s; reads fail",
		            file->repository->about.type, file->repository->about.source,
		            (long long)file->repository->timeout_ms / 1000);
		file->repository->dead_until_ms = now + DEAD_MS;
		repository_file_fail(file, EIO);
		return INT64_MAX;
	}
	if (file->pending)
		repository_range_start(file, now);
	if (file->retry_at_ms > now && file->retry_at_ms < next)
		next = file->retry_at_ms;
	for (struct pending *pending = file->pending; pending; pending = pending->next) {
		if (pending->state == PENDING_ELSEWHERE)
			return now + ELSEWHERE_MS;
	}
	return file->has_news ? now : next;
}

int64_t repository_file_tick(struct repository *repository, int64_t now_ms)
{
	int64_t next = INT64_MAX;

	for (int i = 0; i < FILE_BUCKETS; i++) {
		struct repository_file *file, *following;

		for (file = repository->files[i]; file; file = following) {
			int64_t at = file_tick(file, now_ms);

			following = file->next;
			next = at < next ? at : next;
			if (file->opens == 0 && !file->reads)
				file_free(file);
		}
	}
	return next;
}

void repository_file_end_all(struct repository *repository)
{
	for (int i = 0; i < FILE_BUCKETS; i++) {
		while (repository->files[i]) {
			repository_file_fail(repository->files[i], EIO);
			file_free(repository->files[i]);
		}
	}
}
