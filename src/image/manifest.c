/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading indexes, manifests and configs. Everything here comes from strangers: each value is
 * checked for its type, and what Hearth does not understand is refused with a sentence.
 */
#include "image/manifest.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <string.h>

#define MANIFEST_BLOB_MAX_BYTES (INT64_C(1) << 42)
#define MANIFEST_RECORD_CONFIG_MAX (64 * 1024)

bool manifest_is_index(const json_t *document)
{
	return json_is_array(json_object_get(document, "manifests"));
}

static int manifest_read_blob(const json_t *descriptor, const char *what, struct manifest_blob *ret,
                              struct error *err)
{
	const char *digest = json_get_text(descriptor, "digest", "");
	int64_t size = json_get_int(descriptor, "size", -1);

	if (!digest_is_valid(digest))
		return fail(err, E_INVALID, "The image's %s has no valid sha256 digest", what);
	if (size < 0 || size > MANIFEST_BLOB_MAX_BYTES)
		return fail(err, E_INVALID, "The image's %s has no valid size", what);
	memcpy(ret->digest, digest, DIGEST_SIZE);
	ret->size = size;
	return 0;
}

/* 2: the very variant, 1: the architecture with another or no variant, 0: not ours. */
static int manifest_platform_score(const json_t *entry, const char *architecture)
{
	const json_t *platform = json_object_get(entry, "platform");
	const char *slash = strchr(architecture, '/');
	size_t len = slash ? (size_t)(slash - architecture) : strlen(architecture);
	const char *entry_architecture = json_get_text(platform, "architecture", "");
	const char *variant = json_get_text(platform, "variant", "");

	if (strcmp(json_get_text(platform, "os", ""), "linux") != 0 ||
	    strlen(entry_architecture) != len ||
	    strncmp(entry_architecture, architecture, len) != 0)
		return 0;
	if (slash)
		return strcmp(variant, slash + 1) == 0 ? 2 : 1;
	/* amd64/v3 runs on new processors only; arm64/v8 is what arm64 means. */
	if (!variant[0] || strcmp(variant, "v8") == 0)
		return 2;
	return strcmp(architecture, "amd64") == 0 ? 0 : 1;
}

static void manifest_list_platforms(const json_t *entries, struct buffer *ret)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const json_t *platform = json_object_get(entry, "platform");
		const char *os = json_get_text(platform, "os", "unknown");
		const char *variant = json_get_text(platform, "variant", "");

		if (strcmp(os, "unknown") == 0)
			continue;
		(void)buffer_printf(ret, "%s%s/%s%s%s", ret->len ? ", " : "", os,
		                    json_get_text(platform, "architecture", "unknown"),
		                    variant[0] ? "/" : "", variant);
	}
}

int manifest_choose(const json_t *index, const char *architecture, struct manifest_blob *ret,
                    struct error *err)
{
	const json_t *entries = json_object_get(index, "manifests"), *entry, *best = NULL;
	int best_score = 0;
	size_t i;

	if (json_object_get(index, "layers") || json_object_get(index, "config"))
		return fail(err, E_INVALID, "The image's index is also a manifest; refused");
	json_array_foreach(entries, i, entry)
	{
		int score = manifest_platform_score(entry, architecture);

		if (score > best_score) {
			best_score = score;
			best = entry;
		}
	}
	/* An index of one entry that says nothing about its platform: the config will tell. */
	if (!best && json_array_size(entries) == 1 &&
	    !json_object_get(json_array_get(entries, 0), "platform"))
		best = json_array_get(entries, 0);
	if (!best) {
		autobuffer struct buffer have = BUFFER_INIT(300);

		manifest_list_platforms(entries, &have);
		return fail(err, E_NOT_FOUND, "The image has no variant for linux/%s; it has: %s",
		            architecture, have.len ? buffer_text(&have) : "none");
	}
	return manifest_read_blob(best, "manifest", ret, err);
}

static int manifest_check_layer_type(const char *type, struct error *err)
{
	static const char *const known[] = {
	        "application/vnd.oci.image.layer.v1.tar",
	        "application/vnd.oci.image.layer.v1.tar+gzip",
	        "application/vnd.oci.image.layer.v1.tar+zstd",
	        "application/vnd.oci.image.layer.nondistributable.v1.tar",
	        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	        "application/vnd.docker.image.rootfs.diff.tar",
	        "application/vnd.docker.image.rootfs.diff.tar.gzip",
	        "application/vnd.docker.image.rootfs.diff.tar.zstd",
	        "application/vnd.docker.image.rootfs.foreign.diff.tar",
	        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(type, known[i]) == 0)
			return 0;
	}
	return fail(err, E_INVALID, "The image has a layer of the unknown type '%.150s'", type);
}

/* Old formats and things that are no images, each with its own sentence. */
static int manifest_check_kind(const json_t *document, struct error *err)
{
	const char *config_type =
	        json_get_text(json_object_get(document, "config"), "mediaType", "");

	if (json_get_int(document, "schemaVersion", 0) == 1)
		return fail(err, E_INVALID,
		            "The image has a manifest of the old Docker format (schema 1); push it "
		            "again with a current tool");
	if (manifest_is_index(document))
		return fail(err, E_INVALID, "The image's manifest is also an index; refused");
	if (json_get_int(document, "schemaVersion", 0) != 2 ||
	    !json_is_array(json_object_get(document, "layers")))
		return fail(err, E_INVALID, "The registry's answer is not an image manifest");
	if (config_type[0] &&
	    strcmp(config_type, "application/vnd.oci.image.config.v1+json") != 0 &&
	    strcmp(config_type, "application/vnd.docker.container.image.v1+json") != 0)
		return fail(err, E_INVALID, "Not a container image but a thing of type '%.150s'",
		            config_type);
	return 0;
}

