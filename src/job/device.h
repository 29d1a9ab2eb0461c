/* SPDX-License-Identifier: Apache-2.0 */
/* An accelerator (or any device that has a CDI specification), as the inventory knows it. */
#ifndef HEARTH_JOB_DEVICE_H
#define HEARTH_JOB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_NAME_SIZE 128
#define DEVICES_MAX 512	    /* of one machine, slices included */
#define DEVICES_PER_JOB 64
#define DEVICE_LIST_SIZE 4096 /* names with commas */

struct device {
	char name[DEVICE_NAME_SIZE]; /* qualified CDI name: "nvidia.com/gpu=GPU-8dcd…"; the same after a restart */
	char kind[64];		     /* "nvidia.com/gpu" */
	char model[96];		     /* "NVIDIA H200"; the CDI name's last part when nothing else is known */
	char slice[32];		     /* MIG profile "1g.18gb"; "": a whole device */
	char uuid[96];		     /* by which metrics know it; "": no metrics */
	char parent[96];	     /* uuid of the card that it is a slice of; "" */
	int64_t memory_bytes;	     /* 0: not known */
	int numa_node;		     /* -1: not known */
	bool is_healthy;
	char fault[160];	     /* why not, for people; "" */
};

/* One reading, a second old at most. */
struct device_sample {
	char uuid[96];
	int utilization_pct;
	int64_t memory_used_bytes, memory_total_bytes;
};

#endif
