/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accelerators that a job holds and does not use. Once a minute the metrics of the attempts that have some are
 * read (container/metrics_file.h): a job is idle when for the whole of the time neither its devices nor its
 * CPUs nor its network did anything, so that loading data or compiling is no false alarm. What cannot be
 * measured is not idle. After devices.idle_warn its owner is told, after devices.idle_stop it is cancelled,
 * unless it says hearth.idle=keep. All that is known is in the metrics and the events, so a restart
 * changes nothing.
 */
#ifndef HEARTH_JOB_DEVICE_WATCHDOG_H
#define HEARTH_JOB_DEVICE_WATCHDOG_H

#include "base/configuration.h"
#include "job/service.h"
#include "job/webhook_service.h"
#include "net/loop.h"

struct device_watchdog;

struct device_watchdog *device_watchdog_new(struct loop *loop, const struct configuration *configuration,
					    struct job_service *jobs, struct webhook_service *webhooks);
void device_watchdog_free(struct device_watchdog *watchdog);

#endif
