/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime as a program: crun, or another one by configuration. */
#ifndef HEARTH_CONTAINER_RUNTIME_H
#define HEARTH_CONTAINER_RUNTIME_H

#include "base/error.h"
#include "container/cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* First line that `program --version` prints; E_UNSUPPORTED when there is no such program or it is
 * known to be too old. */
int runtime_probe(const char *program, char *ret_version, size_t size, struct error *err);

struct runtime; /* the program, opened */

/* Find the program (in PATH, unless it is a path) and open it, before STAGE_DIR is covered. */
int runtime_open(const char *program, struct runtime **ret, struct error *err);
void runtime_close(struct runtime *runtime); /* NULL is fine */
/* Does it take a finished seccomp program (crun's annotation run.oci.seccomp_bpf_data)? */
bool runtime_takes_program(const struct runtime *runtime);

/*
 * Run the bundle in STAGE_DIR inside `cgroup`, with `output_fd` as the job's standard output and
 * error. Returns once the job's process was started; it is a child of ours then (we are PID 1 of our
 * namespace, or a subreaper). Failures are sentences for the job's owner (E_INVALID when the job or
 * its image is to blame).
 */
int runtime_start(const struct runtime *runtime, const struct cgroup *cgroup, int output_fd,
                  pid_t *ret_pid, struct error *err);

/* What a runtime's own words mean, as runtime_start() says it. */
int runtime_translate(const char *words, struct error *err);

#endif
