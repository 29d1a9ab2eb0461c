/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading of image archives after their unpacking. The folder's content is a stranger's: files are
 * opened inside the folder only, must be regular, and have a maximum.
 */
#include "image/import_archive.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IMPORT_INDEX_DEPTH_MAX 4

void import_archive_clear(struct import_archive *archive)
{
	for (size_t i = 0; i < MANIFEST_LAYERS_MAX; i++)
		free(archive->paths[i]);
	pull_plan_clear(&archive->plan);
	*archive = (struct import_archive){0};
}

int import_archive_open(int dir_fd, const char *path, int *ret_fd, int64_t *ret_size,
                        struct error *err)
{
	autoclose int fd = -1;
	struct stat st;

	if (file_open_in_root(dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0, &fd, err) < 0)
		return fail(err, E_NOT_FOUND, "The archive has no file '%.150s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail(err, E_INVALID, "The archive's '%.150s' is not a regular file", path);
	*ret_fd = take_fd(&fd);
	*ret_size = st.st_size;
	return 0;
}

static int import_read_text(int dir_fd, const char *path, struct buffer *ret, struct error *err)
{
	autoclose int fd = -1;
	char piece[16384];
	int64_t size;
	ssize_t n;

	if (import_archive_open(dir_fd, path, &fd, &size, err) < 0)
		return -1;
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		if (buffer_add(ret, piece, (size_t)n) < 0)
			return fail(err, E_TOO_LARGE, "The archive's '%.150s' is too large", path);
	}
	return n < 0 ? fail_errno(err, E_INTERNAL, errno, "The archive's '%.150s'", path) : 0;
}

static int import_read_json(int dir_fd, const char *path, json_t **ret, char digest[DIGEST_SIZE],
                            struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(MANIFEST_CONFIG_MAX_BYTES);

	if (import_read_text(dir_fd, path, &text, err) < 0)
		return -1;
	digest_of(buffer_text(&text), text.len, digest);
	return json_parse(buffer_text(&text), text.len, path, ret, err);
}

static char *import_blob_path(const char *digest)
{
	return xasprintf("blobs/sha256/%s", digest_hex(digest));
}

static int import_read_blob(int dir_fd, const char *digest, json_t **ret, struct error *err)
{
	autofree char *path = import_blob_path(digest);
	autojson json_t *value = NULL;
	char actual[DIGEST_SIZE];

	if (import_read_json(dir_fd, path, &value, actual, err) < 0)
		return -1;
	if (strcmp(actual, digest) != 0)
		return fail(err, E_INVALID, "Wrong digest: the archive's '%.150s'", path);
	*ret = take_ptr(&value);
	return 0;
}

/* Does `text` name the wished image: in full, in short, or by its tag alone? */
static bool import_names(const char *text, const struct reference *ref, bool allow_tag)
{
	struct error ignored = ERROR_INIT;
	struct reference other;

	if (!text[0])
		return false;
	if (allow_tag && strcmp(text, ref->tag) == 0)
		return true;
	return reference_parse(text, &other, &ignored) == 0 && strcmp(other.host, ref->host) == 0 &&
	       strcmp(other.path, ref->path) == 0 && strcmp(other.tag, ref->tag) == 0;
}

static const json_t *import_find_named(const json_t *entries, const struct reference *ref)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const json_t *notes = json_object_get(entry, "annotations");

		if (import_names(json_get_text(notes, "io.containerd.image.name", ""), ref,
		                 false) ||
		    import_names(json_get_text(notes, "org.opencontainers.image.ref.name", ""), ref,
		                 true))
			return entry;
	}
	return NULL;
}

/* One level of an index: the entry that is wished for. */
static int import_choose(const json_t *index, const struct reference *ref, const char *architecture,
                         char digest[DIGEST_SIZE], struct error *err)
{
	const json_t *entries = json_object_get(index, "manifests");
	const json_t *entry = json_array_size(entries) == 1 ? json_array_get(entries, 0)
	                                                    : import_find_named(entries, ref);
	struct manifest_blob blob;

	if (entry && digest_is_valid(json_get_text(entry, "digest", ""))) {
		memcpy(digest, json_get_text(entry, "digest", ""), DIGEST_SIZE);
		return 0;
	}
	if (manifest_choose(index, architecture, &blob, err) < 0)
		return error_prefix(err, "The archive's index.json");
	memcpy(digest, blob.digest, DIGEST_SIZE);
	return 0;
}

static int import_read_layout(int dir_fd, json_t *take_index, const struct reference *ref,
                              const char *architecture, struct import_archive *ret,
                              struct error *err)
{
	autojson json_t *document = take_index;
	autojson json_t *config = NULL;
	struct pull_plan *plan = &ret->plan;

