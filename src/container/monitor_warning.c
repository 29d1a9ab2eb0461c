/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warning before the time limit: a signal to processes that catch it, so that they can save
 * what they have. Its default action is death, and so nobody else may get it. The first process, if
 * it catches the signal, gets it alone; otherwise every process that does. A process between fork()
 * and exec() still shows the handlers of its parent: therefore there are two looks, and only who
 * catches the signal at both is sent it. While nobody does, the looks go on, because a program may
 * install its handler late.
 */
#include "container/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_LOOK_MS 50
#define LOOK_AGAIN_MS 1000
#define LOOK_AGAIN_MAX_MS 16000
#define PIDS_MAX 65536

struct monitor_warning {
	struct monitor *monitor;
	struct poller_timer *timer;
	int64_t limit_ms; /* clock_monotonic_ms() of the limit */
	int64_t again_ms;
	bool was_sent;   /* for the present limit */
	bool was_lonely; /* told that nobody handles the signal */
	pid_t *seen;     /* those that caught it at the first look */
	size_t n_seen, cap_seen, n_sent;
};

static void first_look(void *arg);

struct monitor_warning *monitor_warning_new(struct monitor *monitor)
{
	struct monitor_warning *w = xcalloc(1, sizeof(*w));

	w->monitor = monitor;
	w->timer = poller_timer_new(monitor->poller, first_look, w);
	return w;
}

void monitor_warning_free(struct monitor_warning *w)
{
	if (!w)
		return;
	poller_timer_free(w->timer);
	free(w->seen);
	free(w);
}

void monitor_warning_set_limit(struct monitor_warning *w, int64_t timeout_s)
{
	const struct monitor *m = w->monitor;
	int64_t lead_ms = m->spec.warning_s * 1000, due_ms;
	int64_t limit_ms = m->started_us / 1000 + timeout_s * 1000;

	/* The same again is no news: a hearthd that has just started tells it. */
	if (lead_ms <= 0 || m->spec.warning_signal <= 0 || limit_ms == w->limit_ms)
		return;
	/* A job whose limit is shorter than the warning needs some time of its own. */
	if (lead_ms > timeout_s * 500)
		lead_ms = timeout_s * 500;
	w->limit_ms = limit_ms;
	due_ms = w->limit_ms - lead_ms;
	if (w->was_sent && due_ms <= clock_monotonic_ms())
		return;
	w->was_sent = w->was_lonely = false;
	w->n_seen = 0;
	w->again_ms = LOOK_AGAIN_MS;
	poller_timer_set(w->timer, due_ms);
}

static void tell(struct monitor_warning *w, int signal)
{
	struct monitor *m = w->monitor;
	int64_t left_s = (w->limit_ms - clock_monotonic_ms() + 500) / 1000;
	char message[96], line[128], limit[QUANTITY_TEXT_SIZE], left[QUANTITY_TEXT_SIZE];
	const char *name = sigabbrev_np(signal);

	(void)snprintf(message, sizeof(message),
	               "{\"type\":\"warned\",\"signal\":%d,\"left_s\":%lld}", signal,
	               (long long)left_s);
	(void)snprintf(line, sizeof(line), "===== The time limit of %s comes in %s%s%s%s =====",
	               quantity_format_duration(m->spec.timeout_s, limit),
	               quantity_format_duration(left_s, left), signal ? ": SIG" : "",
	               signal && name ? name : "", signal ? " sent" : "");
	log_writer_system(m->log, line);
	control_tell_event(m->control, message);
}

static bool catches(const struct monitor_warning *w, pid_t pid)
{
	return monitor_signal_handling(pid, (int)w->monitor->spec.warning_signal).is_caught;
}

static bool process_seen(void *arg, pid_t pid)
{
	struct monitor_warning *w = arg;

	if (!catches(w, pid))
		return true;
	if (w->n_seen == w->cap_seen) {
		w->cap_seen = w->cap_seen ? w->cap_seen * 2 : 16;
		w->seen = xrealloc(w->seen, w->cap_seen * sizeof(*w->seen));
	}
	w->seen[w->n_seen++] = pid;
	return w->n_seen < PIDS_MAX;
}

static void nobody(struct monitor_warning *w)
{
	if (!w->was_lonely)
		tell(w, 0);
	w->was_lonely = true;
	poller_timer_set(w->timer, clock_monotonic_ms() + w->again_ms);
	w->again_ms = w->again_ms * 2 < LOOK_AGAIN_MAX_MS ? w->again_ms * 2 : LOOK_AGAIN_MAX_MS;
}

static void send_to(struct monitor_warning *w, pid_t pid)
{
	if (catches(w, pid) && kill(pid, (int)w->monitor->spec.warning_signal) == 0)
		w->n_sent++;
}

static void second_look(struct monitor_warning *w)
{
	w->n_sent = 0;
	for (size_t i = 0; i < w->n_seen; i++)
		send_to(w, w->seen[i]);
	w->n_seen = 0;
	w->was_sent = w->n_sent > 0;
	if (w->was_sent)
		tell(w, (int)w->monitor->spec.warning_signal);
	else
		nobody(w);
}

static void first_look(void *arg)
{
	struct monitor_warning *w = arg;
	struct monitor *m = w->monitor;

	if (monitor_end_outcome(m->end) != OUTCOME_NONE)
		return;
	if (w->n_seen > 0) {
		second_look(w);
		return;
	}
	(void)process_seen(w, m->pid);
	if (w->n_seen == 0)
		(void)cgroup_each(m->cgroup, process_seen, w);
	if (w->n_seen > 0)
		poller_timer_set(w->timer, clock_monotonic_ms() + SECOND_LOOK_MS);
	else
		nobody(w);
}
