/* SPDX-License-Identifier: Apache-2.0 */
/* The queue alone: order, capacity, slots, explanations, and that nothing is ever lost or lent
 * twice. */
#include "../unit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "job/scheduler.h"

#include <stdlib.h>
#include <string.h>

#define GIB (1024 * 1024 * 1024LL)

static const struct flavor small = {.cpu_millis = 1000, .memory_bytes = GIB};
static const struct flavor large = {.cpu_millis = 3000, .memory_bytes = 2 * GIB};

static struct scheduler *make(int64_t max_running)
{
	struct configuration c = {
	        .cpu_millis = 4000, .memory_bytes = 8 * GIB, .max_running = max_running};

	return scheduler_new(&c);
}

static void enqueue(struct scheduler *s, struct scheduler_entry *entry, bool is_retry)
{
	entry->is_retry = is_retry;
	scheduler_enqueue(s, entry);
}

static void the_first_is_never_overtaken(void **state)
{
	struct scheduler *s = make(10);
	struct scheduler_entry a = {.flavor = &large}, b = {.flavor = &large},
	                       c = {.flavor = &small};

	enqueue(s, &a, false);
	enqueue(s, &b, false);
	enqueue(s, &c, false);
	assert_ptr_equal(scheduler_next(s, 1), &a);
	/* c would fit beside a, but b came first. */
	assert_null(scheduler_next(s, 1));
	scheduler_release(s, &a, 1);
	assert_ptr_equal(scheduler_next(s, 1), &b);
	assert_ptr_equal(scheduler_next(s, 1), &c);
	assert_null(scheduler_next(s, 1));
	assert_int_equal(scheduler_usage(s).cpu_millis, 4000);
	assert_int_equal(scheduler_usage(s).memory_bytes, 3 * GIB);
	scheduler_free(s);
}

static void retries_go_first(void **state)
{
	struct scheduler *s = make(10);
	struct scheduler_entry a = {.flavor = &large}, b = {.flavor = &large},
	                       r = {.flavor = &large}, r2 = {.flavor = &large};

	enqueue(s, &a, false);
	enqueue(s, &b, false);
	enqueue(s, &r, true);
	enqueue(s, &r2, true);
	assert_ptr_equal(scheduler_next(s, 1), &r);
	scheduler_release(s, &r, 1);
	assert_ptr_equal(scheduler_next(s, 1), &r2);
	scheduler_release(s, &r2, 1);
	assert_ptr_equal(scheduler_next(s, 1), &a);
	scheduler_free(s);
}

static void slots_are_the_smallest_free(void **state)
{
	struct scheduler *s = make(4);
	struct scheduler_entry e[4];

	for (int i = 0; i < 4; i++) {
		e[i] = (struct scheduler_entry){.flavor = &small};
		enqueue(s, &e[i], false);
		assert_ptr_equal(scheduler_next(s, 1), &e[i]);
		assert_int_equal(e[i].slot, i);
	}
	scheduler_release(s, &e[2], 1);
	scheduler_release(s, &e[1], 1);
	enqueue(s, &e[1], false);
	(void)scheduler_next(s, 1);
	assert_int_equal(e[1].slot, 1);
	enqueue(s, &e[2], false);
	(void)scheduler_next(s, 1);
	assert_int_equal(e[2].slot, 2);
	scheduler_free(s);
}

static void adopted_attempts_keep_their_slots(void **state)
{
	struct scheduler *s = make(10);
	struct scheduler_entry held = {.flavor = &small}, far = {.flavor = &small},
	                       next = {.flavor = &small};

	scheduler_hold(s, &held, 0, NULL, 1, 1);
	scheduler_hold(s, &far, 5000, NULL, 1, 1);
	enqueue(s, &next, false);
	assert_ptr_equal(scheduler_next(s, 1), &next);
	assert_int_equal(next.slot, 1);
	assert_int_equal(scheduler_usage(s).holding, 3);
	scheduler_free(s);
}

static const char *explain(struct scheduler *s, struct scheduler_entry *entry)
{
	static char text[128];

	return scheduler_explain(s, entry, 1, text, sizeof(text)) ? text : "-";
}

