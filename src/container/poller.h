/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of a monitor: epoll with one callback per descriptor, and timers on the clock of
 * clock_monotonic_ms(). Level-triggered. A callback may remove any watch or timer, its own
 * included.
 */
#ifndef HEARTH_CONTAINER_POLLER_H
#define HEARTH_CONTAINER_POLLER_H

#include <stdint.h>
#include <sys/epoll.h>

struct poller;
struct poller_watch;
struct poller_timer;

struct poller *poller_new(void);
/* All watches and timers must be gone. NULL is fine, here and in the other functions that free. */
void poller_free(struct poller *poller);

/* `events` is EPOLLIN, EPOLLOUT, …; 0 pauses (EPOLLERR and EPOLLHUP still come). The descriptor
 * stays the caller's and must be open until poller_unwatch(). */
struct poller_watch *poller_watch(struct poller *poller, int fd, uint32_t events,
                                  void (*fn)(void *arg, uint32_t events), void *arg);
void poller_change(struct poller_watch *watch, uint32_t events);
void poller_unwatch(struct poller_watch *watch);

/* Made unset. Fires once when `at_ms` (clock_monotonic_ms) is reached; set it again to repeat.
 * A negative `at_ms` unsets it. */
struct poller_timer *poller_timer_new(struct poller *poller, void (*fn)(void *arg), void *arg);
void poller_timer_set(struct poller_timer *timer, int64_t at_ms);
/* The same, but up to `late_ms` later if the poller has something else to do by then: a process
 * that sleeps is cheaper than one that is woken for little things. */
void poller_timer_set_loosely(struct poller_timer *timer, int64_t at_ms, int64_t late_ms);
void poller_timer_free(struct poller_timer *timer);

/* Run callbacks until poller_stop() is called from one of them. */
void poller_run(struct poller *poller);
void poller_stop(struct poller *poller);
/* One turn: wait at most `wait_ms` (-1: until something happens), run what is due. */
void poller_turn(struct poller *poller, int wait_ms);

#endif
