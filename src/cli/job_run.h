/* SPDX-License-Identifier: Apache-2.0 */
/* What `run` and `uv run` do once the request is built: submit, tell, follow, wait. */
#ifndef HEARTH_CLI_JOB_RUN_H
#define HEARTH_CLI_JOB_RUN_H

#include "cli/command.h"
#include "cli/hub.h"
#include "cli/job_request.h"

/* Exit status: that of the job's command where it is known. */
int job_run(struct invocation *in, struct hub *hub, const struct job_request *request);

#endif
