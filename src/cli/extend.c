/* SPDX-License-Identifier: Apache-2.0 */
/* hearth extend: more time for a job, or with --to another time limit, counted from its start. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/duration.h"
#include "cli/job_command.h"

static int read_time(const struct invocation *in, json_t **ret, struct error *err)
{
	const char *to = options_text(&in->options, "to");
	bool adds = in->options.n_arguments > 1;
	int64_t seconds;
	if (adds == (to != NULL))
		return fail(
		        err, E_INVALID,
		        "Please give either the time to add (hearth extend JOB_ID 2h) or the new "
		        "limit with --to, counted from the start of the job.");
	if (duration_parse_timeout(adds ? in->options.arguments[1] : to, &seconds, err) < 0)
		return -1;
	if (seconds < 1)
		return fail(err, E_INVALID, "The time must be at least one second.");
	*ret = json_pack("{s:I}", adds ? "seconds" : "timeoutSeconds", (json_int_t)seconds);
	return 0;
}

static void print(const struct invocation *in, const struct job_command *job, const json_t *answer)
{
	const json_t *extras = json_object_get(answer, "hearth");
	const json_t *limit = json_object_get(extras, "timeLimit");
	int64_t timeout_s = json_get_int(answer, "timeoutSeconds", 0);
	char text[DURATION_TEXT_SIZE];
	json_t *values = json_pack(
	        "{s:s, s:s, s:s?}", "id", json_get_text(answer, "id", job->ref.id), "timeout",
	        duration_format(timeout_s, text), "ends_at", json_get_text(limit, "endsAt", NULL));
	output_result(&in->out, "Time limit changed", values);
}

int extend_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *body = NULL, *answer = NULL;
	if (read_time(in, &body, &err) < 0 || job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	autofree char *path = hub_path("/api/jobs/%s/%s/extend", job.space, job.ref.id);
	int rc = hub_ask(job.hub, "POST", path, body, &answer, &err);
	if (rc == 0)
		print(in, &job, answer);
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}
