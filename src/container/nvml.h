/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NVIDIA's management library, loaded at run time: nothing of it is needed to build or to run without.
 * Its calls talk to the driver and may hang for ever, so only `hearth-devices` makes them. What is
 * declared here and in nvml.c are facts of its stable interface (NVML API reference).
 */
#ifndef HEARTH_CONTAINER_NVML_H
#define HEARTH_CONTAINER_NVML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nvml;

/* A card, or an instance (MIG) of one. */
struct nvml_device {
	char uuid[96];	  /* "GPU-8dcd…", "MIG-5c89…" */
	char parent[96];  /* of an instance: its card; "" */
	char model[96];	  /* "NVIDIA A100-SXM4-80GB" */
	char profile[32]; /* of an instance: "1g.10gb"; "" */
	unsigned index;	  /* of the card, as nvidia-smi and CDI count */
	int instance;	  /* of an instance: its number on the card; -1 */
	int gpu_instance, compute_instance; /* of an instance: their ids; -1 */
	int minor;	  /* of the card: /dev/nvidiaN; -1: not known */
	char bus_id[32];  /* of the card: "00000000:3B:00.0" */
	int numa_node;	  /* -1: not known */
	int64_t memory_bytes;
	bool is_divided; /* a card in MIG mode: jobs get its instances only */
	char fault[160]; /* why no job should have it; "" */
	void *handle, *card_handle; /* of the library; the same but for instances */
};

/* `setting`: "auto" or a path. E_NOT_FOUND: there is no library, or no driver behind it; E_UNAVAILABLE: it
 * fails. Only one may be open at a time. */
int nvml_open(const char *setting, struct nvml **ret, struct error *err);
void nvml_close(struct nvml *nvml); /* NULL is fine */

/* Cards in their order, each followed by its instances. Cards that do not answer are left out, and
 * counted in *ret_lost. Returns how many were written. */
size_t nvml_list(struct nvml *nvml, struct nvml_device *ret, size_t max, unsigned *ret_lost);
/* What is wrong with it now; "" if nothing is. Looks at the card of an instance. */
void nvml_check(struct nvml *nvml, const struct nvml_device *device, char ret[160]);
/* False when it does not answer. *ret_utilization_pct is -1 where the driver cannot tell (MIG); sizes are
 * 0 where the memory is the machine's. */
bool nvml_sample(struct nvml *nvml, const struct nvml_device *device, int *ret_utilization_pct,
		 int64_t *ret_used_bytes, int64_t *ret_total_bytes);
/* Ask to be told of errors of these devices' cards (XID) from now on. */
void nvml_watch_errors(struct nvml *nvml, const struct nvml_device *devices, size_t n);
/* The next error that came, without waiting; false: none. `ret_handle` of the card. Those of programs,
 * which say nothing about the card, are left out. */
bool nvml_next_error(struct nvml *nvml, void **ret_handle, char ret_fault[160]);

#endif
