/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of the schedules service, for its files: schedule_service.c (start, clock), schedule_heap.c
 * (who is next), schedule_tick.c (what becomes of a tick), schedule_run.c (its job),
 * schedule_change.c (what users change).
 */
#ifndef HEARTH_JOB_SCHEDULE_PRIVATE_H
#define HEARTH_JOB_SCHEDULE_PRIVATE_H

#include "job/cron.h"
#include "job/id_table.h"
#include "job/schedule_policy.h"
#include "job/schedule_service.h"

#define SCHEDULE_NEVER INT64_MAX
#define NOT_IN_HEAP SIZE_MAX
#define BACKLOG_MAX 1000 /* ticks of one schedule that get rows of their own after a long time */

struct schedule {
	struct id_entry entry; /* first: found by id */
	struct schedule_service *service;
	int64_t seq;
	struct cron cron;
	struct schedule_policy policy;
	int64_t next_ms;       /* SCHEDULE_NEVER: suspended, or over */
	int64_t considered_ms; /* ticks up to then have their row */
	size_t place;	       /* in the heap */
	int failures;
	bool is_suspended;
	bool has_waiting;      /* a tick waits for the end of a job */
	bool is_ready;	       /* in `ready` */
	struct id_list live;   /* jobs that were not settled when last looked at */
	struct job_watch *watch; /* while a tick waits */
};

struct schedule_service {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct job_service *jobs;
	struct webhook_service *webhooks;
	int64_t (*clock_ms)(void *arg);
	void *clock_arg;
	struct id_table table;
	struct schedule **heap;
	size_t heap_count, heap_cap;
	struct id_list ready; /* schedules whose waiting tick may go */
	int64_t last_ms;      /* the clock when it was last looked at */
	int timer_fd;	      /* on the real clock; -1: tests */
	int64_t armed_ms;
	struct loop_watch *timer_watch;
	struct loop_timer *more; /* the next slice */
	struct loop_timer *patience; /* for a clock that is not set yet; NULL: none needed */
	struct schedule_counts counts;
	int64_t backlog[BACKLOG_MAX];
};

struct schedule *heap_first(const struct schedule_service *service); /* NULL: empty */
/* After next_ms has changed: in, out, or elsewhere in the heap. */
void heap_update(struct schedule_service *service, struct schedule *schedule);
void heap_clear(struct schedule_service *service);

/* next_ms after considered_ms, or never while it is suspended. */
void schedule_plan(struct schedule *schedule);
/* Wait for the first of the heap. */
void schedule_service_arm(struct schedule_service *service);
void schedule_service_soon(struct schedule_service *service);
/* Into memory; `brief` is as it is on disk. */
struct schedule *schedule_add(struct schedule_service *service, const struct schedule_brief *brief,
			      struct error *err);
void schedule_forget(struct schedule *schedule);
void schedule_suspend_because(struct schedule *schedule, int64_t now_ms, const char *reason);

/* Decide about what is due at `now_ms`. */
void schedule_tick(struct schedule *schedule, int64_t now_ms);
void schedule_take_back(struct schedule *schedule, int64_t now_ms);

/* Jobs of it that are not settled. */
bool schedule_is_busy(struct schedule *schedule);
/* Start its job, as of now. E_FORBIDDEN: it lost the right to. */
int schedule_start_job(struct schedule *schedule, int64_t now_ms, char ret_job_id[ID_SIZE],
		       struct error *err);
/* A start that failed: count, perhaps suspend. */
void schedule_note_failure(struct schedule *schedule, int64_t now_ms, const struct error *err);
/* Its oldest waiting tick, if it can go now. */
void schedule_run_waiting(struct schedule *schedule, int64_t now_ms);
/* The ticks that wait are skipped. */
void schedule_drop_waiting(struct schedule *schedule, int64_t now_ms, const char *reason);
/* Hear of the end of its jobs. */
void schedule_wait(struct schedule *schedule);

#endif
