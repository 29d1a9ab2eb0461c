/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a job: an allow-list no wider than Docker's default profile. */
#ifndef HEARTH_CONTAINER_SECCOMP_H
#define HEARTH_CONTAINER_SECCOMP_H

#include "base/error.h"
#include "base/json.h"

/* The member linux.seccomp of config.json for a setting container.seccomp: "default", "none" (then
 * *ret is NULL) or the path of a profile in that form. Yours to release. */
int seccomp_profile(const char *setting, json_t **ret, struct error *err);
/* A profile without system calls, for runtimes that take a program and only look whether there is a
 * profile. One that did not know programs would let such a job do nothing. Yours to release. */
json_t *seccomp_profile_closed(void);
/* The default profile as a finished BPF program in base64, for runtimes that take one; NULL for other
 * settings or where there is none. Yours to free. */
char *seccomp_program(const char *setting);

#endif
