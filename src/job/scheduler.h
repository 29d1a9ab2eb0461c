/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs next, and with what. Knows no database, no backend and no clock: all times are given by the
 * caller (Unix milliseconds that never go back, see scheduler_next()), so that it can be tested on a virtual one.
 *
 * Order: what an admin moved; priority; namespaces that have used less recently (scaled by their weight;
 * use is the largest share of CPUs, memory or devices × time, decaying by scheduler.half_life); age.
 * The first that does not fit gets a promise: the time by which running jobs' limits leave room
 * for it, with the devices that it will get. Others may overtake it only if that start is not delayed (backfill). A
 * promise stays with its job until it starts, leaves, or somebody of higher priority comes (or the next attempt
 * of a job of its namespace); if a running job's limit is extended or a device is lost it is made anew. The first
 * of each flavor has one: neither large nor small ones wait for ever.
 *
 * Limits of namespace, user and resource group, holds and pauses keep an entry from being considered;
 * they never block others. Whole devices are never shared; shared ones hold jobs of one
 * namespace at a time unless devices.share_between_owners. Devices of one NUMA node are preferred.
 *
 * Costs (bench): one decision ≤ 1 ms and a full pass ≤ 10 ms with 10,000 entries of 1,000 namespaces.
 */
#ifndef HEARTH_JOB_SCHEDULER_H
#define HEARTH_JOB_SCHEDULER_H

#include "base/configuration.h"
#include "base/id.h"
#include "job/device.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;

enum scheduler_hold {
	HOLD_NONE,
	HOLD_OWNER,
	HOLD_ADMIN,
	HOLD_AFTER, /* waits for other jobs */
	HOLD_ARRAY, /* an array itself, or its element over array-max */
};

/* A job's part in it; embedded by the owner, zeroed at first. */
struct scheduler_entry {
	/* Set by the owner before the entry is queued or holds; changed only by the functions below. */
	const struct flavor *flavor;
	char job_id[ID_SIZE], namespace_id[ID_SIZE], user_id[ID_SIZE];
	char group_id[ID_SIZE]; /* "": none */
	int priority;
	int64_t rank;	    /* 0, or where an admin put it: lower first */
	int64_t arrived_ms; /* of the job, also for its later attempts */
	int64_t limit_ms;   /* longest it may run, warning and grace included */
	int64_t expected_ms; /* learnt (run_history.h); 0: not known */
	int64_t not_before_ms;
	enum scheduler_hold hold;
	bool is_retry; /* it has run before: goes before others of its namespace and priority */

	/* While it holds resources. */
	int slot;
	char *devices; /* CDI names with commas; owned by the scheduler; NULL: none */
	int64_t held_since_ms;
	bool is_queued, is_holding;

	/* The scheduler's own. */
	struct scheduler_place *place;
};

/* -1 in a number: no limit. */
struct scheduler_limits {
	int64_t max_running, max_devices;
	int64_t weight; /* 1 … 1000 (100: normal) */
};
enum scheduler_scope { SCOPE_NAMESPACE, SCOPE_USER, SCOPE_GROUP };

struct scheduler *scheduler_new(const struct configuration *configuration);
void scheduler_free(struct scheduler *scheduler);

/* The whole inventory as it is now. Devices that are gone or not healthy take no jobs; entries that
 * hold them keep them. */
void scheduler_set_devices(struct scheduler *scheduler, const struct device *devices, size_t n);
void scheduler_set_limits(struct scheduler *scheduler, enum scheduler_scope scope, const char *id,
			  const struct scheduler_limits *limits);
/* What explanations call a namespace, user or group. False: no name; "its namespace" then. */
typedef bool scheduler_name_fn(void *arg, enum scheduler_scope scope, const char *id, char *ret,
			       size_t size);
void scheduler_set_names(struct scheduler *scheduler, scheduler_name_fn *fn, void *arg);
/* Use of the past, for fair shares after a restart: `share_ms` = largest share × milliseconds, which
 * ended at `at_ms`. */
void scheduler_add_use(struct scheduler *scheduler, const char *namespace_id, double share_ms,
		       int64_t at_ms);
/* The largest share of capacity that a flavor takes, 0 … 1. */
double scheduler_share(const struct scheduler *scheduler, const struct flavor *flavor);

/* Could it run here if nothing else did? E_INVALID with a sentence that says what there is. */
struct error;
int scheduler_check(const struct scheduler *scheduler, const struct flavor *flavor, struct error *err);

void scheduler_enqueue(struct scheduler *scheduler, struct scheduler_entry *entry);
void scheduler_dequeue(struct scheduler *scheduler, struct scheduler_entry *entry);
/* The owner has changed priority, rank, hold, not_before_ms, limit_ms or expected_ms of an entry that is queued or
 * holds. */
void scheduler_change(struct scheduler *scheduler, struct scheduler_entry *entry);

/* The next that may start now: it leaves the queue and holds its resources, its devices and the smallest
 * free slot. NULL: nobody can. A `now_ms` before the last one counts as the last one. */
struct scheduler_entry *scheduler_next(struct scheduler *scheduler, int64_t now_ms);
/* Take resources, this slot and these devices (may be NULL) without asking: an attempt that lives already. */
void scheduler_hold(struct scheduler *scheduler, struct scheduler_entry *entry, int slot,
		    const char *devices, int64_t since_ms, int64_t now_ms);
void scheduler_release(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms);
/* When scheduler_next() should be asked again though nothing happens (a pause ends); 0: never. */
int64_t scheduler_wake_ms(const struct scheduler *scheduler);

/* Why a queued entry waits, its place and when it may start, as one sentence: "Waiting for 1 A100: 2 jobs
 * ahead, about 14 min". False while scheduler_next() has not looked at it yet. */
bool scheduler_explain(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
		       char *ret, size_t size);

/* The queue in the order in which it would be served, held ones last. */
struct scheduler_view {
	const struct scheduler_entry *entry;
	int64_t position;    /* 0: first; -1: held */
	int64_t start_ms;    /* estimate; 0: none can be made */
	bool is_promised;    /* start_ms is a promise */
	char why[256];
};
void scheduler_each(struct scheduler *scheduler, int64_t now_ms, size_t max,
		    void (*fn)(void *arg, const struct scheduler_view *view), void *arg);

/* The same of one entry; false: it is not queued. */
bool scheduler_find(struct scheduler *scheduler, struct scheduler_entry *entry, int64_t now_ms,
		    struct scheduler_view *ret);

struct scheduler_usage {
	int64_t queued, holding, cpu_millis, memory_bytes;
	int64_t devices, devices_used; /* healthy ones; those that somebody has */
};
struct scheduler_usage scheduler_usage(const struct scheduler *scheduler);
/* Of one namespace, user or group. */
void scheduler_count(const struct scheduler *scheduler, enum scheduler_scope scope, const char *id,
		     int64_t *ret_queued, int64_t *ret_running);

#endif
