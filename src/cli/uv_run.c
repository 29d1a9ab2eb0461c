/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth uv run and hearth scheduled uv run: a local script, a script by URL, or a command, under
 * uv. Local files travel through a bucket (hub-jobs-api 5.2).
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/artifacts.h"
#include "cli/hub.h"
#include "cli/job_name.h"
#include "cli/job_request.h"
#include "cli/job_run.h"
#include "cli/scheduled.h"

#include <string.h>

#define DEFAULT_IMAGE "ghcr.io/astral-sh/uv:python3.12-bookworm"

struct script {
	const char *schedule; /* NULL: now */
	char **words;         /* SCRIPT and its arguments */
	size_t n_words;
};

static void add_word(json_t *command, const char *word, bool *ok)
{
	*ok = json_array_append_new(command, json_string(word)) == 0 && *ok;
}

static json_t *build_command(const struct invocation *in, const struct script *script,
                             const struct local_files *files, struct error *err)
{
	json_t *command = json_array();
	bool ok = true;
	const char *text;
	add_word(command, "uv", &ok);
	add_word(command, "run", &ok);
	for (size_t i = 0; (text = options_each(&in->options, "with", i)); i++) {
		add_word(command, "--with", &ok);
		add_word(command, text, &ok);
	}
	if ((text = options_text(&in->options, "python"))) {
		add_word(command, "--python", &ok);
		add_word(command, text, &ok);
	}
	for (size_t i = 0; i < script->n_words; i++) {
		const char *word = script->words[i];
		const char *place = local_files_place(files, word);
		add_word(command, place ? place : word, &ok);
	}
	if (ok)
		return command;
	json_decref(command);
	(void)fail(err, E_INVALID, "SCRIPT and its arguments must be valid UTF-8");
	return NULL;
}

/* Before anything is sent. */
static int check_mounts(const struct options *options, struct error *err)
{
	const char *text;
	for (size_t i = 0; (text = options_each(options, "volume", i)); i++) {
		const char *mount = strstr(text, ":" ARTIFACTS_MOUNT);
		const char *rest = mount ? mount + strlen(":" ARTIFACTS_MOUNT) : NULL;
		if (rest && (!*rest || *rest == ':'))
			return fail(err, E_INVALID,
			            "Mount path '" ARTIFACTS_MOUNT
			            "' is reserved for Jobs artifacts "
			            "when running local scripts. Mount your volume at a different "
			            "path.");
	}
	return 0;
}

/* The files' volume comes first, like in `hf`. */
static int add_files(struct invocation *in, struct hub *hub, const struct local_files *files,
                     struct job_request *request, struct error *err)
{
	const char *space;
	json_t *volume = NULL;
	autofree char *url = NULL;
	if (local_files_is_empty(files))
		return 0;
	if (hub_namespace(hub, options_text(&in->options, "namespace"), &space, err) < 0 ||
	    local_files_upload(files, hub, space, &volume, &url, err) < 0)
		return -1;
	output_text(&in->out, "Your script and Job artifacts will be saved in this bucket: %s",
	            url);
	json_t *volumes = json_object_get(request->body, "volumes");
	if (!volumes) {
		volumes = json_array();
		(void)json_object_set_new(request->body, "volumes", volumes);
	}
	(void)json_array_insert_new(volumes, 0, volume);
	return 0;
}

static int submit(struct invocation *in, struct hub *hub, const struct script *script,
                  const struct local_files *files, struct error *err)
{
	struct job_request request = {0};
	const char *image = options_text(&in->options, "image");
	autofree char *name =
	        job_name_of_script(script->words[0], script->words + 1, script->n_words - 1);
	json_t *command = build_command(in, script, files, err);
	if (!command || job_request_build(&in->options, image ? image : DEFAULT_IMAGE, command,
	                                  name, hub, &request, err) < 0)
		return -1;
	int status = add_files(in, hub, files, &request, err);
	if (status == 0)
		status = script->schedule ? scheduled_create(in, hub, script->schedule, &request)
		                          : job_run(in, hub, &request);
	job_request_clear(&request);
	return status;
}

static int run_script(struct invocation *in, const struct script *script)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct local_files *files = NULL;
	int rc = local_files_find(script->words, script->n_words, &files, &err);
	if (rc == 0 && !local_files_is_empty(files))
		rc = check_mounts(&in->options, &err);
	if (rc == 0)
		rc = hub_open(options_text(&in->options, "token"), &hub, &err);
	if (rc == 0)
		rc = submit(in, hub, script, files, &err);
	hub_free(hub);
	local_files_free(files);
	return rc < 0 ? output_fail(&err) : rc;
}

int uv_run_command(struct invocation *in)
{
	return run_script(in, &(struct script){.words = in->options.arguments,
	                                       .n_words = in->options.n_arguments});
}

int scheduled_uv_run_command(struct invocation *in)
{
	return run_script(in, &(struct script){.schedule = in->options.arguments[0],
	                                       .words = in->options.arguments + 1,
	                                       .n_words = in->options.n_arguments - 1});
}
