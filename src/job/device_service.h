/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's devices. `hearth-devices` (container/device_probe.h) looks at CDI specifications, at
 * /sys and, where there is one, at the NVIDIA driver, in a process of its own: a driver that hangs
 * stops that process and not us. `hearth-devices list` is run once before the services are made, and
 * the flavors that the machine can serve are offered from it (flavor_catalogue.h); then
 * `hearth-devices watch` goes on telling once a second what each device does and whether it is well.
 */
#ifndef HEARTH_JOB_DEVICE_SERVICE_H
#define HEARTH_JOB_DEVICE_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/device.h"
#include "job/service.h"
#include "net/loop.h"

struct device_service;
struct webhook_service;

/* NULL `program`: there are no devices. `db_fd`: STATE/db, where those of before are remembered; borrowed.
 * Runs `program list` and waits for it, at most devices.probe_timeout. Never fails: what cannot be found
 * out is logged and left out. Then add the flavors of the Hub and of this machine to `configuration`
 * (before anybody keeps a pointer to one) and warn about configured flavors that no device serves. */
struct device_service *device_service_new(struct loop *loop, struct configuration *configuration,
					  const char *program, int db_fd);
/* Begin watching. Tells `jobs` (job_service_set_devices) what there is now and at each change. */
void device_service_start(struct device_service *service, struct job_service *jobs,
			  struct webhook_service *webhooks);
void device_service_free(struct device_service *service); /* NULL is fine */

/* Borrowed until the next turn. NULL service: none. */
const struct device *device_service_get(const struct device_service *service, size_t *ret_count);
/* The newest reading; false: none in the last five seconds. */
bool device_service_sample(const struct device_service *service, const char *uuid,
			   struct device_sample *ret);

/* Live jobs that hold devices; `devices`: CDI names with commas. NULL service: none. */
void device_service_each_holder(const struct device_service *service,
				void (*fn)(void *arg, const char *job_id, const char *namespace_id,
					   const char *devices),
				void *arg);
/* Those of one live job; NULL: none. Borrowed. */
const char *device_service_of_job(const struct device_service *service, const char *job_id);

#endif
