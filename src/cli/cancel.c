/* SPDX-License-Identifier: Apache-2.0 */
/* hearth cancel: end a job. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/job_command.h"

int cancel_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	if (job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	autofree char *path = hub_path("/api/jobs/%s/%s/cancel", job.space, job.ref.id);
	int rc = hub_ask(job.hub, "POST", path, NULL, NULL, &err);
	if (rc == 0)
		output_result(&in->out, "Job cancelled", json_pack("{s:s}", "id", job.ref.id));
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}
