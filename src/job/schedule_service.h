/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules (hub-jobs-api, section 3): jobs that start by the clock. One ledger row per tick, unique, written in the
 * transaction that starts the job, so that a tick cannot fire twice and none is lost without saying so.
 *
 * How a schedule behaves is said by its expression (job/cron.h), by `concurrency`, and by two reserved
 * labels, for which the configuration has defaults:
 *   hearth.catch-up   latest, none, all, or a number: which of the ticks that came while the server was
 *                     down get a job after all
 *   hearth.overlap    skip, allow, queue, replace: what a tick does while an earlier job still runs
 * A reserved label that is absent when labels are replaced means: as it was.
 *
 * A clock that is set back starts nothing again: ticks with a job keep it, other decisions about times
 * that have become the future are taken back. A clock that is set forward makes ticks missed.
 */
#ifndef HEARTH_JOB_SCHEDULE_SERVICE_H
#define HEARTH_JOB_SCHEDULE_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/service.h"
#include "net/loop.h"
#include "store/schedules.h"

struct schedule_service;
struct webhook_service;

struct schedule_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct job_service *jobs;
	struct webhook_service *webhooks; /* hears of missed ticks; NULL: nobody */
	/* For tests: another clock. The service then waits for schedule_service_wake() alone. */
	int64_t (*clock_ms)(void *arg);
	void *clock_arg;
};
struct schedule_service *schedule_service_new(const struct schedule_service_options *options);
void schedule_service_start(struct schedule_service *service); /* after job_service_start() */
void schedule_service_free(struct schedule_service *service);
/* Look at the clock now. True: there is more to do at this time than one slice. */
bool schedule_service_wake(struct schedule_service *service);
int64_t schedule_service_now_ms(const struct schedule_service *service);

struct schedule_request {
	const struct job_spec *spec; /* borrowed, as all here */
	const struct account *owner, *creator;
	json_t *initiator;
	const char *expression;
	bool suspend, concurrency;
};
/* Each of these writes in this turn; answer after its commit. */
int schedule_create(struct schedule_service *service, const struct schedule_request *request,
		    char ret_id[ID_SIZE], struct error *err);
void schedule_delete(struct schedule_service *service, const struct schedule_record *schedule);
void schedule_suspend(struct schedule_service *service, const struct schedule_record *schedule);
int schedule_resume(struct schedule_service *service, const struct schedule_record *schedule,
		    struct error *err);
int schedule_set_expression(struct schedule_service *service, const struct schedule_record *schedule,
			    const char *expression, struct error *err);
int schedule_relabel(struct schedule_service *service, const struct schedule_record *schedule,
		     const json_t *labels, struct error *err);
/* Start its job now, also when it is suspended. E_CONFLICT: one is running and no other may. */
int schedule_trigger(struct schedule_service *service, const struct schedule_record *schedule,
		     char ret_job_id[ID_SIZE], struct error *err);

/* The next times after now (were it not suspended); returns how many there are, at most `n`. */
size_t schedule_next_runs(const struct schedule_service *service, const struct schedule_record *schedule,
			  size_t n, int64_t ret_ms[]);

struct schedule_counts {
	int64_t schedules, active;
	int64_t ran_total, skipped_total, missed_total, failed_total; /* by this process */
};
void schedule_service_counts(const struct schedule_service *service, struct schedule_counts *ret);

#endif
