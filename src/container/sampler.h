/* SPDX-License-Identifier: Apache-2.0 */
/* Once per second one sample of the job into `metrics` (metrics_file.h). */
#ifndef HEARTH_CONTAINER_SAMPLER_H
#define HEARTH_CONTAINER_SAMPLER_H

#include "base/error.h"
#include "container/device_watch.h"
#include "container/poller.h"

#include <stdbool.h>
#include <stdint.h>

/* What the cgroup says now; filled by the owner (from cgroup.h). */
struct sampler_reading {
	int64_t cpu_us;        /* used since the start */
	int64_t memory_bytes;  /* usage without inactive file cache */
	int64_t storage_bytes; /* 0: not known */
};

struct sampler_options {
	int dir_fd; /* the attempt folder; borrowed */
	int64_t cpu_millis, memory_limit_bytes;
	int rx_fd, tx_fd; /* counters from struct network_attachment; taken; -1: none */
	struct device_watch *devices; /* borrowed; NULL: none */
	bool (*read)(void *arg, struct sampler_reading *ret); /* false: no sample this time */
	void *arg;
};

struct sampler;

/* Makes the file and starts the timer: the first sample comes after 100 ms, then one per second. */
int sampler_new(struct poller *poller, const struct sampler_options *options, struct sampler **ret,
                struct error *err);
void sampler_free(
        struct sampler *sampler); /* writes a last sample if 200 ms passed since the last one */

#endif
