/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field "volumes" of a specification (hub-jobs-api 6): form only. Whether a source is there and
 * may be used is asked at submission (volumes.h).
 */
#include "job/spec_fields.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/volume.h"
#include "hub/bucket_path.h"

#include <stdio.h>
#include <string.h>

#define MOUNT_PATH_MAX 1024
#define COMPONENT_MAX 255
#define REVISION_MAX 255

static const char *const repository_types[] = {"model", "dataset", "space", NULL};

static bool is_repository(const char *type)
{
	for (size_t i = 0; repository_types[i]; i++) {
		if (strcmp(type, repository_types[i]) == 0)
			return true;
	}
	return false;
}

static int read_type(json_t *volume, size_t i, const char **ret, struct error *err)
{
	const char *type = json_string_value(spec_member(volume, "type"));
	char shown[SPEC_SHOWN_SIZE];

	*ret = type;
	if (type && (strcmp(type, "bucket") == 0 || is_repository(type)))
		return 0;
	if (type && strcmp(type, "kernel") == 0)
		return fail(err, E_INVALID,
		            "volumes[%zu].type \"kernel\" cannot be mounted; bucket, model, "
		            "dataset and space can",
		            i);
	return fail(err, E_INVALID,
	            "volumes[%zu].type must be \"bucket\", \"model\", \"dataset\" or "
	            "\"space\"%s%s%s",
	            i, type ? ", not \"" : "", type ? spec_shown(type, shown) : "",
	            type ? "\"" : "");
}

static int read_source(json_t *volume, size_t i, const char **ret, struct error *err)
{
	const char *source = json_string_value(spec_member(volume, "source"));
	const char *slash = source ? strchr(source, '/') : NULL;
	struct error why = ERROR_INIT;
	char shown[SPEC_SHOWN_SIZE];

	*ret = source;
	if (!slash)
		return fail(err, E_INVALID, "volumes[%zu].source must be \"namespace/name\"", i);
	autofree char *ns = xstrndup(source, (size_t)(slash - source));
	if (bucket_name_check(ns, &why) < 0 || bucket_name_check(slash + 1, &why) < 0)
		return fail(err, E_INVALID,
		            "volumes[%zu].source \"%s\" must be \"namespace/name\", each of "
		            "letters, digits, '.', '_' and '-'",
		            i, spec_shown(source, shown));
	return 0;
}

/* Without doubled and final slashes and "."; NULL when a component is ".." or too long, or there is
 * a control character. */
static char *normalize(const char *path)
{
	autofree char *ret = xcalloc(1, strlen(path) + 2);
	size_t at = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len > COMPONENT_MAX || (len == 2 && memcmp(path, "..", 2) == 0))
			return NULL;
		for (size_t i = 0; i < len; i++) {
			if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
				return NULL;
		}
		if (len > 0 && !(len == 1 && *path == '.')) {
			ret[at++] = '/';
			memcpy(ret + at, path, len);
			at += len;
		}
		path += len;
		path += *path == '/';
	}
	return take_ptr(&ret);
}

/* Is `path` the folder or something below it? */
static bool is_within(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static int read_mount_path(json_t *volume, size_t i, char **ret, struct error *err)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};
	const char *text = json_string_value(spec_member(volume, "mountPath"));
	autofree char *path =
	        text && text[0] == '/' && strlen(text) <= MOUNT_PATH_MAX ? normalize(text) : NULL;

	if (!path)
		return fail(err, E_INVALID,
		            "volumes[%zu].mountPath must be an absolute path of at most %d bytes "
		            "without \"..\" and control characters",
		            i, MOUNT_PATH_MAX);
	if (path[0] == '\0')
		return fail(err, E_INVALID,
		            "volumes[%zu].mountPath must not be \"/\": name a folder below it", i);
	for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
		if (is_within(path, kernels[k]))
			return fail(err, E_INVALID,
			            "volumes[%zu].mountPath must not be %s or below it: that is "
			            "the kernel's",
			            i, kernels[k]);
	}
	*ret = take_ptr(&path);
	return 0;
}

