/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin layer over epoll. Watches removed inside a turn are only marked, because the kernel may
 * already have handed out events for them; they are freed at the end of the turn. Timers are a
 * short list that is looked through: a monitor has less than ten.
 *
 * epoll_wait() does not count suspended time, so a timer can be late by what was left to wait when
 * the machine went to sleep. The monitor's sampler wakes every second, which bounds that.
 */
#include "container/poller.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLLER_EVENTS 16

struct poller_watch {
	struct poller *poller;
	int fd;
	bool is_dead;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
	struct poller_watch *next_dead;
};

struct poller_timer {
	struct poller *poller;
	int64_t at_ms; /* -1: unset */
	int64_t late_ms;
	uint64_t turn; /* in which it ran last */
	void (*fn)(void *arg);
	void *arg;
	struct poller_timer *next;
};

struct poller {
	int epoll_fd;
	int watches;
	bool is_stopped;
	uint64_t turn;
	struct poller_watch *dead;
	struct poller_timer *timers;
};

struct poller *poller_new(void)
{
	struct poller *poller = xcalloc(1, sizeof(*poller));

	poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->epoll_fd < 0)
		BUG("epoll_create1: %s", strerror(errno));
	return poller;
}

static void dead_free(struct poller *poller)
{
	struct poller_watch *watch;

	while ((watch = poller->dead)) {
		poller->dead = watch->next_dead;
		free(watch);
	}
}

void poller_free(struct poller *poller)
{
	if (!poller)
		return;
	if (poller->watches || poller->timers)
		BUG("poller freed with %d watches%s", poller->watches,
		    poller->timers ? " and timers" : "");
	dead_free(poller);
	close(poller->epoll_fd);
	free(poller);
}

struct poller_watch *poller_watch(struct poller *poller, int fd, uint32_t events,
                                  void (*fn)(void *arg, uint32_t events), void *arg)
{
	struct poller_watch *watch = xcalloc(1, sizeof(*watch));
	struct epoll_event event = {.events = events, .data.ptr = watch};

	*watch = (struct poller_watch){.poller = poller, .fd = fd, .fn = fn, .arg = arg};
	if (epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		BUG("cannot watch descriptor %d: %s", fd, strerror(errno));
	poller->watches++;
	return watch;
}

void poller_change(struct poller_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(watch->poller->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0)
		BUG("cannot change the watch of descriptor %d: %s", watch->fd, strerror(errno));
}

void poller_unwatch(struct poller_watch *watch)
{
	struct poller *poller;

	if (!watch)
		return;
	poller = watch->poller;
	(void)epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->is_dead = true;
	watch->next_dead = poller->dead;
	poller->dead = watch;
	poller->watches--;
}

struct poller_timer *poller_timer_new(struct poller *poller, void (*fn)(void *arg), void *arg)
{
	struct poller_timer *timer = xcalloc(1, sizeof(*timer));

	*timer = (struct poller_timer){
	        .poller = poller, .at_ms = -1, .fn = fn, .arg = arg, .next = poller->timers};
	poller->timers = timer;
	return timer;
}

void poller_timer_set(struct poller_timer *timer, int64_t at_ms)
{
	poller_timer_set_loosely(timer, at_ms, 0);
}

void poller_timer_set_loosely(struct poller_timer *timer, int64_t at_ms, int64_t late_ms)
{
	timer->at_ms = at_ms < 0 ? -1 : at_ms;
	timer->late_ms = late_ms;
}

void poller_timer_free(struct poller_timer *timer)
{
	struct poller_timer **at;

	if (!timer)
		return;
	for (at = &timer->poller->timers; *at != timer; at = &(*at)->next)
		;
	*at = timer->next;
	free(timer);
}

/* The one that is due first, of those that did not run in `turn`. */
static struct poller_timer *timer_next(const struct poller *poller, uint64_t turn)
{
	struct poller_timer *found = NULL;

	for (struct poller_timer *t = poller->timers; t; t = t->next) {
		if (t->at_ms >= 0 && t->turn != turn && (!found || t->at_ms < found->at_ms))
			found = t;
	}
	return found;
}

/* Each at most once: one that its callback sets to a time already past runs in the next turn. */
static void timers_run(struct poller *poller)
{
	struct poller_timer *timer;
	int64_t now_ms;

	poller->turn++;
	if (!timer_next(poller, poller->turn))
		return;
	now_ms = clock_monotonic_ms();
	while ((timer = timer_next(poller, poller->turn)) && timer->at_ms <= now_ms) {
		timer->at_ms = -1;
		timer->turn = poller->turn;
		timer->fn(timer->arg);
	}
}

static int turn_wait_ms(const struct poller *poller, int wait_ms)
{
	int64_t at_ms = INT64_MAX, left_ms;

	for (const struct poller_timer *t = poller->timers; t; t = t->next) {
		if (t->at_ms >= 0 && t->at_ms + t->late_ms < at_ms)
			at_ms = t->at_ms + t->late_ms;
	}
	if (at_ms == INT64_MAX)
		return wait_ms;
	left_ms = at_ms - clock_monotonic_ms();
	if (left_ms < 0)
		left_ms = 0;
	if (left_ms > INT_MAX)
		left_ms = INT_MAX;
	return wait_ms < 0 || left_ms < wait_ms ? (int)left_ms : wait_ms;
}

void poller_turn(struct poller *poller, int wait_ms)
{
	struct epoll_event events[POLLER_EVENTS];
	int count;

	/* Those removed between turns are not in any batch any more. */
	dead_free(poller);
	count = epoll_wait(poller->epoll_fd, events, POLLER_EVENTS, turn_wait_ms(poller, wait_ms));
	if (count < 0 && errno != EINTR)
		BUG("epoll_wait: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		struct poller_watch *watch = events[i].data.ptr;

		if (!watch->is_dead)
			watch->fn(watch->arg, events[i].events);
	}
	timers_run(poller);
	dead_free(poller);
}

void poller_run(struct poller *poller)
{
	poller->is_stopped = false;
	while (!poller->is_stopped)
		poller_turn(poller, -1);
}

void poller_stop(struct poller *poller)
{
	poller->is_stopped = true;
}