static void waiting_is_explained(void **state)
{
	struct scheduler *s = make(2);
	struct scheduler_entry a = {.flavor = &large}, b = {.flavor = &large},
	                       c = {.flavor = &small}, d = {.flavor = &small};

	enqueue(s, &a, false);
	assert_string_equal(explain(s, &a), "-");
	assert_ptr_equal(scheduler_next(s, 1), &a);
	assert_string_equal(explain(s, &a), "-");
	enqueue(s, &b, false);
	enqueue(s, &c, false);
	enqueue(s, &d, false);
	assert_string_equal(explain(s, &b), "-");
	assert_null(scheduler_next(s, 1));
	assert_string_equal(explain(s, &b),
	                    "Waiting for 3 vCPU and 2 GiB: 1 vCPU and 6 GiB are free");
	assert_string_equal(explain(s, &c), "Waiting: 1 job ahead");
	assert_string_equal(explain(s, &d), "Waiting: 2 jobs ahead");
	scheduler_dequeue(s, &b);
	assert_string_equal(explain(s, &d), "Waiting: 1 job ahead");
	assert_ptr_equal(scheduler_next(s, 1), &c);
	assert_null(scheduler_next(s, 1));
	assert_string_equal(explain(s, &d), "Waiting: 2 of 2 jobs are running");
	scheduler_free(s);
}

#define MANY 100000

static void a_long_queue_costs_nothing(void **state)
{
	struct scheduler *s = make(1);
	struct scheduler_entry *entries = xcalloc(MANY, sizeof(*entries));
	int64_t begin_ms = clock_monotonic_ms();

	for (int i = 0; i < MANY; i++) {
		entries[i].flavor = &small;
		enqueue(s, &entries[i], false);
	}
	for (int i = 0; i < MANY; i++) {
		assert_ptr_equal(scheduler_next(s, 1), &entries[i]);
		assert_null(scheduler_next(s, 1));
		scheduler_release(s, &entries[i], 1);
	}
	/* Anything that walks the queue would take minutes. */
	assert_true(clock_monotonic_ms() - begin_ms < 5000);
	free(entries);
	scheduler_free(s);
}

#define ENTRIES 40

/* The sums and slots that the entries themselves say. */
static void check_sums(struct scheduler *s, const struct scheduler_entry *entries)
{
	struct scheduler_usage usage = scheduler_usage(s), sum = {0};
	bool taken[ENTRIES * 2] = {false};

	for (int i = 0; i < ENTRIES; i++) {
		assert_false(entries[i].is_queued && entries[i].is_holding);
		sum.queued += entries[i].is_queued;
		if (!entries[i].is_holding)
			continue;
		sum.holding++;
		sum.cpu_millis += entries[i].flavor->cpu_millis;
		sum.memory_bytes += entries[i].flavor->memory_bytes;
		assert_in_range(entries[i].slot, 0, ENTRIES * 2 - 1);
		assert_false(taken[entries[i].slot]);
		taken[entries[i].slot] = true;
	}
	assert_memory_equal(&usage, &sum, sizeof(sum));
	assert_true(usage.cpu_millis <= 4000 && usage.holding <= 3);
}

static void random_sequences_keep_the_sums(void **state)
{
	struct scheduler *s = make(3);
	struct scheduler_entry entries[ENTRIES] = {0};

	srand(1);
	for (int step = 0; step < 200000; step++) {
		struct scheduler_entry *entry = &entries[rand() % ENTRIES];

		if (entry->is_queued && rand() % 4 == 0) {
			scheduler_dequeue(s, entry);
		} else if (entry->is_holding) {
			scheduler_release(s, entry, 1);
		} else if (!entry->is_queued) {
			entry->flavor = rand() % 2 ? &small : &large;
			enqueue(s, entry, rand() % 3 == 0);
		}
		while (rand() % 2 && scheduler_next(s, 1))
			;
		(void)explain(s, entry);
		check_sums(s, entries);
	}
	scheduler_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_first_is_never_overtaken),
	        cmocka_unit_test(retries_go_first),
	        cmocka_unit_test(slots_are_the_smallest_free),
	        cmocka_unit_test(adopted_attempts_keep_their_slots),
	        cmocka_unit_test(waiting_is_explained),
	        cmocka_unit_test(a_long_queue_costs_nothing),
	        cmocka_unit_test(random_sequences_keep_the_sums),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
