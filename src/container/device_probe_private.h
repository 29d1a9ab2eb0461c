/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `hearth-devices` share. */
#ifndef HEARTH_CONTAINER_DEVICE_PROBE_PRIVATE_H
#define HEARTH_CONTAINER_DEVICE_PROBE_PRIVATE_H

#include "container/cdi.h"
#include "container/device_probe.h"
#include "container/nvml.h"

#include <stdint.h>

/* NULL: there is none. */
struct nvml *probe_open_nvml(const struct probe_options *options);
/* Logs its warnings. */
struct cdi *probe_read_cdi(const struct probe_options *options);
/* Another number when a file of the folders has changed. */
uint64_t probe_stamp(const struct probe_options *options);

#endif
