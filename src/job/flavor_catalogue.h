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
/* Could the device serve the flavor (kind, model, slice)? Health does not matter. */
bool flavor_takes_device(const struct flavor *flavor, const struct device *device);
/* May somebody with this name, or in this namespace, use it? */
bool flavor_allows(const struct flavor *flavor, const char *user_name, const char *namespace_name);
/* The flavor for a submission. E_INVALID: not known; E_FORBIDDEN: not for them. The sentence lists
 * what is offered to them. */
int flavor_choose(const struct configuration *configuration, const char *name, const char *user_name,
		  const char *namespace_name, const struct flavor **ret, struct error *err);

#endif
