/* SPDX-License-Identifier: Apache-2.0 */
/* hearth-files walks the folder; its answer is taken line by line over several turns, since there
 * may be a million. */
#include "api/mirror_listing.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOWNLOAD_NOTES ".cache/huggingface/" /* what `hf download --local-dir` leaves there */
#define ENTRIES_MAX 16
#define FRESH_MS 3000
#define LINES_PER_TURN 2000

struct wait {
	struct wait *next;
	mirror_listing_fn *fn;
	void *arg;
};

struct entry {
	struct entry *next; /* newest first */
	struct mirror *mirror;
	char *folder;
	struct mirror_listing listing;
	size_t cap;
	int64_t until_ms; /* 0: it is being made */
	bool is_telling, is_stale;
	struct wait *waits;
	struct file_answer *answer;
	struct digest *digest;
};

struct mirror {
	struct api *api;
	struct entry *entries;
	int count;
};

static void listing_clear(struct mirror_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->files[i].path);
	free(listing->files);
}

static void entry_free(struct entry *entry)
{
	struct entry **link = &entry->mirror->entries;

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	entry->mirror->count--;
	listing_clear(&entry->listing);
	if (entry->answer)
		file_answer_free(entry->answer);
	digest_free(entry->digest);
	free(entry->folder);
	free(entry);
}

/* Questions to hearth-files end when the server does. */
void mirror_free(struct mirror *mirror)
{
	if (!mirror)
		return;
	while (mirror->entries)
		entry_free(mirror->entries);
	free(mirror);
}

static void entry_tell(struct entry *entry, const struct error *err)
{
	entry->is_telling = true;
	while (entry->waits) {
		struct wait *wait = entry->waits;

		entry->waits = wait->next;
		wait->fn(wait->arg, err ? NULL : &entry->listing, err);
		free(wait);
	}
	entry->is_telling = false;
	if (err)
		entry_free(entry);
}

static void entry_add(struct entry *entry, const json_t *line)
{
	struct mirror_listing *listing = &entry->listing;
	const char *path = json_get_text(line, "path", NULL);
	struct mirror_file *file;
	autofree char *text = NULL;
	char digest[DIGEST_SIZE];

	if (!path || listing->count == MIRROR_FILES_MAX ||
	    strncmp(path, DOWNLOAD_NOTES, strlen(DOWNLOAD_NOTES)) == 0)
		return;
	if (listing->count == entry->cap) {
		entry->cap = entry->cap ? 2 * entry->cap : 64;
		listing->files = xrealloc(listing->files, entry->cap * sizeof(*listing->files));
	}
	file = &listing->files[listing->count++];
	*file = (struct mirror_file){.path = xstrdup(path),
	                             .size = json_get_int(line, "size", 0),
	                             .mtime_ns = json_get_int(line, "mtime_ns", 0)};
	text = xasprintf("%s\n%lld %lld\n", path, (long long)file->size, (long long)file->mtime_ns);
	digest_of(text, strlen(text), digest);
	(void)snprintf(file->etag, sizeof(file->etag), "%.40s", digest_hex(digest));
	digest_add(entry->digest, text, strlen(text));
	if (file->mtime_ns / 1000000 > listing->newest_ms)
		listing->newest_ms = file->mtime_ns / 1000000;
}

static int file_compare(const void *a, const void *b)
{
	return strcmp(((const struct mirror_file *)a)->path, ((const struct mirror_file *)b)->path);
}

static void entry_read_more(void *arg)
{
	struct entry *entry = arg;
	char digest[DIGEST_SIZE];

	for (int i = 0; i < LINES_PER_TURN; i++) {
		autojson json_t *line = file_answer_next(entry->answer);

		if (line) {
			entry_add(entry, line);
			continue;
		}
		digest_finish(entry->digest, digest);
		(void)snprintf(entry->listing.commit, sizeof(entry->listing.commit), "%.40s",
		               digest_hex(digest));
		if (entry->listing.count > 0)
			qsort(entry->listing.files, entry->listing.count,
			      sizeof(*entry->listing.files), file_compare);
		file_answer_free(entry->answer);
		entry->answer = NULL;
		entry->until_ms = clock_monotonic_ms() + FRESH_MS;
		entry_tell(entry, NULL);
		return;
	}
	loop_defer(entry->mirror->api->loop, entry_read_more, entry);
}

static void entry_answered(void *arg, struct file_answer *answer, const struct error *err)
{
	struct entry *entry = arg;

	if (!answer) {
		entry_tell(entry, err);
		return;
	}
	file_answer_keep(answer);
	entry->answer = answer;
	entry_read_more(entry);
}

static void mirror_make_room(struct mirror *mirror)
{
	int64_t now = clock_monotonic_ms();
	struct entry *entry, *next, *oldest = NULL;

	for (entry = mirror->entries; entry; entry = next) {
		next = entry->next;
		if (!entry->until_ms || entry->is_telling)
			continue;
		if (entry->until_ms <= now || entry->is_stale)
			entry_free(entry);
		else
			oldest = entry;
	}
	if (mirror->count >= ENTRIES_MAX && oldest)
		entry_free(oldest);
}

static struct entry *entry_new(struct mirror *mirror, const char *folder)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));
	json_t *request = json_pack("{s:s, s:s, s:b, s:i, s:b}", "bucket", folder, "prefix", "",
	                            "recursive", 1, "limit", MIRROR_FILES_MAX, "directories", 0);

	entry->mirror = mirror;
	entry->folder = xstrdup(folder);
	entry->digest = digest_new();
	entry->next = mirror->entries;
	mirror->entries = entry;
	mirror->count++;
	file_worker_run(bucket_service_worker(mirror->api->buckets), "list", request, -1, true,
	                entry_answered, entry);
	return entry;
}

void mirror_list(struct api *api, const char *folder, mirror_listing_fn *fn, void *arg)
{
	struct mirror *mirror = api->mirror;
	struct entry *entry;
	struct wait *wait;

	if (!mirror) {
		mirror = api->mirror = xcalloc(1, sizeof(*mirror));
		mirror->api = api;
	}
	mirror_make_room(mirror);
	for (entry = mirror->entries; entry; entry = entry->next) {
		if (strcmp(entry->folder, folder) == 0 && !entry->is_stale)
			break;
	}
	if (entry && entry->until_ms) {
		bool was_telling = entry->is_telling;

		entry->is_telling = true;
		fn(arg, &entry->listing, NULL);
		entry->is_telling = was_telling;
		return;
	}
	if (!entry)
		entry = entry_new(mirror, folder);
	wait = xcalloc(1, sizeof(*wait));
	*wait = (struct wait){.next = entry->waits, .fn = fn, .arg = arg};
	entry->waits = wait;
}

void mirror_forget(struct api *api, const char *folder)
{
	struct entry *entry = api->mirror ? api->mirror->entries : NULL;

	for (; entry; entry = entry->next) {
		if (strcmp(entry->folder, folder) == 0 && entry->until_ms)
			entry->is_stale = true;
	}
}

const struct mirror_file *mirror_listing_find(const struct mirror_listing *listing,
                                              const char *path)
{
	struct mirror_file key = {.path = (char *)(uintptr_t)path};

	if (listing->count == 0)
		return NULL;
	return bsearch(&key, listing->files, listing->count, sizeof(key), file_compare);
}
