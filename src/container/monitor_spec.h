/* SPDX-License-Identifier: Apache-2.0 */
/* spec.json of an attempt folder (attempt_folder.h), read and checked. */
#ifndef HEARTH_CONTAINER_MONITOR_SPEC_H
#define HEARTH_CONTAINER_MONITOR_SPEC_H

#include "base/error.h"
#include "base/id.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

#define MONITOR_SPEC_MAX (8 * 1024 * 1024)

struct monitor_spec {
	json_t *json; /* owns what the others borrow */
	const char *job_id;
	int64_t attempt, slot;
	json_t *layers, *args, *env, *volumes; /* arrays of strings; volumes may be NULL */
	json_t *mounts;                        /* array of objects (base/volume.h); may be NULL */
	const char *cwd, *user, *hostname;
	int64_t cpu_millis, memory_bytes, storage_bytes, pids_limit;
	json_t *devices, *metrics_devices; /* arrays of strings; may be NULL */
	int64_t timeout_s, grace_s, log_limit_bytes;
	int64_t warning_s, warning_signal; /* 0: none */
	bool has_network, has_marker;
};

/* Read spec.json, remove it from the folder, check it. */
int monitor_spec_read(int dir_fd, struct monitor_spec *ret, struct error *err);
/* Forget everything but the numbers: the secrets are not needed once the job runs. */
void monitor_spec_clear(struct monitor_spec *spec);

#endif
