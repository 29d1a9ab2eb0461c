/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one event loop of hearthd (libuv), cut into turns. Work that a turn collects (database writes)
 * is finished by the turn-end function, after all callbacks of the turn and before the loop sleeps.
 */
#ifndef HEARTH_NET_LOOP_H
#define HEARTH_NET_LOOP_H

#include <stdint.h>
#include <uv.h>

struct loop;
typedef void loop_fn(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *loop);
uv_loop_t *loop_uv(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);

/* Called at the end of every turn in which anything ran; set once, by the server. */
void loop_set_turn_end(struct loop *loop, loop_fn *fn, void *arg);
/* Run `fn` once, later in this turn or in the next one, before the turn-end function. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* One-shot and repeating timers. `first_ms` from now; `repeat_ms` 0 = once. Free to stop. Started at
 * once from its own call, it lets sockets in first. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_start(struct loop_timer *timer, int64_t first_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */

/* Watch a descriptor for UV_READABLE, UV_WRITABLE or UV_DISCONNECT. `fn` gets what happened; 0 says
 * that the descriptor is broken. Free the watch before closing the descriptor. */
typedef void loop_watch_fn(void *arg, int events);
struct loop_watch *loop_watch_new(struct loop *loop, int fd, int events, loop_watch_fn *fn,
				  void *arg);
void loop_watch_set(struct loop_watch *watch, int events); /* 0: pause */
void loop_watch_free(struct loop_watch *watch);		   /* NULL is fine */

#endif
