/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the devices of an attempt do: `hearth-devices watch UUID,…` (device_probe.h) as a child of
 * the monitor, so that a driver that hangs or crashes costs these numbers and nothing else. The
 * child has no rights, is outside of the job's control group, and is started again, ever more
 * slowly, when it ends or falls silent.
 */
#ifndef HEARTH_CONTAINER_DEVICE_WATCH_H
#define HEARTH_CONTAINER_DEVICE_WATCH_H

#include "base/configuration.h"
#include "base/json.h"
#include "container/poller.h"

#include <stddef.h>
#include <stdint.h>

#define DEVICE_READING_MAX_MS 5000 /* older ones do not count */

struct device_reading {
	int32_t utilization_pct; /* -1: none lately */
	int64_t memory_used_bytes, memory_total_bytes;
};

struct device_watch;

/* `uuids`: array of strings. NULL when there is none in it. */
struct device_watch *device_watch_new(struct poller *poller,
                                      const struct configuration *configuration,
                                      const json_t *uuids);
void device_watch_free(struct device_watch *watch); /* kills it; NULL is fine */

size_t device_watch_count(const struct device_watch *watch); /* NULL: 0 */
const char *device_watch_uuid(const struct device_watch *watch, size_t i);
void device_watch_read(const struct device_watch *watch, size_t i, struct device_reading *ret);

#endif
