/* SPDX-License-Identifier: Apache-2.0 */
/* hearth logs: what a job has printed, and with -f what it will print. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_command.h"
#include "cli/job_view.h"
#include "cli/log_follow.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An empty log has a reason. */
static void tell_why_empty(const struct invocation *in, const struct job_command *job)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", job->space, job->ref.id);
	autofree char *ref = job_command_ref(job);
	autojson json_t *object = NULL;
	struct error ignored = ERROR_INIT;

	if (hub_ask(job->hub, "GET", path, NULL, &object, &ignored) < 0 ||
	    strcmp(job_view_stage(object), "SCHEDULING") != 0)
		return;
	const char *message = job_view_message(object);
	output_hint(&in->out, "The job has not begun (%s). `hearth logs -f %s` follows it.",
	            message ? message : "it waits", ref);
}

/* The job of that number instead of its array. */
static int find_element(struct job_command *job, int64_t number, struct error *err)
{
	autofree char *of = xasprintf("hearth.array-of=%s", job->ref.id);
	autofree char *index = xasprintf("hearth.array-index=%lld", (long long)number);
	autofree char *path = hub_path("/api/jobs/%s", job->space);
	autojson json_t *found = NULL;
	const char *id;

	hub_path_query(&path, "label", of);
	hub_path_query(&path, "label", index);
	if (hub_ask(job->hub, "GET", path, NULL, &found, err) < 0)
		return -1;
	id = json_get_text(json_array_get(found, 0), "id", NULL);
	if (!id)
		return fail(err, E_NOT_FOUND, "Job %s has no element %lld", job->ref.id,
		            (long long)number);
	free(job->element);
	job->element = xstrdup(id);
	job->ref.id = job->element;
	return 0;
}

int logs_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	enum output_mode mode = in->out.mode;
	bool interrupted = false;
	int64_t seen = 0;
	struct log_follow_options options = {
	        .follow = options_flag(&in->options, "follow"),
	        .is_silent = mode == OUTPUT_JSON || mode == OUTPUT_QUIET,
	        .is_plain = mode == OUTPUT_AGENT,
	        .tail = options_integer(&in->options, "tail", -1),
	        .ret_seen = &seen,
	};
	options.tells_status = options.follow && mode == OUTPUT_HUMAN && terminal_is(STDERR_FILENO);
	if (options_flag(&in->options, "tail") && options.tail < 0)
		return output_error("--tail must be 0 or more lines");
	if (job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	int rc = 0;
	if (options_flag(&in->options, "element"))
		rc = find_element(&job, options_integer(&in->options, "element", 0), &err);
	terminal_catch_interrupt();
	if (rc == 0)
		rc = log_follow(job.hub, job.space, job.ref.id, &options, NULL, &interrupted, &err);
	if (rc == 0 && !options.follow && seen == 0)
		tell_why_empty(in, &job);
	autofree char *ref = job_command_ref(&job);
	if (rc == 0 && options.follow && interrupted)
		log_follow_tell_interrupted(ref);
	else if (rc == 0 && options.follow)
		output_hint(&in->out,
		            "Stream ended. Run `hearth inspect %s` to check the final status (e.g. "
		            "COMPLETED or ERROR).",
		            ref);
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}
