/* SPDX-License-Identifier: Apache-2.0 */
/* hearth labels: name and labels of a job. --name alone keeps the others, --label replaces all. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/job_command.h"
#include "cli/job_request.h"

static int check(const struct invocation *in, bool sets, struct error *err)
{
	bool clears = options_flag(&in->options, "clear");
	if (!sets && !clears)
		return fail(err, E_INVALID,
		            "Please set a name with --name or at least one label with "
		            "--label. To remove all labels, pass --clear.");
	if (sets && clears)
		return fail(err, E_INVALID,
		            "Cannot set a name or labels and clear them at the same time. Please "
		            "use --name/--label or --clear, not both.");
	return 0;
}

static int merge_old(struct job_command *job, const char *path, json_t **labels, struct error *err)
{
	autojson json_t *old = NULL;
	if (hub_ask(job->hub, "GET", path, NULL, &old, err) < 0)
		return -1;
	json_t *merged = json_deep_copy(json_object_get(old, "labels"));
	if (!json_is_object(merged)) {
		json_decref(merged);
		merged = json_object();
	}
	(void)json_object_update(merged, *labels);
	json_decref(*labels);
	*labels = merged;
	return 0;
}

static int update(struct invocation *in, struct job_command *job, json_t **labels,
                  struct error *err)
{
	autofree char *path = hub_path("/api/jobs/%s/%s", job->space, job->ref.id);
	autofree char *put = hub_path("/api/jobs/%s/%s/labels", job->space, job->ref.id);
	if (options_flag(&in->options, "name") && !options_flag(&in->options, "label") &&
	    merge_old(job, path, labels, err) < 0)
		return -1;
	autojson json_t *body = json_pack("{s:O}", "labels", *labels);
	autojson json_t *answer = NULL;
	if (hub_ask(job->hub, "PUT", put, body, &answer, err) < 0)
		return -1;
	output_result(&in->out, "Labels updated",
	              json_pack("{s:s, s:s?}", "id", json_get_text(answer, "id", job->ref.id),
	                        "name", json_get_text(*labels, "name", NULL)));
	return 0;
}

int labels_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct job_command job = {0};
	autojson json_t *labels = NULL;
	bool named;
	bool sets = options_flag(&in->options, "name") || options_flag(&in->options, "label");
	if (check(in, sets, &err) < 0 ||
	    job_request_labels(&in->options, &labels, &named, &err) < 0 ||
	    job_command_open(in, &job, &err) < 0)
		return output_fail(&err);
	int rc = update(in, &job, &labels, &err);
	job_command_close(&job);
	return rc < 0 ? output_fail(&err) : 0;
}
