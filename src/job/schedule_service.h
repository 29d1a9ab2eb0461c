/* SPDX-License-Identifier: Apache-2.0 */
/* Schedules (hub-jobs-api, section 3): jobs that start by the clock. One ledger row per tick, unique, written in the
 * transaction that starts the job, so that a tick cannot fire twice and none is lost without saying so. */
#ifndef HEARTH_JOB_SCHEDULE_SERVICE_H
#define HEARTH_JOB_SCHEDULE_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/service.h"
#include "net/loop.h"

struct schedule_service;
struct webhook_service;

struct schedule_service_options {
	struct loop *loop;
	struct database *db;
	const struct configuration *configuration;
	const struct seal_key *key;
	struct job_service *jobs;
	struct webhook_service *webhooks; /* hears of missed ticks; NULL: nobody */
};
struct schedule_service *schedule_service_new(const struct schedule_service_options *options);
void schedule_service_start(struct schedule_service *service); /* after job_service_start() */
void schedule_service_free(struct schedule_service *service);

#endif
