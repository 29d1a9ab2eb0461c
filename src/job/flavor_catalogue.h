/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which flavors with accelerators are offered: those of the Hub whose devices are there (hub-jobs-api
 * 2.10), smaller where the machine is smaller, and one for each model that the Hub does not know.
 */
#ifndef HEARTH_JOB_FLAVOR_CATALOGUE_H
#define HEARTH_JOB_FLAVOR_CATALOGUE_H

#include "base/configuration.h"
#include "base/error.h"
#include "job/device.h"

#include <stdbool.h>

/* Append to the configuration's flavors; configured ones of the same name stay as they are. */
void flavor_catalogue_add(struct configuration *configuration, const struct device *devices, size_t n);
/* Set is_unserved of each flavor: whether these devices, healthy or not, are too few for it. */
void flavor_catalogue_mark(struct configuration *configuration, const struct device *devices, size_t n);
/* Could the device serve the flavor (kind, model, slice)? Health does not matter. */
bool flavor_takes_device(const struct flavor *flavor, const struct device *device);

/* flavor_choose.c. Names may be NULL: nobody, who may use what everyone may.
 * May somebody with this name, or in this namespace, use it? */
bool flavor_allows(const struct flavor *flavor, const char *user_name, const char *namespace_name);
/* And could this machine serve it? */
bool flavor_is_offered(const struct configuration *configuration, const struct flavor *flavor,
		       const char *user_name, const char *namespace_name);
/* "cpu-basic, a100-large"; yours to free. */
char *flavor_offered_names(const struct configuration *configuration, const char *user_name,
			   const char *namespace_name);
/* The flavor for a submission. E_INVALID: not known, or the machine cannot serve it; E_FORBIDDEN: not for
 * them. The sentence lists what is offered to them. */
int flavor_choose(const struct configuration *configuration, const char *name, const char *user_name,
		  const char *namespace_name, const struct flavor **ret, struct error *err);
/* The longest time limit of a job with this flavor; 0: any. */
int64_t flavor_max_timeout_s(const struct configuration *configuration, const struct flavor *flavor);
/* E_INVALID when it is longer than that. Who asked for none, and so has the default, gets the longest. */
int flavor_limit_timeout(const struct configuration *configuration, const struct flavor *flavor,
			 int64_t *timeout_s, struct error *err);

#endif
