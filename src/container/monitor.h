/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt, from its spec to its exit record. monitor_build.c makes everything that the job's
 * process needs and starts it, monitor_end.c decides when and why it has to end, monitor.c leads
 * through the phases.
 */
#ifndef HEARTH_CONTAINER_MONITOR_H
#define HEARTH_CONTAINER_MONITOR_H

#include "base/configuration.h"
#include "base/error.h"
#include "container/attempt_folder.h"
#include "container/cgroup.h"
#include "container/cgroup_meter.h"
#include "container/control.h"
#include "container/device_watch.h"
#include "container/dns_relay.h"
#include "container/log_writer.h"
#include "container/monitor_spec.h"
#include "container/network.h"
#include "container/poller.h"
#include "container/sampler.h"
#include "container/storage_watch.h"
#include "container/user_namespace.h"
#include "container/volumes.h"

#include <stdbool.h>
#include <sys/types.h>

struct monitor {
	struct configuration *configuration;
	int attempt_fd;
	int control_fd; /* given at start; -1: none, or handed on */
	int host_pid;   /* ours, as the host sees it */
	struct monitor_spec spec;

	/* Made by monitor_build(). */
	struct cgroup *cgroup;
	struct volumes *volumes; /* NULL: none */
	struct user_namespace namespaces;
	struct network_attachment network;
	struct dns_plan dns;
	struct log_writer *log;
	int pipe_fd, upper_fd; /* -1: none, or handed on */
	pid_t pid;             /* of the job's first process; 0: never started */

	/* While it runs. */
	struct poller *poller;
	struct control *control;
	struct sampler *sampler;
	struct cgroup_meter *meter;
	struct device_watch *device_watch; /* NULL: no devices with figures */
	struct monitor_warning *warning;
	struct dns_relay *dns_relay;
	struct storage_watch *storage;
	struct monitor_end *end;
	struct monitor_uv *uv;          /* NULL: not a uv job, or there is no cache */
	int64_t started_ms, started_us; /* wall clock; clock_monotonic_us() */
	int wait_status;
};

/* state.json. Before the job's process can exist it says "starting": if we are lost from then on,
 * nobody may believe that the job never began. */
void monitor_write_state(const struct monitor *monitor, const char *phase);

/* Start the job's process. On failure what was made stays for monitor's clean-up; the sentence is
 * for the job's owner. */
int monitor_build(struct monitor *monitor, struct error *err);

/* The cache of a uv job (uv_cache.h). Wait until no other job builds the same environment; fails
 * only when the attempt is cancelled meanwhile. */
int monitor_uv_wait(struct monitor *monitor, struct error *err);
/* Show it in the job's root, whose process will have these host ids. A cache that cannot be shown
 * is only logged. */
int monitor_uv_mount(struct monitor *monitor, uint32_t first_id, uint32_t uid, uint32_t gid,
                     struct error *err);
void monitor_uv_watch(struct monitor *monitor);   /* see when the environment is built */
void monitor_uv_release(struct monitor *monitor); /* the job's processes are gone */
void monitor_uv_trim(struct monitor *monitor);    /* keep to the size limit, and free */

/* Deadlines. `outcome` is OUTCOME_NONE unless the end was ordered. */
struct monitor_end *monitor_end_new(struct monitor *monitor);
void monitor_end_free(struct monitor_end *end);
/* From the start; what is set last counts, until the end is ordered. Also moves the warning. */
void monitor_end_set_timeout(struct monitor_end *end, int64_t timeout_s);
/* SIGTERM to all, SIGKILL after the grace. Only the first order counts. */
void monitor_end_order(struct monitor_end *end, enum attempt_outcome outcome);
enum attempt_outcome monitor_end_outcome(const struct monitor_end *end);
/* Why a job that reached its limit has ended, for its owner. */
void monitor_end_explain_timeout(const struct monitor_end *end, char *ret, size_t size);

/* The signal before the time limit (monitor_warning.c). */
struct monitor_warning *monitor_warning_new(struct monitor *monitor);
void monitor_warning_free(struct monitor_warning *warning);
/* The limit is `timeout_s` from the start, now that the job runs. One who was warned of an earlier
 * limit is warned again, unless the new one comes sooner than the warning should. */
void monitor_warning_set_limit(struct monitor_warning *warning, int64_t timeout_s);

/* What a process does with a signal. Evaded: ignored or blocked. */
struct signal_handling {
	bool is_caught, is_evaded;
};
struct signal_handling monitor_signal_handling(pid_t pid, int signal);

/* The whole life of an attempt whose folder is the present directory. `control_fd` -1: none.
 * Returns the process's exit status. */
int monitor_run(struct configuration *configuration, int take_control_fd);

#endif
