/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of its ephemeral storage a job uses: the upper layer is measured by a child of ours, at
 * most every 2 s, less often when measuring takes long, and not at all while the file system as a
 * whole has not filled up by what is left of the limit.
 */
#ifndef HEARTH_CONTAINER_STORAGE_WATCH_H
#define HEARTH_CONTAINER_STORAGE_WATCH_H

#include "container/poller.h"

#include <stdint.h>

struct storage_watch;

/* `upper_fd` is taken. `limit_bytes` 0: measure only. `exceeded` is called once. */
struct storage_watch *storage_watch_new(struct poller *poller, int take_upper_fd,
					int64_t limit_bytes, void (*exceeded)(void *arg), void *arg);
void storage_watch_free(struct storage_watch *watch); /* NULL is fine */
int64_t storage_watch_bytes(const struct storage_watch *watch); /* as last measured */

#endif
