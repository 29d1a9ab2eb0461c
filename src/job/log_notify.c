/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth of logs by inotify: one instance for all, made with the first watch and closed with the
 * last. When the kernel gives no instance or no more watches, the logs without one are looked at
 * every 200 ms.
 */
#include "job/log_private.h"

#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define POLL_MS 200
#define POLLED (-2) /* in place of a watch */

static struct {
	struct log_source **sources;
	size_t count, cap;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	size_t n_polled;
	bool is_open;
} notify;

static struct log_source *find(int watch)
{
	for (size_t i = 0; i < notify.count; i++)
		if (notify.sources[i]->watch == watch)
			return notify.sources[i];
	return NULL;
}

static void tell_all(int watch)
{
	/* From the end: a follower that hears of it may let its log go. */
	for (size_t i = notify.count; i-- > 0;)
		if (i < notify.count && (watch == 0 || notify.sources[i]->watch == watch))
			log_source_grown(notify.sources[i]);
}

static void on_events(void *arg, int events)
{
	union {
		char bytes[16 * 1024];
		struct inotify_event align;
	} space;
	ssize_t n = read(notify.fd, space.bytes, sizeof(space.bytes));
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		struct inotify_event event;
		memcpy(&event, space.bytes + at, sizeof(event));
		at += (ssize_t)(sizeof(event) + event.len);
		if (event.mask & IN_Q_OVERFLOW) {
			tell_all(0);
			return;
		}
		struct log_source *source = event.mask & IN_IGNORED ? NULL : find(event.wd);
		if (source)
			log_source_grown(source);
		if (!notify.is_open)
			return;
	}
}

static void on_timer(void *arg)
{
	tell_all(POLLED);
}

static void notify_open(struct loop *loop)
{
	notify.is_open = true;
	notify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	notify.timer = loop_timer_new(loop, on_timer, NULL);
	if (notify.fd >= 0)
		notify.watch = loop_watch_new(loop, notify.fd, UV_READABLE, on_events, NULL);
}

static void notify_close(void)
{
	loop_watch_free(notify.watch);
	loop_timer_free(notify.timer);
	if (notify.fd >= 0)
		(void)close(notify.fd);
	free(notify.sources);
	memset(&notify, 0, sizeof(notify));
}

static void start_polling(struct log_source *source, int why)
{
	if (notify.n_polled++ == 0) {
		log_warning("logs are polled: inotify gives no watch: %s", strerror(why));
		loop_timer_start(notify.timer, POLL_MS, POLL_MS);
	}
	source->watch = POLLED;
}

void log_notify_add(struct log_source *source)
{
	char path[64];
	if (source->is_complete || source->watch != -1)
		return;
	if (!notify.is_open)
		notify_open(source->loop);
	if (notify.count == notify.cap) {
		notify.cap = notify.cap ? notify.cap * 2 : 16;
		notify.sources = xrealloc(notify.sources, notify.cap * sizeof(*notify.sources));
	}
	notify.sources[notify.count++] = source;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", source->fd);
	int watch = notify.fd >= 0 ? inotify_add_watch(notify.fd, path, IN_MODIFY) : -1;
	if (watch < 0)
		start_polling(source, notify.fd >= 0 ? errno : EMFILE);
	else
		source->watch = watch;
}

void log_notify_remove(struct log_source *source)
{
	if (source->watch == -1)
		return;
	if (source->watch >= 0)
		(void)inotify_rm_watch(notify.fd, source->watch);
	else if (--notify.n_polled == 0)
		loop_timer_stop(notify.timer);
	source->watch = -1;
	for (size_t i = 0; i < notify.count; i++) {
		if (notify.sources[i] != source)
			continue;
		notify.sources[i] = notify.sources[--notify.count];
		break;
	}
	if (notify.count == 0)
		notify_close();
}
