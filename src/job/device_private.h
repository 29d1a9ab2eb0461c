/* SPDX-License-Identifier: Apache-2.0 */
/* The device service's own memory, for the files that make it up (device_service.c, device_child.c,
 * device_record.c). */
#ifndef HEARTH_JOB_DEVICE_PRIVATE_H
#define HEARTH_JOB_DEVICE_PRIVATE_H

#include "base/buffer.h"
#include "base/configuration.h"
#include "base/json.h"
#include "job/device.h"
#include "job/device_service.h"
#include "net/loop.h"

#include <sys/types.h>

/* The process that talks to drivers. One that was killed and hangs in a driver cannot be waited for:
 * it stays in `lost` until it ends, and there are never many. */
#define LOST_CHILDREN_MAX 4

struct device_child {
	struct loop *loop;
	const struct configuration *configuration;
	const char *program;
	void (*on_line)(void *arg, const json_t *line);
	void (*on_read)(void *arg); /* after some lines */
	void (*on_end)(void *arg);
	void *arg;
	struct buffer input;
	pid_t pid; /* 0: none */
	int fd;
	struct loop_watch *watch;
	pid_t lost[LOST_CHILDREN_MAX];
};

/* Runs `list` and waits at most `timeout_ms`; writes at most DEVICES_MAX. E_UNAVAILABLE: it did not answer. */
int device_child_list(struct device_child *child, bool has_nvml, int64_t timeout_ms,
		      struct device *ret, size_t *ret_n, struct error *err);
/* Begins `watch`. The functions are called from the loop. */
int device_child_watch(struct device_child *child, struct error *err);
void device_child_kill(struct device_child *child); /* on_end is not called */

/* A line of device_probe.h; false when it is not one of a device. */
bool device_from_json(const json_t *line, struct device *ret);
json_t *device_to_json(const struct device *device);
struct device *device_find(struct device *devices, size_t n, const char *name);

/* What was seen here lately, kept in STATE/db/devices.json: a card that does not answer today keeps its
 * name, and jobs that wait for one do not lose their flavor. */
json_t *device_record_load(int db_fd, int64_t now_ms); /* an array; yours to release */
/* Completes those of which their driver says nothing now, and adds to `known` (DEVICES_MAX) what is not there. */
void device_record_apply(const json_t *record, struct device *known, size_t *n);
void device_record_save(int db_fd, const json_t *record, int64_t now_ms, const struct device *seen,
			size_t n);

#endif
