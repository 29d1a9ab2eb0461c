/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices a machine has, as jobs can be given them: what CDI specifications name, each once,
 * with what the driver says about it. Specifications give one device several names and add names
 * for all of them together; a job that gets a device by one name must never meet another that has
 * it by another.
 */
#ifndef HEARTH_CONTAINER_DEVICE_INVENTORY_H
#define HEARTH_CONTAINER_DEVICE_INVENTORY_H

#include "base/json.h"
#include "container/cdi.h"
#include "container/nvml.h"

#include <stdbool.h>
#include <stddef.h>

#define INVENTORY_MAX 512

struct inventory_device {
	char name[128], kind[64];
	char node[256]; /* one of its host nodes; "": it has none */
	int numa_node;  /* -1: not known */
	bool has_nvml;
	struct nvml_device nvml;
	char fault[160]; /* "": healthy */
};

/* Fills `ret` (INVENTORY_MAX) and returns how many there are. Devices with a node that does not
 * exist on this host are none. Cards in MIG mode are none, only their instances. `nvml` may be
 * NULL. */
size_t device_inventory_read(const struct cdi *cdi, struct nvml *nvml,
                             struct inventory_device *ret);

/* A line in the log for each device that is left out because a node of it does not exist; the
 * others are `devices`. */
void device_inventory_warn(const struct cdi *cdi, const struct inventory_device *devices, size_t n);

/* The line of device_probe.h; yours to release. */
json_t *device_inventory_json(const struct inventory_device *device);

#endif
