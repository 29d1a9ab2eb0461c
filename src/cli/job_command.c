/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the server for a command on one job. */
#include "cli/job_command.h"

#include "base/memory.h"

int job_command_open(const struct invocation *in, struct job_command *ret, struct error *err)
{
	struct job_command job = {0};
	const char *space = options_text(&in->options, "namespace");
	if (job_ref_parse(in->options.arguments[0], space, &job.ref, err) < 0)
		return -1;
	if (hub_open(options_text(&in->options, "token"), &job.hub, err) < 0 ||
	    hub_namespace(job.hub, job.ref.space, &job.space, err) < 0) {
		job_command_close(&job);
		return -1;
	}
	*ret = job;
	return 0;
}

void job_command_close(struct job_command *job)
{
	hub_free(job->hub);
	job_ref_clear(&job->ref);
	free(job->element);
	*job = (struct job_command){0};
}

char *job_command_ref(const struct job_command *job)
{
	return job->ref.space ? xasprintf("%s/%s", job->ref.space, job->ref.id)
	                      : xstrdup(job->ref.id);
}
