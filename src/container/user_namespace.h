/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace of one attempt, and the network namespace that it owns. It serves for the
 * id-mapped layers and for the container, which joins both by path.
 */
#ifndef HEARTH_CONTAINER_USER_NAMESPACE_H
#define HEARTH_CONTAINER_USER_NAMESPACE_H

#include "base/error.h"

#include <stdint.h>

#define USER_NAMESPACE_IDS 65536

struct user_namespace {
	int user_fd;	/* for mount_setattr() and "/proc/<pid>/fd/<n>" */
	int network_fd; /* a fresh network namespace owned by it; its loopback is down */
};

/* Map ids 0..65535 inside to first_id.. outside. Needs a /proc of our own PID namespace. */
int user_namespace_create(uint32_t first_id, struct user_namespace *ret, struct error *err);
void user_namespace_close(struct user_namespace *namespace);

#endif
