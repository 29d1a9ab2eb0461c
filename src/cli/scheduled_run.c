/* SPDX-License-Identifier: Apache-2.0 */
/* hearth scheduled run: a command in an image, by the clock. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/job_name.h"
#include "cli/job_view.h"
#include "cli/scheduled.h"

/* --suspend and --no-suspend; nothing is sent when neither is given. */
static void add_flag(const struct options *options, const char *name, const char *no, json_t *body)
{
	if (options_flag(options, name))
		(void)json_object_set_new(body, name, json_true());
	else if (options_flag(options, no))
		(void)json_object_set_new(body, name, json_false());
}

static int submit(struct invocation *in, struct hub *hub, const char *schedule,
                  const struct job_request *request, json_t **ret, struct error *err)
{
	const char *space;
	autojson json_t *body =
	        json_pack("{s:O, s:s}", "jobSpec", request->body, "schedule", schedule);
	if (!body)
		return fail(err, E_INVALID, "SCHEDULE must be valid UTF-8");
	add_flag(&in->options, "suspend", "no-suspend", body);
	add_flag(&in->options, "concurrency", "no-concurrency", body);
	if (hub_namespace(hub, options_text(&in->options, "namespace"), &space, err) < 0)
		return -1;
	autofree char *path = hub_path("/api/scheduled-jobs/%s", space);
	return hub_ask(hub, "POST", path, body, ret, err);
}

int scheduled_create(struct invocation *in, struct hub *hub, const char *schedule,
                     const struct job_request *request)
{
	struct error err = ERROR_INIT;
	autojson json_t *answer = NULL;
	if (submit(in, hub, schedule, request, &answer, &err) < 0)
		return output_fail(&err);
	const json_t *labels = json_object_get(json_object_get(answer, "jobSpec"), "labels");
	const char *id = json_get_text(answer, "id", "");
	const char *name = json_get_text(labels, "name", NULL);
	autofree char *ref = xasprintf("%s/%s", job_view_owner(answer), id);
	output_result(&in->out, "Scheduled Job created",
	              json_pack("{s:s, s:s?}", "id", id, "name", name));
	if (request->is_auto_named && name)
		output_hint(&in->out,
		            "Scheduled Job auto-named '%s'. Pass `--name` or run `hearth scheduled "
		            "labels %s --name NAME` to rename it.",
		            name, ref);
	output_hint(&in->out, "Use `hearth scheduled inspect %s` to view its details.", ref);
	return 0;
}

int scheduled_run_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct job_request request = {0};
	const char *schedule = in->options.arguments[0], *image = in->options.arguments[1];
	char **words = in->options.arguments + 2;
	size_t n_words = in->options.n_arguments - 2;
	autofree char *name = job_name_of_image(image, words, n_words);
	json_t *command = json_array();
	for (size_t i = 0; i < n_words; i++)
		if (json_array_append_new(command, json_string(words[i])) < 0) {
			json_decref(command);
			return output_error("COMMAND: word %zu is not valid UTF-8", i + 1);
		}
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0) {
		json_decref(command);
		return output_fail(&err);
	}
	int status = 1;
	if (job_request_build(&in->options, image, command, name, hub, &request, &err) < 0) {
		output_fail(&err);
	} else {
		status = scheduled_create(in, hub, schedule, &request);
		job_request_clear(&request);
	}
	hub_free(hub);
	return status;
}
