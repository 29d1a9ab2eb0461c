/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scheduler costs with a long queue: a server of 512 CPUs and 16 cards that is full, and COUNT
 * entries of SPACES namespaces, with all that makes it hard: priorities, limits of namespaces and users,
 * flavors with and without cards, every length of limit. Jobs end and come in turn for ROUNDS rounds.
 *
 *	scheduler_speed [COUNT [SPACES [ROUNDS]]]	one JSON object with times in microseconds
 */
#include "job/scheduler.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GIB (1024 * 1024 * 1024LL)
#define CARDS 16
#define START_MS INT64_C(1700000000000)
#define FLAVOR(name_, cpus_, gib_) \
	.name = (char *)(name_), .cpu_millis = (cpus_)*1000, .memory_bytes = (gib_)*GIB
#define CARD(count_, shares_) .device_kind = (char *)"x/gpu", .device_count = (count_), .device_shares = (shares_)

static const struct flavor flavors[] = {
	{ FLAVOR("small", 1, 2) },	       { FLAVOR("medium", 4, 16) },
	{ FLAVOR("large", 64, 256) },	       { FLAVOR("memory", 2, 500) },
	{ FLAVOR("gpu-1", 2, 8), CARD(1, 1) }, { FLAVOR("gpu-4", 8, 32), CARD(4, 1) },
	{ FLAVOR("quarter", 1, 2), CARD(1, 4) },
};
#define FLAVORS (sizeof(flavors) / sizeof(flavors[0]))

struct times {
	double *all;
	size_t count;
};

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void times_add(struct times *times, int64_t since_ns)
{
	times->all = xrealloc(times->all, (times->count + 1) * sizeof(double));
	times->all[times->count++] = (double)(now_ns() - since_ns) / 1000;
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return first < second ? -1 : first > second;
}

static void times_print(const struct times *times, const char *name, const char *after)
{
	if (times->count == 0)
		return;
	qsort(times->all, times->count, sizeof(double), compare);
	printf("\"%s\":{\"count\":%zu,\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}%s", name, times->count,
	       times->all[times->count / 2], times->all[times->count * 99 / 100], times->all[times->count - 1],
	       after);
}

struct bench {
	struct scheduler *scheduler;
	struct scheduler_entry *entries;
	int count, spaces, made;
	int64_t now_ms;
	struct times decision, pass, submit, explain, list;
};

static void bench_submit(struct bench *b, struct scheduler_entry *entry)
{
	int i = b->made++;

	*entry = (struct scheduler_entry){
		.flavor = &flavors[(size_t)(i * 31) % FLAVORS],
		.arrived_ms = b->now_ms,
		.limit_ms = 60000 * (1 + i * 17 % 300),
		.expected_ms = i % 2 ? 30000 * (1 + i * 17 % 300) : 0,
		.priority = i % 10 == 0,
	};
	snprintf(entry->namespace_id, ID_SIZE, "n%d", i * 7 % b->spaces);
	snprintf(entry->user_id, ID_SIZE, "u%d", i * 7 % b->spaces / 2);
	scheduler_enqueue(b->scheduler, entry);
}

static void bench_pass(struct bench *b)
{
	int64_t begin_ns = now_ns(), at_ns = begin_ns;

	while (scheduler_next(b->scheduler, b->now_ms)) {
		times_add(&b->decision, at_ns);
		at_ns = now_ns();
	}
	times_add(&b->decision, at_ns);
	times_add(&b->pass, begin_ns);
}

static void bench_explain(struct bench *b)
{
	int64_t begin_ns = now_ns();
	char text[512];
	int told = 0;

	for (int i = 0; i < b->count && told < 1000; i++)
		told += scheduler_explain(b->scheduler, &b->entries[i], b->now_ms, text, sizeof(text));
	times_add(&b->explain, begin_ns);
}

static void see(void *arg, const struct scheduler_view *view)
{
	*(size_t *)arg += strlen(view->why);
}

static void bench_round(struct bench *b, int round)
{
	int64_t begin_ns;
	size_t len = 0;
	int ended = rand() % b->count;

	while (!b->entries[ended].is_holding)
		ended = (ended + 1) % b->count;
	b->now_ms += 500;
	scheduler_release(b->scheduler, &b->entries[ended], b->now_ms);
	bench_pass(b);
	bench_submit(b, &b->entries[ended]);
	begin_ns = now_ns();
	(void)scheduler_next(b->scheduler, b->now_ms);
	times_add(&b->submit, begin_ns);
	if (round % 20 || getenv("NOLOOK"))
		return;
	b->now_ms += 1000;
	bench_explain(b);
	begin_ns = now_ns();
	b->now_ms += 1000;
	scheduler_each(b->scheduler, b->now_ms, SIZE_MAX, see, &len);
	times_add(&b->list, begin_ns);
}

static void bench_limit(struct bench *b)
{
	const struct scheduler_limits limits = { 8, 4, 100 };

	for (int i = 0; i < b->spaces; i++) {
		char id[ID_SIZE];

		snprintf(id, sizeof(id), "n%d", i);
		scheduler_set_limits(b->scheduler, SCOPE_NAMESPACE, id, &limits);
		snprintf(id, sizeof(id), "u%d", i);
		scheduler_set_limits(b->scheduler, SCOPE_USER, id, &limits);
	}
}

static struct scheduler *bench_scheduler(void)
{
	struct configuration c = { .cpu_millis = 512000, .memory_bytes = 2048 * GIB, .max_running = 4096,
				   .half_life_s = 86400, .backfill = true };
	struct scheduler *scheduler = scheduler_new(&c);
	struct device devices[CARDS];

	for (int i = 0; i < CARDS; i++) {
		devices[i] = (struct device){ .numa_node = i / 8, .is_healthy = true };
		snprintf(devices[i].name, sizeof(devices[i].name), "x/gpu=%d", i);
		snprintf(devices[i].kind, sizeof(devices[i].kind), "x/gpu");
		snprintf(devices[i].model, sizeof(devices[i].model), "X100");
	}
	scheduler_set_devices(scheduler, devices, CARDS);
	return scheduler;
}

int main(int argc, char **argv)
{
	struct bench b = { .count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 10000,
			   .spaces = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1000, .now_ms = START_MS };
	int rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2000;
	int64_t begin_ns;

	/* What fits starts in the first pass: as many wait as were asked for. */
	b.count += 400;
	b.scheduler = bench_scheduler();
	b.entries = xcalloc((size_t)b.count, sizeof(*b.entries));
	bench_limit(&b);
	for (int i = 0; i < b.count; i++)
		bench_submit(&b, &b.entries[i]);
	begin_ns = now_ns();
	bench_pass(&b);
	printf("{\"waiting\":%lld,\"running\":%lld,\"first_pass\":%.2f,",
	       (long long)scheduler_usage(b.scheduler).queued, (long long)scheduler_usage(b.scheduler).holding,
	       (double)(now_ns() - begin_ns) / 1000);
	for (int i = 0; i < rounds; i++)
		bench_round(&b, i);
	times_print(&b.decision, "decision", ",");
	times_print(&b.pass, "pass", ",");
	times_print(&b.submit, "submit", ",");
	times_print(&b.explain, "explain_1000", ",");
	times_print(&b.list, "list_all", "}\n");
	scheduler_free(b.scheduler);
	return 0;
}
