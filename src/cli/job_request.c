/* SPDX-License-Identifier: Apache-2.0 */
/* Turns options into the JSON of a submission, with the keys in the order that `hf` sends them. */
#include "cli/job_request.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/artifacts.h"
#include "cli/dotenv.h"
#include "cli/duration.h"
#include "cli/input_file.h"
#include "cli/job_name.h"
#include "cli/job_wish.h"
#include "cli/local_tree.h"
#include "cli/volume_spec.h"

#include <string.h>

#define ENV_FILE_MAX (16u << 20)

static const char *lookup(void *arg, const char *key)
{
	const char *token = arg;
	if (token && strcmp(key, "HF_TOKEN") == 0)
		return token;
	return getenv(key);
}

/* The file first, so that single values override it. */
static int read_variables(const struct options *options, const char *option,
                          const char *file_option, const char *token, json_t *env,
                          struct error *err)
{
	const char *path = options_text(options, file_option);
	if (path) {
		autobuffer struct buffer text = BUFFER_INIT(ENV_FILE_MAX);
		if (input_file_read(path, &text, err) < 0)
			return error_prefix(err, "--%s", file_option);
		if (dotenv_parse(buffer_text(&text), text.len, lookup, (void *)token, env, err) < 0)
			return error_prefix(err, "--%s", file_option);
	}
	const char *text;
	for (size_t i = 0; (text = options_each(options, option, i)); i++)
		if (dotenv_parse(text, strlen(text), lookup, (void *)token, env, err) < 0)
			return -1;
	return 0;
}

int job_request_labels(const struct options *options, json_t **ret, bool *ret_named,
                       struct error *err)
{
	autojson json_t *labels = json_object();
	const char *text;
	for (size_t i = 0; (text = options_each(options, "label", i)); i++) {
		const char *equals = strchr(text, '=');
		autofree char *key =
		        equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);
		if (json_object_set_new(labels, key, json_string(equals ? equals + 1 : "")) < 0)
			return fail(err, E_INVALID, "Label '%s' is not valid UTF-8", text);
	}
	const char *name = options_text(options, "name");
	if (name && json_object_get(labels, "name"))
		return fail(err, E_INVALID, "--name and --label name=... cannot both be provided.");
	if (name && json_object_set_new(labels, "name", json_string(name)) < 0)
		return fail(err, E_INVALID, "--name is not valid UTF-8");
	*ret_named = json_object_get(labels, "name") != NULL;
	*ret = take_ptr(&labels);
	return 0;
}

int job_request_secrets(const struct options *options, const char *token, json_t *body,
                        struct error *err)
{
	autojson json_t *secrets = json_object();
	if (read_variables(options, "secrets", "secrets-file", token, secrets, err) < 0)
		return -1;
	if (json_object_size(secrets))
		(void)json_object_set(body, "secrets", secrets);
	return 0;
}

static int add_timeout(const struct options *options, json_t *body, struct error *err)
{
	const char *text = options_text(options, "timeout");
	int64_t seconds;
	if (!text || !*text)
		return 0;
	if (duration_parse_timeout(text, &seconds, err) < 0)
		return -1;
	(void)json_object_set_new(body, "timeoutSeconds", json_integer(seconds));
	return 0;
}

static void add_hint(struct job_request *request, const struct volume_folder *folder,
                     const json_t *volume)
{
	char *before = request->hint;
	request->hint =
	        xasprintf("%s%sVolume '%s' is mounted read-write. Once the job is over, pull "
	                  "back its data with:\n  hearth bucket sync hf://buckets/%s/%s %s",
	                  before ? before : "", before ? "\n" : "", folder->mount,
	                  json_get_text(volume, "source", ""), json_get_text(volume, "path", ""),
	                  folder->source);
	free(before);
}

