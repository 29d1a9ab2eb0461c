/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `hearth-devices`, the program that talks to drivers so that nobody else has to:
 *
 *   hearth-devices list            one JSON object per device on standard output, then exit
 *   hearth-devices watch           first a line per device as `list`; then once a second one line
 *                                  {"type":"samples","at_ms":…,"devices":[{"uuid":…,"utilization":0-100,
 *                                  "memory_used":bytes,"memory_total":bytes},…]} ("utilization" is
 * left out where the driver cannot tell it: MIG); and at each change
 *                                  {"type":"device",…} (health, come) or {"type":"gone","name":…}
 *   hearth-devices watch UUID,…    samples of these only: for a monitor, whose job has them
 *   hearth-devices cdi             the CDI specification (JSON) that is made of the installed
 * NVIDIA driver, for administrators to look at or keep
 *
 * {"type":"device","name":"nvidia.com/gpu=GPU-…","kind":…,"model":…,"slice":"","uuid":…,"parent":"",
 *  "memory":bytes,"numa":-1,"healthy":true,"fault":""}
 *
 * Settings come from --config (STATE/run/effective.ini), or --cdi-dir (repeatable) and --nvml. The
 * program ends when standard output closes. It needs no right but to open the device nodes.
 */
#ifndef HEARTH_CONTAINER_DEVICE_PROBE_H
#define HEARTH_CONTAINER_DEVICE_PROBE_H

#include "base/error.h"
#include "base/json.h"

struct probe_options {
	char *const *cdi_dirs; /* NULL-terminated */
	const char *nvml;      /* "auto", "off", or a path */
};

/* All devices as JSON objects (above); yours to release. */
json_t *device_probe_list(const struct probe_options *options);
/* Writes to standard output until it closes. `uuids`: with commas, samples of these only; NULL:
 * everything. */
void device_probe_watch(const struct probe_options *options, const char *uuids);

#endif
