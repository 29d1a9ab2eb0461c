/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop in turns. libuv calls the prepare handle after all callbacks of an iteration and
 * right before it sleeps: there the deferred functions run, then the turn-end function (which
 * commits the database), and again both while that caused more work. When the work does not end,
 * the loop goes round without sleeping, so that sockets and timers get their share.
 */
#include "net/loop.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>

#define ROUNDS_PER_TURN 8

struct deferred {
	loop_fn *fn;
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t turn;
	uv_idle_t busy; /* active: do not sleep */
	loop_fn *turn_end;
	void *turn_end_arg;
	struct deferred *queue;
	size_t n_queue, cap_queue;
	struct deferred *running; /* the queue that is worked off now */
	size_t cap_running;
};

struct loop_timer {
	uv_timer_t uv;
	loop_fn *fn;
	void *arg;
	bool is_called; /* just now */
};

struct loop_watch {
	uv_poll_t uv;
	loop_watch_fn *fn;
	void *arg;
};

static void run_deferred(struct loop *loop)
{
	struct deferred *batch = loop->queue;
	size_t n = loop->n_queue, cap = loop->cap_queue;

	loop->queue = loop->running;
	loop->cap_queue = loop->cap_running;
	loop->n_queue = 0;
	loop->running = batch;
	loop->cap_running = cap;
	for (size_t i = 0; i < n; i++)
		batch[i].fn(batch[i].arg);
}

static void idle_nothing(uv_idle_t *handle)
{
}

static void end_turn(struct loop *loop)
{
	for (int round = 0; round < ROUNDS_PER_TURN; round++) {
		run_deferred(loop);
		if (loop->turn_end)
			loop->turn_end(loop->turn_end_arg);
		if (loop->n_queue == 0)
			break;
	}
	if (loop->n_queue > 0)
		uv_idle_start(&loop->busy, idle_nothing);
	else
		uv_idle_stop(&loop->busy);
}

static void on_prepare(uv_prepare_t *handle)
{
	end_turn(handle->data);
}

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	if (uv_loop_init(&loop->uv) != 0)
		BUG("no event loop");
	loop->uv.data = loop;
	uv_prepare_init(&loop->uv, &loop->turn);
	loop->turn.data = loop;
	uv_prepare_start(&loop->turn, on_prepare);
	uv_idle_init(&loop->uv, &loop->busy);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	uv_close((uv_handle_t *)&loop->turn, NULL);
	uv_close((uv_handle_t *)&loop->busy, NULL);
	/* Handles that were closed before are freed by their close callbacks. Others are somebody's
	 * leak: leave them, do not wait for them. */
	uv_run(&loop->uv, UV_RUN_NOWAIT);
	(void)uv_loop_close(&loop->uv);
	free(loop->queue);
	free(loop->running);
	free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

void loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	end_turn(loop);
}

void loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

void loop_set_turn_end(struct loop *loop, loop_fn *fn, void *arg)
{
	loop->turn_end = fn;
	loop->turn_end_arg = arg;
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
	if (loop->n_queue == loop->cap_queue) {
		loop->cap_queue = loop->cap_queue ? loop->cap_queue * 2 : 64;
		loop->queue = xrealloc(loop->queue, loop->cap_queue * sizeof(*loop->queue));
	}
	loop->queue[loop->n_queue++] = (struct deferred){.fn = fn, .arg = arg};
}

static void on_timer(uv_timer_t *handle)
{
	struct loop_timer *timer = handle->data;

	timer->is_called = true;
	timer->fn(timer->arg);
	timer->is_called = false;
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_timer *timer = xcalloc(1, sizeof(*timer));

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->fn = fn;
	timer->arg = arg;
	return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t first_ms, int64_t repeat_ms)
{
	/* libuv calls timers until none is due: one that starts itself at once would keep all
	 * others, and every socket, waiting. */
	int64_t least_ms = timer->is_called ? 1 : 0;

	uv_timer_start(&timer->uv, on_timer, (uint64_t)(first_ms > least_ms ? first_ms : least_ms),
	               repeat_ms > 0 ? (uint64_t)repeat_ms : 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct loop_watch *watch = handle->data;

	watch->fn(watch->arg, status < 0 ? 0 : events);
}

struct loop_watch *loop_watch_new(struct loop *loop, int fd, int events, loop_watch_fn *fn,
                                  void *arg)
{
	struct loop_watch *watch = xcalloc(1, sizeof(*watch));

	if (uv_poll_init(&loop->uv, &watch->uv, fd) != 0)
		BUG("descriptor %d cannot be watched", fd);
	watch->uv.data = watch;
	watch->fn = fn;
	watch->arg = arg;
	loop_watch_set(watch, events);
	return watch;
}

void loop_watch_set(struct loop_watch *watch, int events)
{
	if (events)
		uv_poll_start(&watch->uv, events, on_poll);
	else
		uv_poll_stop(&watch->uv);
}

void loop_watch_free(struct loop_watch *watch)
{
	if (!watch)
		return;
	uv_poll_stop(&watch->uv);
	uv_close((uv_handle_t *)&watch->uv, free_handle);
}
