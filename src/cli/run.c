/* SPDX-License-Identifier: Apache-2.0 */
/* hearth run: a command in an image. */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/hub.h"
#include "cli/job_name.h"
#include "cli/job_request.h"
#include "cli/job_run.h"

int run_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	struct hub *hub = NULL;
	struct job_request request = {0};
	char **words = in->options.arguments + 1;
	size_t n_words = in->options.n_arguments - 1;
	const char *image = in->options.arguments[0];
	autofree char *name = job_name_of_image(image, words, n_words);
	json_t *command = json_array();
	for (size_t i = 0; i < n_words; i++)
		if (json_array_append_new(command, json_string(words[i])) < 0) {
			json_decref(command);
			return output_error("COMMAND: word %zu is not valid UTF-8", i + 1);
		}
	int status = 1;
	if (hub_open(options_text(&in->options, "token"), &hub, &err) < 0) {
		json_decref(command);
		return output_fail(&err);
	}
	if (job_request_build(&in->options, image, command, name, hub, &request, &err) < 0) {
		output_fail(&err);
	} else {
		status = job_run(in, hub, &request);
		job_request_clear(&request);
	}
	hub_free(hub);
	return status;
}