static int check_others(const json_t *array, const char *path, size_t i, struct error *err)
{
	size_t k;
	json_t *other;
	char shown[SPEC_SHOWN_SIZE];

	json_array_foreach(array, k, other)
	{
		const char *taken = json_get_text(other, "mountPath", "");

		if (strcmp(path, taken) == 0)
			return fail(err, E_INVALID,
			            "volumes[%zu].mountPath \"%s\" is that of volumes[%zu] too", i,
			            spec_shown(path, shown), k);
		if (is_within(path, taken) || is_within(taken, path))
			return fail(err, E_INVALID,
			            "volumes[%zu].mountPath \"%s\" and that of volumes[%zu] lie in "
			            "each other",
			            i, spec_shown(path, shown), k);
	}
	return 0;
}

static int add_revision(json_t *volume, size_t i, bool is_bucket, json_t *ret, struct error *err)
{
	json_t *value = spec_member(volume, "revision");
	const char *revision = value ? json_string_value(value) : "main";

	if (is_bucket)
		return value ? fail(err, E_INVALID,
		                    "volumes[%zu].revision: a bucket has no revisions; leave it "
		                    "out",
		                    i)
		             : 0;
	if (!revision || !revision[0] || strlen(revision) > REVISION_MAX ||
	    strspn(revision, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                     "._-/") != strlen(revision) ||
	    strstr(revision, "..") || revision[0] == '/')
		return fail(err, E_INVALID,
		            "volumes[%zu].revision must be a branch, a tag or a commit", i);
	json_object_set_new(ret, "revision", json_string(revision));
	return 0;
}

static int add_path(json_t *volume, size_t i, json_t *ret, struct error *err)
{
	json_t *value = spec_member(volume, "path");
	const char *text = json_string_value(value);
	autofree char *path = text && text[0] != '/' ? normalize(text) : NULL;
	struct error why = ERROR_INIT;

	if (!value)
		return 0;
	if (!path)
		return fail(err, E_INVALID,
		            "volumes[%zu].path must be a folder of the source, without a leading "
		            "\"/\" and \"..\"",
		            i);
	if (path[0] == '\0')
		return 0;
	if (bucket_path_check(path + 1, &why) < 0)
		return fail(err, E_INVALID, "volumes[%zu].path: %s", i, why.text);
	json_object_set_new(ret, "path", json_string(path + 1));
	return 0;
}

static int add_volume(json_t *volume, size_t i, json_t *array, struct error *err)
{
	const char *type, *source;
	autofree char *mount_path = NULL;
	autojson json_t *ret = NULL;
	json_t *read_only = spec_member(volume, "readOnly");
	bool is_bucket;

	if (!json_is_object(volume))
		return fail(err, E_INVALID, "volumes[%zu] must be an object", i);
	if (read_type(volume, i, &type, err) < 0 || read_source(volume, i, &source, err) < 0 ||
	    read_mount_path(volume, i, &mount_path, err) < 0 ||
	    check_others(array, mount_path, i, err) < 0)
		return -1;
	if (read_only && !json_is_boolean(read_only))
		return fail(err, E_INVALID, "volumes[%zu].readOnly must be true or false", i);
	is_bucket = strcmp(type, "bucket") == 0;
	ret = json_pack("{s:s, s:s, s:s}", "type", type, "source", source, "mountPath", mount_path);
	if (!ret || add_revision(volume, i, is_bucket, ret, err) < 0)
		return -1;
	json_object_set_new(ret, "readOnly", json_boolean(!is_bucket || json_is_true(read_only)));
	if (add_path(volume, i, ret, err) < 0)
		return -1;
	json_array_append(array, ret);
	return 0;
}

int spec_add_volumes(json_t *body, json_t *ret_body, struct error *err)
{
	json_t *volumes = spec_member(body, "volumes"), *volume;
	autojson json_t *array = json_array();
	size_t i;

	if (volumes && !json_is_array(volumes))
		return fail(err, E_INVALID, "volumes must be an array");
	if (json_array_size(volumes) > VOLUMES_MAX)
		return fail(err, E_INVALID, "volumes must have at most %d elements", VOLUMES_MAX);
	json_array_foreach(volumes, i, volume)
	{
		if (add_volume(volume, i, array, err) < 0)
			return -1;
	}
	if (json_array_size(array) > 0)
		json_object_set(ret_body, "volumes", array);
	return 0;
}
