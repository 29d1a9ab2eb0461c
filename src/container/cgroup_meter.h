/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control group uses, once a second for as long as its job runs: the files stay open, and
 * the long one is read only when something can have changed. Hundreds of monitors do this at a
 * time.
 */
#ifndef HEARTH_CONTAINER_CGROUP_METER_H
#define HEARTH_CONTAINER_CGROUP_METER_H

#include "container/cgroup.h"

struct cgroup_meter;

/* `cgroup` is borrowed. Never fails: what cannot be read is 0. */
struct cgroup_meter *cgroup_meter_new(struct cgroup *cgroup);
void cgroup_meter_free(struct cgroup_meter *meter); /* NULL is fine */
/* cpu_us and memory_bytes of `ret`; the rest is 0. */
void cgroup_meter_read(struct cgroup_meter *meter, struct cgroup_usage *ret);

#endif
