/* SPDX-License-Identifier: Apache-2.0 */
/* What jobs with uv get. */
#include "job/uv_job.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/volume.h"
#include "hub/bucket_path.h"
#include "job/uv_script.h"

#include <fcntl.h>
#include <string.h>

#define SCRIPT_MAX (1024 * 1024)
#define METADATA_MAX (256 * 1024)

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What clients up to 1.12 send: a shell that writes the script from a variable and runs uv. */
static const char *script_variable(const json_t *body)
{
	const json_t *environment = json_object_get(body, "environment");
	const char *text = json_get_text(environment, "LOCAL_FILES_ENCODED", NULL);

	return text ? text : json_get_text(environment, "UV_SCRIPT_ENCODED", NULL);
}

static bool is_by_variable(const json_t *body)
{
	const char *program = uv_script_word(body, 0), *option = uv_script_word(body, 1);
	const char *script = uv_script_word(body, 2);

	return program && option && script && strcmp(base_name(program), "bash") == 0 &&
	       strcmp(option, "-c") == 0 && strstr(script, "uv run") && script_variable(body);
}

static bool is_by_words(const json_t *body)
{
	const char *program = uv_script_word(body, 0);

	return program &&
	       (strcmp(base_name(program), "uv") == 0 || strcmp(base_name(program), "uvx") == 0);
}

bool uv_job_is(const json_t *body)
{
	return is_by_words(body) || is_by_variable(body);
}

static const char *user_variable(const struct uv_job_input *in, const char *name)
{
	const char *text = json_get_text(json_object_get(in->body, "environment"), name, NULL);

	return text ? text : json_get_text(in->secrets, name, NULL);
}

static bool has_cache(const struct uv_job_input *in)
{
	return in->configuration->uv_cache && !user_variable(in, "UV_CACHE_DIR") &&
	       !user_variable(in, "UV_NO_CACHE") && !uv_script_has_own_cache(in->body);
}

static bool has_text(const char *text)
{
	return text && text[0];
}

void uv_job_add_variables(const struct uv_job_input *in, json_t *variables)
{
	const struct configuration *c = in->configuration;

	if (!uv_job_is(in->body))
		return;
	if (has_cache(in)) {
		json_object_set_new(variables, "UV_CACHE_DIR",
		                    json_string(VOLUME_UV_TARGET "/cache"));
		json_object_set_new(variables, "UV_PYTHON_INSTALL_DIR",
		                    json_string(VOLUME_UV_TARGET "/python"));
	}
	if (has_text(c->uv_index_url))
		json_object_set_new(variables, "UV_DEFAULT_INDEX", json_string(c->uv_index_url));
	if (has_text(c->uv_wheels))
		json_object_set_new(variables, "UV_FIND_LINKS", json_string(VOLUME_WHEELS_TARGET));
	if (c->uv_offline)
		json_object_set_new(variables, "UV_OFFLINE", json_string("1"));
}

static void add_text(struct digest *digest, const char *text)
{
	digest_add(digest, text, strlen(text) + 1);
}

/* The volume that has the path, which is then *ret_rest below it; NULL: none. */
static const json_t *find_volume(const json_t *body, const char *path, const char **ret_rest)
{
	const json_t *volumes = json_object_get(body, "volumes");
	size_t i;
	json_t *volume;

	json_array_foreach((json_t *)(uintptr_t)volumes, i, volume)
	{
		const char *target = json_get_text(volume, "mountPath", "");
		size_t len = strlen(target);
		while (len > 1 && target[len - 1] == '/')
			len--;
		if (len == 0 || strncmp(path, target, len) != 0 || path[len] != '/')
			continue;
		*ret_rest = path + len + 1;
		return volume;
	}
	return NULL;
}

/* A file of a bucket, whose folder is ours to read; -1: there is none. */
static int open_in_bucket(const struct configuration *c, const json_t *volume, const char *rest)
{
	const char *sub = json_get_text(volume, "path", "");
	autofree char *folder =
	        xasprintf("%s/buckets/%s", c->state_dir, json_get_text(volume, "source", ""));
	autofree char *path = xasprintf("%s%s%s", sub, sub[0] ? "/" : "", rest);
	struct error unused = ERROR_INIT;
	autoclose int bucket_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int fd = -1;

	if (bucket_fd < 0 || strcmp(json_get_text(volume, "type", ""), "bucket") != 0 ||
	    bucket_open(bucket_fd, path, O_RDONLY | O_NONBLOCK, &fd, &unused))
		return -1;
	return fd;
}

