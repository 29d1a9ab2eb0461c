/* SPDX-License-Identifier: Apache-2.0 */
/* What commands on one job have in common: the server, the namespace and the id. */
#ifndef HEARTH_CLI_JOB_COMMAND_H
#define HEARTH_CLI_JOB_COMMAND_H

#include "cli/command.h"
#include "cli/hub.h"
#include "cli/job_ref.h"

struct job_command {
	struct hub *hub;
	struct job_ref ref; /* ref.space: as said on the command line, NULL if not */
	const char *space;  /* the namespace to use */
	char *element;	    /* the id, when it was looked up; NULL: ref.id is as said */
};

/* From --token, --namespace and the first argument. */
int job_command_open(const struct invocation *in, struct job_command *ret, struct error *err);
void job_command_close(struct job_command *job);
/* "ns/id" if the namespace was said, else "id"; yours to free. */
char *job_command_ref(const struct job_command *job);

#endif