	for (int depth = 0; manifest_is_index(document); depth++) {
		json_t *next = NULL;

		if (depth > IMPORT_INDEX_DEPTH_MAX)
			return fail(err, E_INVALID, "The archive's indexes are nested too deeply");
		if (import_choose(document, ref, architecture, plan->manifest_digest, err) < 0 ||
		    import_read_blob(dir_fd, plan->manifest_digest, &next, err) < 0)
			return -1;
		if (depth == 0)
			memcpy(plan->digest, plan->manifest_digest, DIGEST_SIZE);
		json_decref(document);
		document = next;
	}
	if (manifest_read(document, &plan->manifest, err) < 0 ||
	    import_read_blob(dir_fd, plan->manifest.config.digest, &config, err) < 0 ||
	    manifest_read_config(&plan->manifest, config, architecture, &plan->config,
	                         &plan->architecture, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->manifest.n_layers; i++)
		ret->paths[i] = import_blob_path(plan->manifest.layers[i].blob.digest);
	return 0;
}

static const json_t *import_find_tagged(const json_t *images, const struct reference *ref)
{
	const json_t *image, *tag;
	size_t i, j;

	json_array_foreach(images, i, image)
	{
		json_array_foreach(json_object_get(image, "RepoTags"), j, tag)
		{
			if (json_is_string(tag) && import_names(json_string_value(tag), ref, false))
				return image;
		}
	}
	return NULL;
}

static int import_read_saved_layers(int dir_fd, const json_t *image, struct import_archive *ret,
                                    struct error *err)
{
	const json_t *layers = json_object_get(image, "Layers"), *layer;
	struct manifest *manifest = &ret->plan.manifest;
	size_t i;

	if (json_array_size(layers) > MANIFEST_LAYERS_MAX)
		return fail(err, E_INVALID, "The archive's image has more than %d layers",
		            MANIFEST_LAYERS_MAX);
	json_array_foreach(layers, i, layer)
	{
		autoclose int fd = -1;

		if (!json_is_string(layer))
			return fail(err, E_INVALID, "The archive's manifest.json: bad Layers");
		if (import_archive_open(dir_fd, json_string_value(layer), &fd,
		                        &manifest->layers[i].blob.size, err) < 0)
			return -1;
		ret->paths[i] = xstrdup(json_string_value(layer));
	}
	manifest->n_layers = json_array_size(layers);
	return 0;
}

/* No manifest of a registry here: the image is known by the digest of its config, as in docker. */
static int import_read_saved(int dir_fd, const json_t *images, const struct reference *ref,
                             const char *architecture, struct import_archive *ret,
                             struct error *err)
{
	const json_t *image = import_find_tagged(images, ref);
	struct pull_plan *plan = &ret->plan;
	autojson json_t *config = NULL;

	if (!image && json_array_size(images) == 1)
		image = json_array_get(images, 0);
	if (!image)
		return fail(err, E_INVALID,
		            "The archive holds %zu images, none of them named %s:%s",
		            json_array_size(images), ref->path, ref->tag);
	if (import_read_saved_layers(dir_fd, image, ret, err) < 0 ||
	    import_read_json(dir_fd, json_get_text(image, "Config", ""), &config, plan->digest,
	                     err) < 0)
		return -1;
	memcpy(plan->manifest_digest, plan->digest, DIGEST_SIZE);
	return manifest_read_config(&plan->manifest, config, architecture, &plan->config,
	                            &plan->architecture, err);
}

static bool import_is_saved(const json_t *document)
{
	const json_t *first = json_array_get(document, 0);

	return json_is_string(json_object_get(first, "Config")) &&
	       json_is_array(json_object_get(first, "Layers"));
}

int import_archive_read(int dir_fd, const struct reference *ref, const char *architecture,
                        struct import_archive *ret, struct error *err)
{
	struct error ignored = ERROR_INIT;
	char digest[DIGEST_SIZE];
	json_t *index = NULL;
	autojson json_t *saved = NULL;

	if (import_read_json(dir_fd, "index.json", &index, digest, &ignored) == 0) {
		if (manifest_is_index(index)) {
			ret->is_image = true;
			return import_read_layout(dir_fd, index, ref, architecture, ret, err);
		}
		json_decref(index);
	}
	if (import_read_json(dir_fd, "manifest.json", &saved, digest, &ignored) == 0 &&
	    import_is_saved(saved)) {
		ret->is_image = true;
		return import_read_saved(dir_fd, saved, ref, architecture, ret, err);
	}
	ret->is_image = false;
	return 0;
}
