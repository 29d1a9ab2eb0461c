/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the end of a job by asking for it, quickly at first and then once a second. */
#ifndef HEARTH_CLI_JOB_WAIT_H
#define HEARTH_CLI_JOB_WAIT_H

#include "base/json.h"
#include "cli/hub.h"

#include <stdint.h>

/* Called with each state that is not the end; may be NULL. */
typedef void job_wait_fn(void *arg, const json_t *job);

struct job_wait_watcher {
	job_wait_fn *fn;
	void *arg;
};

/* `deadline_ms` on the monotonic clock, -1: none. *ret is the job in its terminal stage, or NULL
 * when the deadline came first. A server that is away for some seconds is waited for. */
int job_wait(struct hub *hub, const char *space, const char *id, int64_t deadline_ms,
             const struct job_wait_watcher *watcher, json_t **ret, struct error *err);

#endif
