/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unprivileged process may ask of the spawner, and how: one SOCK_SEQPACKET message per
 * request, one way. The answer comes over the descriptor that is handed on with the request: the
 * child's end of a SOCK_SEQPACKET pair. If the child cannot be started, the spawner itself writes
 * one {"type":"error","code":…,"text":…} message there. When the child is gone, our end reads EOF.
 *
 *   SPAWN_MONITOR  run the attempt in folder attempts/<name> (spec.json is there)
 *   SPAWN_PULL     run hearth-pull; it reads its request from the pair (image/pull_protocol.h);
 *                  an optional second descriptor is the archive to import
 *   SPAWN_CLEAN    reap what a lost monitor of attempts/<name> may have left (cgroup, upper layer);
 *                  answers {"type":"done"}
 *   SPAWN_REMOVE   delete the attempt folder; answers {"type":"done"}
 *
 * `name` is "<job id>.<attempt number>"; the spawner checks it and everything else (S11, rights).
 */
#ifndef HEARTH_BASE_SPAWNER_LINK_H
#define HEARTH_BASE_SPAWNER_LINK_H

#include "base/error.h"

#include <stdbool.h>

enum spawn_kind { SPAWN_MONITOR = 1, SPAWN_PULL, SPAWN_CLEAN, SPAWN_REMOVE };

#define SPAWN_NAME_MAX 40

struct spawn_message {
	int kind;
	char name[SPAWN_NAME_MAX]; /* NUL-terminated; "" for SPAWN_PULL */
};

/* "<24 hex>.<1..9999>" */
bool spawn_name_is_valid(const char *name);
void spawn_name_format(char name[SPAWN_NAME_MAX], const char *job_id, int attempt);

/* Ask; waits while the spawner's queue is full. *ret_fd is our end of the pair (non-blocking, close-on-exec), yours to close. `extra_fd` -1:
 * none; borrowed. */
int spawner_link_send(int link_fd, enum spawn_kind kind, const char *name, int extra_fd, int *ret_fd,
		      struct error *err);

/* The same for the loop: E_BUSY instead of waiting (the queue takes some hundred requests): try again
 * in a moment. */
int spawner_link_try(int link_fd, enum spawn_kind kind, const char *name, int extra_fd, int *ret_fd,
		     struct error *err);

#endif
