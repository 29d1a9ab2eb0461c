/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `hearth scheduled` share. */
#ifndef HEARTH_CLI_SCHEDULED_H
#define HEARTH_CLI_SCHEDULED_H

#include "cli/command.h"
#include "cli/hub.h"
#include "cli/job_request.h"

/* Create a schedule of what `request` says, and tell; the exit status. */
int scheduled_create(struct invocation *in, struct hub *hub, const char *schedule,
                     const struct job_request *request);

#endif
