/* SPDX-License-Identifier: Apache-2.0 */
/* hearth scheduled delete, suspend, resume, trigger, reschedule and labels: one schedule each. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_command.h"
#include "cli/job_request.h"
#include "cli/job_view.h"

/* Opens the schedule's server, asks once, and closes; *ret may be NULL. */
static int ask(const struct invocation *in, const char *method, const char *action,
               const json_t *body, json_t **ret, struct job_command *job, struct error *err)
{
	if (job_command_open(in, job, err) < 0)
		return -1;
	autofree char *path =
	        action ? hub_path("/api/scheduled-jobs/%s/%s/%s", job->space, job->ref.id, action)
	               : hub_path("/api/scheduled-jobs/%s/%s", job->space, job->ref.id);
	return hub_ask(job->hub, method, path, body, ret, err);
}

/* One call whose answer is only that it was done. */
static int change(struct invocation *in, const char *method, const char *action,
                  const char *message, const char *hint)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	int rc = ask(in, method, action, NULL, NULL, &job, &err);
	if (rc == 0) {
		autofree char *ref = job_command_ref(&job);
		output_result(&in->out, message, json_pack("{s:s}", "id", job.ref.id));
		if (hint)
			output_hint(&in->out, "Use `hearth scheduled %s %s` to %s it.", hint, ref,
			            hint);
	}
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}

int scheduled_delete_command(struct invocation *in)
{
	return change(in, "DELETE", NULL, "Scheduled Job deleted", NULL);
}

int scheduled_suspend_command(struct invocation *in)
{
	return change(in, "POST", "suspend", "Scheduled Job suspended", "resume");
}

int scheduled_resume_command(struct invocation *in)
{
	return change(in, "POST", "resume", "Scheduled Job resumed", NULL);
}

int scheduled_trigger_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *started = NULL;
	int rc = ask(in, "POST", "run", NULL, &started, &job, &err);
	if (rc == 0) {
		const char *id = json_get_text(started, "id", "");
		autofree char *url = xasprintf("%s/jobs/%s/%s", hub_endpoint(job.hub),
		                               job_view_owner(started), id);
		output_result(&in->out, "Scheduled Job triggered",
		              json_pack("{s:s, s:s}", "id", id, "url", url));
		output_hint(&in->out, "Use `hearth logs -f %s/%s` to stream logs.",
		            job_view_owner(started), id);
	}
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}

int scheduled_reschedule_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *answer = NULL;
	autojson json_t *body = json_pack("{s:s}", "schedule", in->options.arguments[1]);
	if (!body)
		return output_error("SCHEDULE must be valid UTF-8");
	int rc = ask(in, "POST", "schedule", body, &answer, &job, &err);
	if (rc == 0) {
		const char *id = json_get_text(answer, "id", job.ref.id);
		output_result(&in->out, "Scheduled Job rescheduled",
		              json_pack("{s:s, s:s}", "id", id, "schedule",
		                        json_get_text(answer, "schedule", "")));
		output_hint(&in->out, "Use `hearth scheduled inspect %s/%s` to see its next run.",
		            job_view_owner(answer), id);
	}
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}

/* --name alone keeps the other labels. */
static int merge_old(const struct job_command *job, json_t **labels, struct error *err)
{
	autojson json_t *old = NULL;
	autofree char *path = hub_path("/api/scheduled-jobs/%s/%s", job->space, job->ref.id);
	if (hub_ask(job->hub, "GET", path, NULL, &old, err) < 0)
		return -1;
	json_t *merged = json_deep_copy(json_object_get(json_object_get(old, "jobSpec"), "labels"));
	if (!json_is_object(merged)) {
		json_decref(merged);
		merged = json_object();
	}
	(void)json_object_update(merged, *labels);
	json_decref(*labels);
	*labels = merged;
	return 0;
}

static int put_labels(struct invocation *in, json_t **labels, struct error *err)
{
	struct job_command job = {0};
	autojson json_t *answer = NULL;
	if (job_command_open(in, &job, err) < 0)
		return -1;
	int rc = 0;
	if (options_flag(&in->options, "name") && !options_flag(&in->options, "label"))
		rc = merge_old(&job, labels, err);
	if (rc == 0) {
		autofree char *path =
		        hub_path("/api/scheduled-jobs/%s/%s/labels", job.space, job.ref.id);
		autojson json_t *body = json_pack("{s:O}", "labels", *labels);
		rc = hub_ask(job.hub, "PUT", path, body, &answer, err);
	}
	if (rc == 0)
		output_result(&in->out, "Labels updated",
		              json_pack("{s:s, s:s?}", "id",
		                        json_get_text(answer, "id", job.ref.id), "name",
		                        json_get_text(*labels, "name", NULL)));
	job_command_close(&job);
	return rc;
}

int scheduled_labels_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	autojson json_t *labels = NULL;
	bool named, clears = options_flag(&in->options, "clear");
	bool sets = options_flag(&in->options, "name") || options_flag(&in->options, "label");
	if (!sets && !clears)
		return output_error("Please set a name with --name or at least one label with "
		                    "--label. To remove all labels, pass --clear.");
	if (sets && clears)
		return output_error("Cannot set a name or labels and clear them at the same time. "
		                    "Please use --name/--label or --clear, not both.");
	if (job_request_labels(&in->options, &labels, &named, &err) < 0 ||
	    put_labels(in, &labels, &err) < 0)
		return output_fail(&err);
	return 0;
}
