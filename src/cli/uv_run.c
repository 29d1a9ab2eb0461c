/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hearth uv run: a script by URL, or a command, under uv. Local scripts travel through a bucket in
 * the protocol (hub-jobs-api 5.2); until there are buckets they are refused with a sentence.
 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/hub.h"
#include "cli/job_name.h"
#include "cli/job_request.h"
#include "cli/job_run.h"

#include <string.h>
#include <sys/stat.h>

#define DEFAULT_IMAGE "ghcr.io/astral-sh/uv:python3.12-bookworm"

static bool is_url(const char *word)
{
	return strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0;
}

static bool looks_like_file(const char *word)
{
	static const char *const endings[] = {".py", ".sh", ".yaml", ".yml", ".toml"};
	size_t len = strlen(word);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t n = strlen(endings[i]);
		if (len > n && strcmp(word + len - n, endings[i]) == 0)
			return true;
	}
	return false;
}

static int check_words(char *const *words, size_t n_words, struct error *err)
{
	for (size_t i = 0; i < n_words; i++) {
		struct stat st;
		if (is_url(words[i]))
			continue;
		if (stat(words[i], &st) == 0 && S_ISREG(st.st_mode))
			return fail(
			        err, E_UNSUPPORTED,
			        "'%s' is a local file: it would have to be uploaded to a bucket, "
			        "and buckets are not built yet. Give the script by URL for now",
			        words[i]);
		if (looks_like_file(words[i]))
			return fail(err, E_NOT_FOUND,
			            "'%s' is not a local file, and not a URL either", words[i]);
	}
	return 0;
}

static void add_word(json_t *command, const char *word, bool *ok)
{
	*ok = json_array_append_new(command, json_string(word)) == 0 && *ok;
}

static json_t *build_command(const struct invocation *in, struct error *err)
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
	for (size_t i = 0; i < in->options.n_arguments; i++)
		add_word(command, in->options.arguments[i], &ok);
	if (ok)
		return command;
	json_decref(command);
	(void)fail(err, E_INVALID, "SCRIPT and its arguments must be valid UTF-8");
	return NULL;
}

static int run_words(struct invocation *in, json_t *take_command, struct error *err)
{
	struct hub *hub = NULL;
	struct job_request request = {0};
	char **words = in->options.arguments;
	const char *image = options_text(&in->options, "image");
	autofree char *name = job_name_of_script(words[0], words + 1, in->options.n_arguments - 1);
	if (hub_open(options_text(&in->options, "token"), &hub, err) < 0) {
		json_decref(take_command);
		return output_fail(err);
	}
	int status = 1;
	if (job_request_build(&in->options, image ? image : DEFAULT_IMAGE, take_command, name,
	                      hub_token(hub), &request, err) < 0) {
		output_fail(err);
	} else {
		status = job_run(in, hub, &request);
		job_request_clear(&request);
	}
	hub_free(hub);
	return status;
}

int uv_run_command(struct invocation *in)
{
	struct error err = ERROR_INIT;
	if (check_words(in->options.arguments, in->options.n_arguments, &err) < 0)
		return output_fail(&err);
	json_t *command = build_command(in, &err);
	if (!command)
		return output_fail(&err);
	return run_words(in, command, &err);
}
