/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of the newest kinds of jobs, each with its newest lengths; the kind that was not
 * heard of for longest goes when there are too many. */
#include "job/run_history.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define KINDS_MAX 4096
#define BUCKETS 4096 /* a power of two */
#define LENGTHS_MAX 20
#define LOADED_MAX 8000
#define WORDS 3 /* of the command that make jobs alike */
#define PERCENTILE 80

struct past {
	uint64_t key;
	struct past *next;          /* in its bucket */
	struct past *older, *newer; /* by when it was heard of */
	int count, at;
	int64_t lengths_ms[LENGTHS_MAX]; /* a ring */
};

struct run_history {
	struct past *buckets[BUCKETS];
	struct past *oldest, *newest;
	size_t count;
};

struct run_history *run_history_new(void)
{
	return xcalloc(1, sizeof(struct run_history));
}

void run_history_free(struct run_history *history)
{
	for (struct past *past = history ? history->oldest : NULL, *newer; past; past = newer) {
		newer = past->newer;
		free(past);
	}
	free(history);
}

static uint64_t key_add(uint64_t key, const char *text)
{
	/* The NUL counts too: "a", "bc" is not "ab", "c". */
	for (const char *c = text ? text : "";; c++) {
		key = (key ^ (unsigned char)*c) * 0x100000001b3u;
		if (!*c)
			return key;
	}
}

static uint64_t key_add_words(uint64_t key, const json_t *words, size_t *left)
{
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word)
	{
		if (*left == 0)
			break;
		(*left)--;
		key = key_add(key, json_string_value(word));
	}
	return key;
}

static uint64_t key_of(const char *namespace_id, const char *flavor, const json_t *spec,
                       const json_t *labels, const json_t *initiator)
{
	const char *name = json_get_text(labels, "name", NULL);
	const char *schedule = NULL;
	uint64_t key = key_add(key_add(0xcbf29ce484222325u, namespace_id), flavor);
	size_t left = WORDS;

	if (strcmp(json_get_text(initiator, "type", ""), "scheduled-job") == 0)
		schedule = json_get_text(initiator, "id", NULL);
	if (name || schedule)
		return key_add(key_add(key, name ? "name" : "schedule"), name ? name : schedule);
	key = key_add(key, json_get_text(spec, "dockerImage", ""));
	key = key_add(key, json_get_text(spec, "spaceId", ""));
	key = key_add_words(key, json_object_get(spec, "command"), &left);
	return key_add_words(key, json_object_get(spec, "arguments"), &left);
}

static struct past *past_find(const struct run_history *history, uint64_t key)
{
	struct past *past = history->buckets[key & (BUCKETS - 1)];

	while (past && past->key != key)
		past = past->next;
	return past;
}

static void past_leave_line(struct run_history *history, struct past *past)
{
	*(past->older ? &past->older->newer : &history->oldest) = past->newer;
	*(past->newer ? &past->newer->older : &history->newest) = past->older;
}

static void past_become_newest(struct run_history *history, struct past *past)
{
	past->older = history->newest;
	past->newer = NULL;
	*(past->older ? &past->older->newer : &history->oldest) = past;
	history->newest = past;
}

static void past_become_oldest(struct run_history *history, struct past *past)
{
	past->newer = history->oldest;
	past->older = NULL;
	*(past->newer ? &past->newer->older : &history->newest) = past;
	history->oldest = past;
}

static void history_drop_oldest(struct run_history *history)
{
	struct past *past = history->oldest;
	struct past **at = &history->buckets[past->key & (BUCKETS - 1)];

	while (*at != past)
		at = &(*at)->next;
	*at = past->next;
	past_leave_line(history, past);
	history->count--;
	free(past);
}

/* In no line yet. */
static struct past *past_new(struct run_history *history, uint64_t key)
{
	struct past *past = xcalloc(1, sizeof(*past));

	past->key = key;
	past->next = history->buckets[key & (BUCKETS - 1)];
	history->buckets[key & (BUCKETS - 1)] = past;
	history->count++;
	return past;
}

void run_history_add(struct run_history *history, const struct job_record *job, int64_t running_ms)
{
	uint64_t key =
	        key_of(job->namespace_id, job->flavor, job->spec, job->labels, job->initiator);
	struct past *past = past_find(history, key);

	if (running_ms < 0)
		return;
	if (past) {
		past_leave_line(history, past);
	} else {
		if (history->count == KINDS_MAX)
			history_drop_oldest(history);
		past = past_new(history, key);
	}
	past_become_newest(history, past);
	past->lengths_ms[past->at] = running_ms > 0 ? running_ms : 1;
	past->at = (past->at + 1) % LENGTHS_MAX;
	if (past->count < LENGTHS_MAX)
		past->count++;
}

/* The newest come first here: those that are full already stay as they are. */
static void history_load_one(void *arg, const struct ended_attempt *attempt)
{
	autojson json_t *spec = json_loads(attempt->spec, 0, NULL);
	autojson json_t *labels = json_loads(attempt->labels, 0, NULL);
	autojson json_t *initiator = json_loads(attempt->initiator, 0, NULL);
	uint64_t key = key_of(attempt->namespace_id, attempt->flavor, spec, labels, initiator);
	int64_t running_ms = attempt->ended_ms - attempt->started_ms;
	struct run_history *history = arg;
	struct past *past = past_find(history, key);

	if (running_ms < 0 || (past && past->count == LENGTHS_MAX) ||
	    (!past && history->count == KINDS_MAX))
		return;
	if (!past) {
		past = past_new(history, key);
		past_become_oldest(history, past);
	}
	/* The oldest of the ring is the first to be written over: fill it from its end. */
	past->lengths_ms[LENGTHS_MAX - 1 - past->count++] = running_ms > 0 ? running_ms : 1;
}

static void history_settle_rings(struct run_history *history)
{
	for (struct past *past = history->oldest; past; past = past->newer) {
		memmove(past->lengths_ms, past->lengths_ms + LENGTHS_MAX - past->count,
		        (size_t)past->count * sizeof(past->lengths_ms[0]));
		past->at = past->count % LENGTHS_MAX;
	}
}

void run_history_load(struct run_history *history, struct database *db)
{
	attempts_each_ended(db, LOADED_MAX, history_load_one, history);
	history_settle_rings(history);
}

static int length_compare(const void *a, const void *b)
{
	int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

	return first < second ? -1 : first > second;
}

int64_t run_history_expect(const struct run_history *history, const struct job_record *job)
{
	const struct past *past =
	        past_find(history, key_of(job->namespace_id, job->flavor, job->spec, job->labels,
	                                  job->initiator));
	int64_t sorted[LENGTHS_MAX];

	if (!past)
		return 0;
	memcpy(sorted, past->lengths_ms, sizeof(sorted));
	qsort(sorted, (size_t)past->count, sizeof(sorted[0]), length_compare);
	return sorted[(past->count * PERCENTILE + 99) / 100 - 1];
}
