/* SPDX-License-Identifier: Apache-2.0 */
/* Watches and timers that are changed while they run. */
#include "base/clock.h"
#include "container/poller.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
	struct poller *poller;
	struct poller_watch *watches[2];
	struct poller_timer *timers[3];
	int pipes[2][2];
	int calls[3];
};

static void scene_open(struct scene *s)
{
	*s = (struct scene){.poller = poller_new()};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(s->pipes[i]), 0);
		assert_int_equal(write(s->pipes[i][1], "x", 1), 1);
	}
}

static void scene_close(struct scene *s)
{
	for (int i = 0; i < 2; i++) {
		poller_unwatch(s->watches[i]);
		close(s->pipes[i][0]);
		close(s->pipes[i][1]);
	}
	for (int i = 0; i < 3; i++)
		poller_timer_free(s->timers[i]);
	poller_free(s->poller);
}

/* Whichever of two ready watches runs first removes both. */
static void remove_both(void *arg, uint32_t events)
{
	struct scene *s = arg;

	assert_true(events & EPOLLIN);
	s->calls[0]++;
	for (int i = 0; i < 2; i++) {
		poller_unwatch(s->watches[i]);
		s->watches[i] = NULL;
	}
}

static void test_removed_in_the_same_turn(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	for (int i = 0; i < 2; i++)
		s.watches[i] = poller_watch(s.poller, s.pipes[i][0], EPOLLIN, remove_both, &s);
	poller_turn(s.poller, 1000);
	assert_int_equal(s.calls[0], 1);
	poller_turn(s.poller, 0);
	assert_int_equal(s.calls[0], 1);
	scene_close(&s);
}

static void count_and_stop(void *arg, uint32_t events)
{
	struct scene *s = arg;

	(void)events;
	s->calls[1]++;
	poller_stop(s->poller);
}

static void test_pause_and_go_on(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s);
	s.watches[0] = poller_watch(s.poller, s.pipes[0][0], 0, count_and_stop, &s);
	poller_turn(s.poller, 10);
	assert_int_equal(s.calls[1], 0);
	poller_change(s.watches[0], EPOLLIN);
	poller_run(s.poller);
	assert_int_equal(s.calls[1], 1);
	scene_close(&s);
}

static void timer_zero(void *arg)
{
	struct scene *s = arg;

	s->calls[0]++;
	/* Removes one that is due in this very turn. */
	poller_timer_free(s->timers[1]);
	s->timers[1] = NULL;
	poller_timer_set(s->timers[0], 0);
}

static void timer_never(void *arg)
{
	((struct scene *)arg)->calls[1]++;
}

static void timer_stop(void *arg)
{
	struct scene *s = arg;

	s->calls[2]++;
	poller_stop(s->poller);
}

static void test_timers(void **state)
{
	struct scene s;
	int64_t start_ms = clock_monotonic_ms();

	(void)state;
	scene_open(&s);
	s.timers[0] = poller_timer_new(s.poller, timer_zero, &s);
	s.timers[1] = poller_timer_new(s.poller, timer_never, &s);
	s.timers[2] = poller_timer_new(s.poller, timer_stop, &s);
	poller_timer_set(s.timers[2], start_ms + 30);
	poller_timer_set(s.timers[1], start_ms);
	poller_timer_set(s.timers[0], start_ms - 5);
	poller_run(s.poller);
	assert_in_range(clock_monotonic_ms() - start_ms, 30, 500);
	assert_true(s.calls[0] > 1);
	assert_int_equal(s.calls[1], 0);
	assert_int_equal(s.calls[2], 1);
	/* Unset again: not called. */
	poller_timer_set(s.timers[0], -1);
	s.calls[0] = 0;
	poller_turn(s.poller, 5);
	assert_int_equal(s.calls[0], 0);
	scene_close(&s);
}

static void timer_count(void *arg)
{
	(*(int *)arg)++;
}

/* A loose timer waits for company, but not for ever. */
static void test_loose_timers(void **state)
{
	struct scene s;
	int calls[2] = {0, 0};
	int64_t start_ms = clock_monotonic_ms();

	(void)state;
	scene_open(&s);
	s.timers[0] = poller_timer_new(s.poller, timer_count, &calls[0]);
	s.timers[1] = poller_timer_new(s.poller, timer_count, &calls[1]);
	poller_timer_set_loosely(s.timers[0], start_ms + 10, 60000);
	poller_timer_set(s.timers[1], start_ms + 40);
	poller_turn(s.poller, 10000);
	assert_true(clock_monotonic_ms() - start_ms >= 40);
	assert_int_equal(calls[0], 1);
	assert_int_equal(calls[1], 1);
	start_ms = clock_monotonic_ms();
	poller_timer_set_loosely(s.timers[0], start_ms + 10, 20);
	poller_turn(s.poller, 10000);
	assert_in_range(clock_monotonic_ms() - start_ms, 30, 5000);
	assert_int_equal(calls[0], 2);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_removed_in_the_same_turn),
	        cmocka_unit_test(test_pause_and_go_on),
	        cmocka_unit_test(test_timers),
	        cmocka_unit_test(test_loose_timers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
