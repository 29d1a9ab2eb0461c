/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a volume option apart from its end: mode, mount path, then the address of the source. */
#include "cli/volume_spec.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <string.h>

static int bad_spec(const char *text, struct error *err)
{
	return fail(err, E_INVALID,
	            "Invalid volume '%s': use hf://[models|datasets|spaces|buckets/]OWNER/NAME"
	            "[@REVISION][/PATH]:/MOUNT[:ro|:rw]",
	            text);
}

/* What follows the last colon is a mode that is none, not a part of the path. */
static int check_mount(const char *mount, const char *text, struct error *err)
{
	const char *colon = strchr(mount, ':');
	if (!colon)
		return 0;
	return fail(err, E_INVALID,
	            "Invalid volume '%s': '%s' behind the mount path must be ':ro' or ':rw'", text,
	            colon);
}

/* Cuts "TYPE/" off; without one it is a model. */
static const char *take_type(char **source)
{
	static const struct {
		const char *prefix, *type;
	} types[] = {{"models/", "model"},
	             {"datasets/", "dataset"},
	             {"spaces/", "space"},
	             {"buckets/", "bucket"}};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t n = strlen(types[i].prefix);
		if (strncmp(*source, types[i].prefix, n) == 0) {
			*source += n;
			return types[i].type;
		}
	}
	return "model";
}

/* Cuts the path below "OWNER/NAME" off; NULL if the source is not of that form. */
static char *take_path(char *source)
{
	size_t owner = strcspn(source, "/");
	size_t name = source[owner] ? strcspn(source + owner + 1, "/@") : 0;
	if (owner == 0 || name == 0)
		return NULL;
	char *end = source + owner + 1 + name;
	/* A revision such as refs/pr/1 has slashes of its own. */
	if (strncmp(end, "@refs/", 6) == 0) {
		end += 6 + strcspn(end + 6, "/");
		if (*end)
			end += 1 + strcspn(end + 1, "/");
	} else {
		end += strcspn(end, "/");
	}
	if (*end)
		*end++ = '\0';
	return end;
}

int volume_spec_parse(const char *text, json_t **ret, struct error *err)
{
	if (!volume_spec_is_remote(text))
		return bad_spec(text, err);
	autofree char *copy = xstrdup(text + 5);
	char *source = copy;
	size_t len = strlen(copy);
	const char *mode = NULL;
	if (len > 3 && (strcmp(copy + len - 3, ":ro") == 0 || strcmp(copy + len - 3, ":rw") == 0)) {
		mode = copy + len - 2;
		copy[len - 3] = '\0';
	}
	char *mount = strstr(copy, ":/");
	if (!mount)
		return fail(err, E_INVALID,
		            "Missing mount path in volume spec '%s'. It ends in ':/MOUNT' with a "
		            "whole path (e.g. 'hf://buckets/me/out:/out')",
		            text);
	if (check_mount(mount + 1, text, err) < 0)
		return -1;
	*mount++ = '\0';
	const char *type = take_type(&source);
	const char *path = take_path(source);
	if (!path && strcmp(type, "bucket") == 0)
		return fail(err, E_INVALID,
		            "Invalid volume '%s': a bucket is named with its owner, "
		            "hf://buckets/OWNER/NAME:/MOUNT",
		            text);
	if (!path)
		return bad_spec(text, err);
	char *revision = strchr(source, '@');
	if (revision)
		*revision++ = '\0';
	json_t *volume =
	        json_pack("{s:s, s:s, s:s}", "type", type, "source", source, "mountPath", mount);
	if (!volume)
		return bad_spec(text, err);
	if (revision)
		(void)json_object_set_new(volume, "revision", json_string(revision));
	if (mode)
		(void)json_object_set_new(volume, "readOnly", json_boolean(mode[1] == 'o'));
	if (*path)
		(void)json_object_set_new(volume, "path", json_string(path));
	*ret = volume;
	return 0;
}

bool volume_spec_is_remote(const char *text)
{
	return strncmp(text, "hf://", 5) == 0;
}

int volume_folder_parse(const char *text, struct volume_folder *ret, struct error *err)
{
	autofree char *copy = xstrdup(text);
	size_t len = strlen(copy);
	bool is_writable = len > 3 && strcmp(copy + len - 3, ":rw") == 0;
	if (is_writable || (len > 3 && strcmp(copy + len - 3, ":ro") == 0))
		copy[len - 3] = '\0';
	char *mount = NULL;
	for (char *at = copy; (at = strstr(at, ":/")); at++)
		mount = at;
	if (!mount)
		return fail(err, E_INVALID,
		            "Missing mount path in volume spec '%s'. Expected "
		            "'LOCAL_DIR:/MOUNT_PATH[:ro|:rw]' (e.g. './data:/data').",
		            text);
	if (mount == copy)
		return fail(err, E_INVALID,
		            "Invalid volume '%s': there is no folder before the "
		            "mount path",
		            text);
	if (check_mount(mount + 1, text, err) < 0)
		return -1;
	*ret = (struct volume_folder){
	        .source = xstrndup(copy, (size_t)(mount - copy)),
	        .mount = xstrdup(mount + 1),
	        .is_writable = is_writable,
	};
	return 0;
}

void volume_folder_clear(struct volume_folder *folder)
{
	free(folder->source);
	free(folder->mount);
	*folder = (struct volume_folder){0};
}
