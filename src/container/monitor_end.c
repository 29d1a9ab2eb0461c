/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending a job: the timeout, cancel, and full storage all lead to the same steps: SIGTERM; after
 * the grace the whole tree is killed. A first process that catches SIGTERM gets it alone, since it
 * knows in which order its children should end; otherwise every process gets it, because a shell
 * that waits for a program would not pass it on.
 *
 * The job's first process is PID 1 of its namespace, and the kernel keeps signals from it that it
 * does not handle. Waiting for it would be waiting for nothing: it is killed as soon as no process
 * in the tree is left that handles SIGTERM in any way.
 */
#include "container/monitor.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/quantity.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LOOK_AGAIN_MS 100
#define VOLUMES_KILL_MS 5000
#define STATUS_MAX 4096

struct monitor_end {
	struct monitor *monitor;
	struct poller_timer *timer; /* the timeout, then the next look at the dying tree */
	enum attempt_outcome outcome;
	int64_t kill_at_ms;
	int64_t late_timeout_s; /* an extension that came after the limit; 0: none */
};

static void tick(void *arg);

struct monitor_end *monitor_end_new(struct monitor *monitor)
{
	struct monitor_end *end = xcalloc(1, sizeof(*end));

	end->monitor = monitor;
	end->timer = poller_timer_new(monitor->poller, tick, end);
	return end;
}

void monitor_end_free(struct monitor_end *end)
{
	if (!end)
		return;
	poller_timer_free(end->timer);
	free(end);
}

void monitor_end_set_timeout(struct monitor_end *end, int64_t timeout_s)
{
	struct monitor *m = end->monitor;

	if (end->outcome != OUTCOME_NONE) {
		if (end->outcome == OUTCOME_TIMEOUT && timeout_s > m->spec.timeout_s)
			end->late_timeout_s = timeout_s;
		return;
	}
	m->spec.timeout_s = timeout_s;
	if (m->started_us == 0)
		return;
	poller_timer_set(end->timer, m->started_us / 1000 + timeout_s * 1000);
	monitor_warning_set_limit(m->warning, timeout_s);
}

void monitor_end_explain_timeout(const struct monitor_end *end, char *ret, size_t size)
{
	char limit[QUANTITY_TEXT_SIZE], late[QUANTITY_TEXT_SIZE];

	(void)snprintf(ret, size, "Job timeout: reached its limit of %s%s%s%s",
	               quantity_format_duration(end->monitor->spec.timeout_s, limit),
	               end->late_timeout_s ? "; the extension to " : "",
	               end->late_timeout_s ? quantity_format_duration(end->late_timeout_s, late)
	                                   : "",
	               end->late_timeout_s ? " came too late" : "");
}

static unsigned long long status_mask(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

struct signal_handling monitor_signal_handling(pid_t pid, int signal)
{
	char path[32], status[STATUS_MAX];
	unsigned long long bit = 1ULL << (signal - 1);
	struct signal_handling ret = {0};

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (n <= 0)
		return ret;
	status[n] = '\0';
	ret.is_caught = status_mask(status, "\nSigCgt:") & bit;
	ret.is_evaded = (status_mask(status, "\nSigIgn:") | status_mask(status, "\nSigBlk:")) & bit;
	return ret;
}

/* Catches SIGTERM, or, for the first process, deals with it in any other way on purpose. */
static bool handles_term(pid_t pid, bool is_first)
{
	struct signal_handling handling = monitor_signal_handling(pid, SIGTERM);

	return handling.is_caught || (is_first && handling.is_evaded);
}

static bool handler_visited(void *arg, pid_t pid)
{
	const struct monitor *m = arg;

	return !handles_term(pid, pid == m->pid);
}

static void kill_all(struct monitor *m)
{
	/* The rest of the PID namespace dies with its first process. */
	(void)kill(m->pid, SIGKILL);
	(void)cgroup_signal(m->cgroup, SIGKILL);
}

static void look(struct monitor_end *end)
{
	struct monitor *m = end->monitor;
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms >= end->kill_at_ms || cgroup_each(m->cgroup, handler_visited, m)) {
		kill_all(m);
		/* A process that waits for a file server cannot die before the server answers. */
		if (now_ms >= end->kill_at_ms + VOLUMES_KILL_MS)
			volumes_kill(m->volumes);
		/* Should a process escape the first round (forking just then), there is another. */
		poller_timer_set(end->timer, now_ms + LOOK_AGAIN_MS);
		return;
	}
	int64_t next_ms = now_ms + LOOK_AGAIN_MS;
	poller_timer_set(end->timer, next_ms < end->kill_at_ms ? next_ms : end->kill_at_ms);
}

void monitor_end_order(struct monitor_end *end, enum attempt_outcome outcome)
{
	struct monitor *m = end->monitor;

	if (end->outcome != OUTCOME_NONE)
		return;
	end->outcome = outcome;
	if (m->pid == 0) { /* waiting for what the job needs */
		poller_stop(m->poller);
		return;
	}
	end->kill_at_ms = clock_monotonic_ms() + m->spec.grace_s * 1000;
	/* Asked before the signal: a process that dies of it handles nothing any more. */
	bool is_pointless = cgroup_each(m->cgroup, handler_visited, m);
	if (monitor_signal_handling(m->pid, SIGTERM).is_caught)
		(void)kill(m->pid, SIGTERM);
	else
		(void)cgroup_signal(m->cgroup, SIGTERM);
	if (is_pointless)
		kill_all(m);
	poller_timer_set(end->timer, clock_monotonic_ms() + LOOK_AGAIN_MS);
}

static void tick(void *arg)
{
	struct monitor_end *end = arg;

	if (end->outcome == OUTCOME_NONE)
		monitor_end_order(end, OUTCOME_TIMEOUT);
	else
		look(end);
}

enum attempt_outcome monitor_end_outcome(const struct monitor_end *end)
{
	return end ? end->outcome : OUTCOME_NONE;
}
