/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device nodes the processes of a control group can open, whatever nodes they see: the
 * controller `devices` in cgroup v1, a BPF program of type CGROUP_DEVICE in v2.
 */
#ifndef HEARTH_CONTAINER_DEVICE_RULES_H
#define HEARTH_CONTAINER_DEVICE_RULES_H

#include "base/error.h"
#include "container/cgroup.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device_rule {
	bool is_block;
	int64_t major, minor; /* minor -1: any */
	bool can_read, can_write;
};

#define DEVICE_RULES_MAX 1024
#define DEVICE_PROGRAM_MAX (DEVICE_RULES_MAX * 6 + 16)

/* Nothing but what these rules allow; making nodes is not among it. */
int device_rules_apply(const struct cgroup *cgroup, const struct device_rule *rules, size_t n_rules,
                       struct error *err);

/* The program for v2: returns its length, at most DEVICE_PROGRAM_MAX. */
size_t device_rules_program(const struct device_rule *rules, size_t n_rules, struct bpf_insn *ret);
/* Load and attach it to the folder of a group of v2. */
int device_rules_attach(int cgroup_fd, const struct device_rule *rules, size_t n_rules,
                        struct error *err);

#endif
