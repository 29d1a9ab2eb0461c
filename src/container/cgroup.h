/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group of one attempt: limits, usage, signals, removal. cgroup v2 first; v1 (one folder
 * per controller, hybrid too) as well. The runtime is started inside the group, so it needs no cgroup
 * manager of its own.
 */
#ifndef HEARTH_CONTAINER_CGROUP_H
#define HEARTH_CONTAINER_CGROUP_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

struct cgroup_limits {
	int64_t cpu_millis;   /* 0: none */
	int64_t memory_bytes; /* 0: none; swap counts too */
	int64_t pids;	      /* 0: none */
};

struct cgroup_usage {
	int64_t cpu_us;
	int64_t memory_bytes;	   /* working set: usage without inactive file cache */
	int64_t memory_peak_bytes; /* highest usage so far */
	int64_t oom_kills;	   /* processes killed by the kernel for memory */
};

/* Make PARENT/NAME with its limits; an old empty group of that name is used again. */
int cgroup_create(const char *parent, const char *name, const struct cgroup_limits *limits,
		  struct cgroup **ret, struct error *err);
/* The group, if there is one: to clean up after a lost monitor. */
struct cgroup *cgroup_find(const char *parent, const char *name);
void cgroup_free(struct cgroup *cgroup); /* the group itself stays; NULL is fine */

/* fork() whose child is in the group. A child that cannot get there exits with status 126. */
pid_t cgroup_fork(const struct cgroup *cgroup);
/* The folder where devices are restricted (borrowed): the group's own in v2, that of the controller `devices` in v1.
 * -1: the kernel has no such controller. */
int cgroup_devices_fd(const struct cgroup *cgroup, bool *ret_is_unified);
/* One figure and where it is read, for those who do so all the time (cgroup_meter.h). */
enum cgroup_figure { CGROUP_CPU_US, CGROUP_MEMORY_BYTES, CGROUP_INACTIVE_FILE_BYTES };
struct cgroup_source {
	int fd;		 /* yours to close; -1: there is none */
	const char *key; /* the word before the number; NULL: the number stands alone */
	int64_t divisor;
};
struct cgroup_source cgroup_open_source(const struct cgroup *cgroup, enum cgroup_figure figure);
/* For kernels that do not keep the peak: it was at least so much. */
void cgroup_note_memory(struct cgroup *cgroup, int64_t memory_bytes);
/* The number behind "KEY " at the beginning of a line; 0 if there is none. */
int64_t cgroup_find_figure(const char *text, const char *key);
/* Unreadable figures are 0. */
void cgroup_read_usage(struct cgroup *cgroup, struct cgroup_usage *ret);
/* Call `fn` for each process in the group until it returns false; true if it never did. */
bool cgroup_each(const struct cgroup *cgroup, bool (*fn)(void *arg, pid_t pid), void *arg);
/* Send a signal to every process in the group. Returns how many there were. */
int cgroup_signal(const struct cgroup *cgroup, int signal);
/* Kill what is left, wait until it is gone (at most `wait_ms`), and remove the group. */
int cgroup_remove(struct cgroup *cgroup, int64_t wait_ms, struct error *err);

#endif