static int add_local_folder(const struct options *options, struct hub *hub, const char *text,
                            struct job_request *request, json_t **ret, struct error *err)
{
	struct volume_folder folder;
	const char *space;
	if (volume_folder_parse(text, &folder, err) < 0)
		return -1;
	int rc = local_is_folder(folder.source)
	                 ? hub_namespace(hub, options_text(options, "namespace"), &space, err)
	                 : fail(err, E_NOT_FOUND,
	                        "Volume source '%s' is not an existing local directory. To mount a "
	                        "repo or bucket instead, use the 'hf://' syntax (e.g. "
	                        "'hf://buckets/my-org/my-bucket:/data').",
	                        folder.source);
	if (rc == 0)
		rc = artifacts_sync(hub, space, folder.source, folder.mount, !folder.is_writable,
		                    ret, err);
	if (rc == 0 && folder.is_writable)
		add_hint(request, &folder, *ret);
	volume_folder_clear(&folder);
	return rc;
}

static int add_volumes(const struct options *options, struct hub *hub, struct job_request *request,
                       struct error *err)
{
	autojson json_t *volumes = json_array();
	const char *text;
	for (size_t i = 0; (text = options_each(options, "volume", i)); i++) {
		json_t *volume;
		int rc = volume_spec_is_remote(text)
		                 ? volume_spec_parse(text, &volume, err)
		                 : add_local_folder(options, hub, text, request, &volume, err);
		if (rc < 0)
			return -1;
		(void)json_array_append_new(volumes, volume);
	}
	if (json_array_size(volumes))
		(void)json_object_set(request->body, "volumes", volumes);
	return 0;
}

static void add_access(const struct options *options, json_t *body)
{
	autojson json_t *ports = json_array();
	const char *text;
	int64_t port = 0;
	for (size_t i = 0; (text = options_each(options, "expose", i)); i++)
		if (options_parse_integer(text, &port))
			(void)json_array_append_new(ports, json_integer(port));
	if (json_array_size(ports))
		(void)json_object_set_new(body, "expose", json_pack("{s:O}", "ports", ports));
	const char *group = options_text(options, "resource-group-id");
	if (group && *group)
		(void)json_object_set_new(body, "resourceGroupId", json_string(group));
	if (options_flag(options, "attempts"))
		(void)json_object_set_new(body, "attempts",
		                          json_integer(options_integer(options, "attempts", 1)));
}

static int add_image(json_t *body, const char *image, struct error *err)
{
	const char *space = job_name_space(image);
	if (json_object_set_new(body, space ? "spaceId" : "dockerImage",
	                        json_string(space ? space : image)) < 0)
		return fail(err, E_INVALID, "IMAGE is not valid UTF-8");
	return 0;
}

static int fill(const struct options *options, const char *image, const char *auto_name,
                struct hub *hub, struct job_request *request, struct error *err)
{
	const char *token = hub_token(hub);
	json_t *body = request->body;
	autojson json_t *env = json_object();
	autojson json_t *labels = NULL;
	bool is_named;
	const char *flavor = options_text(options, "flavor");
	if (read_variables(options, "env", "env-file", token, env, err) < 0)
		return -1;
	(void)json_object_set(body, "environment", env);
	(void)json_object_set_new(body, "flavor",
	                          json_string(flavor && *flavor ? flavor : "cpu-basic"));
	if (job_request_secrets(options, token, body, err) < 0 ||
	    add_timeout(options, body, err) < 0 ||
	    job_request_labels(options, &labels, &is_named, err) < 0 ||
	    job_wish_add(options, labels, err) < 0)
		return -1;
	if (!is_named && json_object_set_new(labels, "name", json_string(auto_name)) < 0)
		return fail(err, E_INVALID, "The image's name is not valid UTF-8");
	request->is_auto_named = !is_named;
	(void)json_object_set(body, "labels", labels);
	if (add_volumes(options, hub, request, err) < 0)
		return -1;
	add_access(options, body);
	return add_image(body, image, err);
}

int job_request_build(const struct options *options, const char *image, json_t *take_words,
                      const char *auto_name, struct hub *hub, struct job_request *ret,
                      struct error *err)
{
	struct job_request request = {.body = json_object()};
	(void)json_object_set_new(request.body, "command", take_words);
	(void)json_object_set_new(request.body, "arguments", json_array());
	if (fill(options, image, auto_name, hub, &request, err) < 0) {
		job_request_clear(&request);
		return -1;
	}
	*ret = request;
	return 0;
}

void job_request_clear(struct job_request *request)
{
	json_decref(request->body);
	free(request->hint);
	*request = (struct job_request){0};
}