static void add_file(struct digest *digest, int fd, bool is_script)
{
	autobuffer struct buffer metadata = BUFFER_INIT(METADATA_MAX);
	autofree char *text = xmalloc(SCRIPT_MAX);
	size_t len = 0;
	ssize_t n;

	while (len < SCRIPT_MAX && (n = read(fd, text + len, SCRIPT_MAX - len)) > 0)
		len += (size_t)n;
	if (is_script) {
		uv_script_add_metadata(text, len, &metadata);
		add_text(digest, buffer_text(&metadata));
	} else {
		digest_add(digest, text, len);
	}
}

/* The script and, should there be one, the lock file beside it. */
static void add_script(const struct uv_job_input *in, struct digest *digest, const char *path)
{
	const char *rest;
	const json_t *volume = find_volume(in->body, path, &rest);

	if (!volume)
		return;
	autofree char *lock = xasprintf("%s.lock", rest);
	autoclose int fd = open_in_bucket(in->configuration, volume, rest);
	autoclose int lock_fd = open_in_bucket(in->configuration, volume, lock);
	if (fd >= 0) {
		add_file(digest, fd, true);
	} else {
		add_text(digest, json_get_text(volume, "source", ""));
		add_text(digest, json_get_text(volume, "revision", ""));
		add_text(digest, json_get_text(volume, "path", ""));
	}
	if (lock_fd >= 0)
		add_file(digest, lock_fd, false);
}

/* An option's file, such as that of --with-requirements. */
static void add_option_file(const struct uv_job_input *in, struct digest *digest, const char *path)
{
	const char *rest;
	const json_t *volume = path[0] == '/' ? find_volume(in->body, path, &rest) : NULL;
	autoclose int fd = volume ? open_in_bucket(in->configuration, volume, rest) : -1;

	if (fd >= 0)
		add_file(digest, fd, false);
}

static void add_words(const struct uv_job_input *in, struct digest *digest)
{
	size_t target = uv_script_target(in->body);
	const char *word;

	for (size_t i = 0; i <= target && (word = uv_script_word(in->body, i)); i++) {
		add_text(digest, word);
		if (i < target)
			add_option_file(in, digest, word);
	}
	word = uv_script_word(in->body, target);
	if (word)
		add_script(in, digest, word);
}

/* "… && uv run OPTIONS NAME.py ARGUMENTS": up to the name, and the files. */
static void add_variable_script(const struct uv_job_input *in, struct digest *digest)
{
	const char *script = strstr(uv_script_word(in->body, 2), "uv run");
	const char *end = strstr(script, ".py");

	digest_add(digest, script, end ? (size_t)(end - script) : strlen(script));
	add_text(digest, "");
	add_text(digest, script_variable(in->body));
}

static void add_variables(struct digest *digest, const json_t *variables)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)variables, name, value)
	{
		if (strncmp(name, "UV_", 3) != 0 || strcmp(name, "UV_SCRIPT_ENCODED") == 0)
			continue;
		add_text(digest, name);
		add_text(digest, json_string_value(value) ? json_string_value(value) : "");
	}
}

static void make_key(const struct uv_job_input *in, char ret[DIGEST_SIZE])
{
	autojson json_t *variables = json_object();
	struct digest *digest = digest_new();

	uv_job_add_variables(in, variables);
	add_text(digest, in->image_digest);
	add_variables(digest, variables);
	add_variables(digest, json_object_get(in->body, "environment"));
	if (is_by_words(in->body))
		add_words(in, digest);
	else
		add_variable_script(in, digest);
	digest_finish(digest, ret);
	digest_free(digest);
}

static bool is_shared(const json_t *body)
{
	return !is_by_words(body) || uv_script_is_repeatable(body);
}

void uv_job_add_mounts(const struct uv_job_input *in, json_t *mounts)
{
	char key[DIGEST_SIZE];

	if (!uv_job_is(in->body))
		return;
	if (has_cache(in)) {
		make_key(in, key);
		json_array_append_new(mounts,
		                      json_pack("{s:s, s:s, s:s, s:b, s:s}", "kind",
		                                VOLUME_UV_CACHE, "namespace_id", in->namespace_id,
		                                "key", digest_hex(key), "private",
		                                !is_shared(in->body), "target", VOLUME_UV_TARGET));
	}
	if (has_text(in->configuration->uv_wheels))
		json_array_append_new(mounts, json_pack("{s:s, s:s}", "kind", VOLUME_UV_WHEELS,
		                                        "target", VOLUME_WHEELS_TARGET));
}
