/* SPDX-License-Identifier: Apache-2.0 */
/* Image configuration and job specification, merged. What the user cannot know (proxies, PATH,
 * HOME, CA bundle) is added by the monitor, which sees the image's files. */
#include "backend/job_env.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "container/network_endpoint.h"
#include "job/uv_job.h"

#include <stdio.h>
#include <string.h>

#define GIB (1024LL * 1024 * 1024)
#define MIB (1024LL * 1024)

/* Later wins; a variable keeps the place of its first appearance. */
static void add_all(json_t *variables, const json_t *more)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)more, name, value) if (json_is_string(value))(void)
	        json_object_set(variables, name, value);
}

static void add_image_env(json_t *variables, const json_t *list)
{
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		const char *equal = text ? strchr(text, '=') : NULL;
		if (!equal || equal == text)
			continue;
		autofree char *name = xstrndup(text, (size_t)(equal - text));
		(void)json_object_set_new(variables, name, json_string(equal + 1));
	}
}

static void add_built_ins(json_t *variables, const struct job_env_input *in)
{
	char cores[32], memory[32];
	long long millis = (long long)in->flavor->cpu_millis;
	long long bytes = (long long)in->flavor->memory_bytes;
	if (millis % 1000 == 0)
		(void)snprintf(cores, sizeof(cores), "%lld", millis / 1000);
	else
		(void)snprintf(cores, sizeof(cores), "%.3g", (double)millis / 1000);
	if (bytes % GIB == 0)
		(void)snprintf(memory, sizeof(memory), "%lldGi", bytes / GIB);
	else
		(void)snprintf(memory, sizeof(memory), "%lldMi", bytes / MIB);
	(void)json_object_set_new(variables, "JOB_ID", json_string(in->job_id));
	(void)json_object_set_new(
	        variables, "ACCELERATOR",
	        json_string(in->flavor->device_count > 0 ? in->flavor->name : "none"));
	(void)json_object_set_new(variables, "CPU_CORES", json_string(cores));
	(void)json_object_set_new(variables, "MEMORY", json_string(memory));
	autofree char *endpoint = network_endpoint_url(in->configuration);
	if (endpoint)
		(void)json_object_set_new(variables, "HF_ENDPOINT", json_string(endpoint));
}

static struct uv_job_input uv_input(const struct job_env_input *in)
{
	return (struct uv_job_input){
	        .configuration = in->configuration,
	        .body = in->body,
	        .secrets = in->secrets,
	        .image_digest = json_get_text(in->record, "digest", ""),
	        .namespace_id = in->namespace_id,
	};
}

static json_t *make_mounts(const struct job_env_input *in)
{
	struct uv_job_input uv = uv_input(in);
	json_t *mounts = json_array();
	if (in->mounts)
		(void)json_array_extend(mounts, (json_t *)(uintptr_t)in->mounts);
	uv_job_add_mounts(&uv, mounts);
	return mounts;
}

static json_t *make_env(const struct job_env_input *in, const json_t *config)
{
	struct uv_job_input uv = uv_input(in);
	autojson json_t *variables = json_object();
	add_image_env(variables, json_object_get(config, "Env"));
	add_built_ins(variables, in);
	uv_job_add_variables(&uv, variables);
	add_all(variables, json_object_get(in->body, "environment"));
	add_all(variables, in->secrets);
	json_t *list = json_array();
	const char *name;
	json_t *value;
	json_object_foreach(variables, name, value)
	{
		autofree char *text = xasprintf("%s=%s", name, json_string_value(value));
		(void)json_array_append_new(list, json_string(text));
	}
	return list;
}

static void append(json_t *args, const json_t *more)
{
	size_t i;
	json_t *item;
	json_array_foreach(more, i, item) if (json_is_string(item))(void)
	        json_array_append(args, item);
}

/* hub-jobs-api 8.2: the entry point counts only when there is no command. */
static json_t *make_args(const json_t *body, const json_t *config)
{
	const json_t *command = json_object_get(body, "command");
	const json_t *arguments = json_object_get(body, "arguments");
	json_t *args = json_array();
	if (json_array_size(command) > 0) {
		append(args, command);
		append(args, arguments);
		return args;
	}
	append(args, json_object_get(config, "Entrypoint"));
	append(args, json_array_size(arguments) > 0 ? arguments : json_object_get(config, "Cmd"));
	return args;
}

static json_t *make_volumes(const json_t *config)
{
	json_t *list = json_array();
	const char *path;
	json_t *value;
	json_object_foreach(json_object_get(config, "Volumes"), path, value) if (path[0] == '/')(
	        void) json_array_append_new(list, json_string(path));
	return list;
}

/* "" and a relative folder are written in images, too. */
static json_t *make_cwd(const json_t *config)
{
	const char *text = json_get_text(config, "WorkingDir", "");
	return text[0] == '/' ? json_string(text) : json_sprintf("/%s", text);
}

/* What only some jobs have. */
static void add_devices(json_t *spec, const struct job_env_input *in)
{
	autojson json_t *names = json_array();
	for (const char *at = in->devices ? in->devices : ""; *at;) {
		size_t len = strcspn(at, ",");
		if (len > 0)
			(void)json_array_append_new(names, json_stringn(at, len));
		at += len + (at[len] == ',');
	}
	if (json_array_size(names) > 0)
		(void)json_object_set(spec, "devices", names);
	if (in->metrics_devices)
		(void)json_object_set_new(spec, "metrics_devices",
		                          json_deep_copy(in->metrics_devices));
	if (in->warning_s > 0) {
		(void)json_object_set_new(spec, "warning_s", json_integer(in->warning_s));
		(void)json_object_set_new(spec, "warning_signal", json_integer(in->warning_signal));
	}
}

int job_env_make(const struct job_env_input *in, json_t **ret, struct error *err)
{
	const struct configuration *c = in->configuration;
	const json_t *config = json_object_get(in->record, "config");
	autojson json_t *args = make_args(in->body, config);
	if (json_array_size(args) == 0)
		return fail(err, E_INVALID,
		            "No command: the job gives none, and the image %s has neither an entry "
		            "point nor a command",
		            json_get_text(in->record, "reference", ""));
	json_error_t why;
	json_t *spec = json_pack_ex(
	        &why, 0,
	        "{s:s, s:i, s:i, s:O, s:O, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	        "s:s, "
	        "s:b, s:o, s:o}",
	        "job_id", in->job_id, "attempt", in->number, "slot", in->slot, "layers",
	        json_object_get(in->record, "layers"), "args", args, "env", make_env(in, config),
	        "cwd", make_cwd(config), "user", json_get_text(config, "User", ""), "hostname",
	        in->job_id, "cpu_millis", (json_int_t)in->flavor->cpu_millis, "memory_bytes",
	        (json_int_t)in->flavor->memory_bytes, "storage_bytes",
	        (json_int_t)(c->storage_limits ? in->flavor->storage_bytes : 0), "pids_limit",
	        (json_int_t)c->pids_limit, "timeout_s", (json_int_t)in->timeout_s, "grace_s",
	        (json_int_t)in->grace_s, "log_limit_bytes", (json_int_t)c->log_limit_bytes,
	        "network", c->network_mode, "marker", 1, "volumes", make_volumes(config), "mounts",
	        make_mounts(in));
	if (!spec)
		return fail(err, E_INTERNAL, "the record of image %s is damaged: %s",
		            json_get_text(in->record, "reference", ""), why.text);
	add_devices(spec, in);
	*ret = spec;
	return 0;
}
