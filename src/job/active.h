/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs service's own memory, for the files that make it up (service.c, submit.c, attempt.c,
 * recovery.c, watch.c, retention.c). Only jobs that wait or live are in it; what is over is in the
 * database alone.
 *
 * One turn: requests and the backend's callbacks change rows and this memory, and note what is to be
 * done once that is on disk (service_after_commit()). At the end of the turn the scheduler has its
 * pass, the transaction is committed, and then attempts are started or stopped and watchers are told.
 */
#ifndef HEARTH_JOB_ACTIVE_H
#define HEARTH_JOB_ACTIVE_H

#include "job/id_table.h"
#include "job/scheduler.h"
#include "job/service.h"

struct active_job {
	struct id_entry entry; /* first: found by id */
	struct scheduler_entry place;
	int number; /* of the live attempt, or of the next one */
	int64_t attempt_created_ms, attempt_started_ms;
	int64_t started_monotonic_us; /* of the attempt, by our clock; 0: it has not started */
	char *progress;	  /* NULL: none */
	bool is_live;	  /* its attempt's row has no end */
	bool is_chosen;	  /* live, and the backend is to be asked after the commit */
	bool is_canceled; /* its stage is terminal; only the end of the attempt is waited for */
	bool is_over;	  /* leaves the table after the commit */
	bool is_counted;  /* in its namespace's count of queued jobs */
	bool is_heard;	  /* its monitor has spoken to this process */
	enum scheduler_hold held; /* by its owner or an admin, as its row says */
	bool waits_after;	  /* for other jobs (job/dependency.h) */
	bool waits_array;	  /* an array itself, or its element that is kept back (job/array.h) */
	struct active_job *next_noted;
};

/* Active jobs to be looked at after the commit, in the order of noting. */
struct noted_list {
	struct active_job *first, **end;
};

struct namespace_count {
	struct id_entry entry;
	int64_t queued;
};

struct job_service {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	int attempts_fd, spawner_fd;
	struct backend *backend;
	struct bucket_service *buckets; /* NULL: none */
	struct scheduler *scheduler;
	int64_t clock_origin_ms; /* Unix time of the monotonic clock's 0, as of our start */
	struct retention *retention;
	struct webhook_service *webhooks; /* hears of every change of a stage; NULL: nobody */
	struct id_table active, namespaces, watched;
	struct billing *billing;	  /* NULL: nothing is counted */
	struct device_service *devices;	  /* NULL: none */
	struct run_history *history;
	struct loop_timer *wake_timer;	  /* a pause in the queue ends; NULL until there was one */
	struct job_watch *next_watch; /* the one after that which is being told */
	struct noted_list chosen, over; /* a job is in one of them at most */
	struct id_list canceled;	/* with an attempt that the backend is to end */
	struct id_list extended;	/* with an attempt whose time limit has changed */
	struct id_list touched;		/* their watchers are to be told */
	bool is_commit_awaited, is_pass_deferred, is_disk_full;
	struct loop_timer *disk_timer; /* NULL until the disk was full once */
	struct dependency_queue *dependencies;
	struct array_table *arrays;
	int64_t submitted_total, ended_total[STAGE_COUNT], heard;
};

/* `place`: who and what, for the scheduler; its job_id and namespace_id too. */
struct active_job *active_new(struct job_service *service, const struct scheduler_entry *place);
/* The place of a job in the scheduler, without hold. */
struct scheduler_entry active_place(const struct job_service *service, const struct job_record *job,
				    const struct flavor *flavor);
/* How long it may hold its place, as far as a short row tells. */
int64_t active_short_limit_ms(const struct job_service *service, int64_t timeout_s);
/* How long one of its attempts may run, with its grace. */
int64_t active_limit_ms(const struct job_service *service, const struct job_record *job);
/* Its attempt runs since attempt_started_ms: so its limit is known exactly. */
void active_know_start(struct job_service *service, struct active_job *job,
		       const struct job_record *record);
struct active_job *active_find(const struct job_service *service, const char *id);
/* It waits for its next attempt, `number`. */
void active_enqueue(struct job_service *service, struct active_job *job, int number);
/* `held`, waits_after or waits_array has changed. What people set goes before what it waits for, and all
 * must go before it may run. */
void active_update_hold(struct job_service *service, struct active_job *job);
/* The scheduler has chosen it. */
void active_leave_queue(struct job_service *service, struct active_job *job);
void active_set_progress(struct active_job *job, const char *message); /* NULL: none */
void active_set_heard(struct job_service *service, struct active_job *job, bool is_heard);
/* Nothing of it waits or lives any more. */
void active_end(struct job_service *service, struct active_job *job);
int64_t active_count_queued(const struct job_service *service, const char *namespace_id);

void noted_add(struct noted_list *list, struct active_job *job);
struct active_job *noted_take(struct noted_list *list); /* NULL: empty */

/* Tell the job's watchers after the commit. */
void service_touch(struct job_service *service, const char *id);
void service_after_commit(struct job_service *service);
/* The scheduler's clock: Unix milliseconds as of our start, and on by the monotonic clock, so that neither
 * pauses nor promises change when the wall clock is set. */
int64_t service_now_ms(const struct job_service *service);
/* Let the scheduler have its pass in this turn. */
void service_schedule(struct job_service *service);
/* E_UNAVAILABLE when the state folder's disk is full. */
int service_check_disk(const struct job_service *service, struct error *err);
/* The same for the scheduler's pass; when there is none, another pass follows by itself. */
bool service_has_room(struct job_service *service);
/* job_transition() and what goes with it: counters, watchers. */
struct job_change;
bool service_transition(struct job_service *service, struct job_record *job,
			const struct job_change *change);

void watch_tell(struct job_service *service, const char *id);
void watch_clear(struct job_service *service);

#endif