int manifest_read(const json_t *document, struct manifest *ret, struct error *err)
{
	const json_t *layers = json_object_get(document, "layers"), *layer;
	size_t i;

	if (manifest_check_kind(document, err) < 0)
		return -1;
	if (json_array_size(layers) > MANIFEST_LAYERS_MAX)
		return fail(err, E_INVALID, "The image has %zu layers; at most %d can be mounted",
		            json_array_size(layers), MANIFEST_LAYERS_MAX);
	if (manifest_read_blob(json_object_get(document, "config"), "config", &ret->config, err) <
	    0)
		return -1;
	json_array_foreach(layers, i, layer)
	{
		if (manifest_check_layer_type(json_get_text(layer, "mediaType", ""), err) < 0 ||
		    manifest_read_blob(layer, "layer", &ret->layers[i].blob, err) < 0)
			return -1;
		ret->layers[i].diff_id[0] = '\0';
	}
	ret->n_layers = json_array_size(layers);
	return 0;
}

static int manifest_check_platform(const json_t *config, const char *wanted, struct error *err)
{
	const char *os = json_get_text(config, "os", "linux");
	const char *architecture = json_get_text(config, "architecture", "");
	size_t len = strcspn(wanted, "/");

	if (os[0] && strcmp(os, "linux") != 0)
		return fail(err, E_INVALID, "The image is for %.60s, not for Linux", os);
	if (architecture[0] &&
	    (strlen(architecture) != len || strncmp(architecture, wanted, len) != 0))
		return fail(err, E_INVALID,
		            "The image is for linux/%.60s; this machine is linux/%s", architecture,
		            wanted);
	return 0;
}

int manifest_read_config(struct manifest *manifest, const json_t *config, const char *architecture,
                         json_t **ret_config, char **ret_architecture, struct error *err)
{
	const json_t *ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids"), *id;
	const char *own = json_get_text(config, "architecture", "");
	size_t i;

	if (manifest_check_platform(config, architecture, err) < 0)
		return -1;
	if (json_array_size(ids) != manifest->n_layers)
		return fail(err, E_INVALID,
		            "The image's config names %zu layers, its manifest %zu; refused",
		            json_array_size(ids), manifest->n_layers);
	json_array_foreach(ids, i, id)
	{
		const char *text = json_string_value(id);

		if (!text || !digest_is_valid(text))
			return fail(err, E_INVALID, "The image's config has a bad diff id");
		memcpy(manifest->layers[i].diff_id, text, DIGEST_SIZE);
	}
	if (manifest_filter_config(json_object_get(config, "config"), ret_config, err) < 0)
		return -1;
	*ret_architecture = xstrndup(own[0] ? own : architecture, 60);
	return 0;
}

static bool manifest_is_text_array(const json_t *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return json_is_array(value);
}

static bool manifest_is_text_object(const json_t *value)
{
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)value, key, item)
	{
		if (!json_is_string(item))
			return false;
	}
	return json_is_object(value);
}

static bool manifest_is_set(const json_t *value)
{
	return json_is_object(value);
}

static bool manifest_is_text(const json_t *value)
{
	return json_is_string(value);
}

static const struct manifest_member {
	const char *name;
	bool (*is_valid)(const json_t *value);
	const char *type;
} manifest_members[] = {
        {"Env", manifest_is_text_array, "a list of strings"},
        {"Entrypoint", manifest_is_text_array, "a list of strings"},
        {"Cmd", manifest_is_text_array, "a list of strings"},
        {"WorkingDir", manifest_is_text, "a string"},
        {"User", manifest_is_text, "a string"},
        {"Volumes", manifest_is_set, "an object"},
        {"ExposedPorts", manifest_is_set, "an object"},
        {"StopSignal", manifest_is_text, "a string"},
        {"Labels", manifest_is_text_object, "an object of strings"},
        {NULL},
};

static size_t manifest_text_length(const json_t *value)
{
	autofree char *text = json_to_text(value);

	return strlen(text);
}

int manifest_filter_config(const json_t *config, json_t **ret, struct error *err)
{
	autojson json_t *known = json_object();

	for (const struct manifest_member *m = manifest_members; m->name; m++) {
		json_t *value = json_object_get(config, m->name);

		if (!value || json_is_null(value))
			continue;
		if (!m->is_valid(value))
			return fail(err, E_INVALID, "The image's config: %s must be %s", m->name,
			            m->type);
		json_object_set(known, m->name, value);
	}
	/* Labels are for people; jobs do not need them. */
	if (manifest_text_length(known) > MANIFEST_RECORD_CONFIG_MAX)
		json_object_del(known, "Labels");
	if (manifest_text_length(known) > MANIFEST_RECORD_CONFIG_MAX)
		return fail(err, E_INVALID, "The image's config is larger than %d KiB",
		            MANIFEST_RECORD_CONFIG_MAX / 1024);
	*ret = take_ptr(&known);
	return 0;
}
