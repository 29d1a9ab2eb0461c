/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of CDI specifications are never run (CVE-2025-23266 and its kin): what NVIDIA's do is
 * known, and is done by us from what their arguments say. Any other is told and left out.
 *
 *   create-symlinks --link TARGET::PATH …       links in the job's root
 *   update-ldcache, create-soname-symlinks --folder FOLDER …   libraries that programs have to find
 *   chmod, enable-cuda-compat, disable-device-node-modification: nothing that a job of ours needs
 */
#include "container/cdi_check.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <string.h>

#define TARGET_MAX 1024

static const char *const needless[] = {"chmod", "enable-cuda-compat",
                                       "disable-device-node-modification", NULL};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *arg_at(const json_t *args, size_t i)
{
	const char *text = json_string_value(json_array_get(args, i));

	return text ? text : "";
}

/* nvidia-cdi-hook NAME … or nvidia-ctk hook NAME …; "" if it is neither. */
static const char *find_name(const json_t *hook, size_t *ret_first)
{
	const json_t *args = json_object_get(hook, "args");
	const char *program = base_name(json_get_text(hook, "path", ""));

	if (strcmp(program, "nvidia-cdi-hook") != 0 && strcmp(program, "nvidia-ctk") != 0)
		return "";
	for (size_t i = 1; i < json_array_size(args); i++) {
		if (strcmp(arg_at(args, i), "hook") == 0 || arg_at(args, i)[0] == '-')
			continue;
		*ret_first = i + 1;
		return arg_at(args, i);
	}
	return "";
}

/* The value of --NAME VALUE or --NAME=VALUE at *i; NULL if it is something else. */
static const char *option_value(const json_t *args, const char *name, size_t *i)
{
	const char *text = arg_at(args, *i);
	size_t len = strlen(name);

	if (strncmp(text, name, len) != 0)
		return NULL;
	if (text[len] == '=')
		return text + len + 1;
	if (text[len] != '\0')
		return NULL;
	return arg_at(args, ++*i);
}

static bool is_system_path(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ||
	       strncmp(path, "/sys/", 5) == 0;
}

static int read_link(const char *value, const char *where, json_t *edits, struct error *err)
{
	const char *separator = strstr(value, "::");
	const char *path = separator ? separator + 2 : "";
	size_t len = separator ? (size_t)(separator - value) : 0;

	if (len == 0 || len > TARGET_MAX || !cdi_path_is_clean(path) || is_system_path(path))
		return fail(err, E_INVALID,
		            "hooks of %s: the link \"%.200s\" must be TARGET::PATH with an "
		            "absolute path",
		            where, value);
	(void)json_array_append_new(json_object_get(edits, "symlinks"),
	                            json_pack("{s:s, s:s%}", "path", path, "target", value, len));
	return 0;
}

static int read_folder(const char *value, const char *where, json_t *edits, struct error *err)
{
	json_t *folders = json_object_get(edits, "libraryFolders"), *item;
	size_t i;

	if (!cdi_path_is_clean(value) || strpbrk(value, ":;$"))
		return fail(err, E_INVALID, "hooks of %s: the folder \"%.200s\" must be absolute",
		            where, value);
	json_array_foreach(folders, i, item)
	{
		if (strcmp(json_string_value(item), value) == 0)
			return 0;
	}
	(void)json_array_append_new(folders, json_string(value));
	return 0;
}

/* False: not a hook that is known. */
static int apply(const json_t *hook, const char *where, json_t *edits, bool *ret_known,
                 struct error *err)
{
	const json_t *args = json_object_get(hook, "args");
	size_t first = 0;
	const char *name = find_name(hook, &first);
	bool is_link = strcmp(name, "create-symlinks") == 0;
	bool is_folder =
	        strcmp(name, "update-ldcache") == 0 || strcmp(name, "create-soname-symlinks") == 0;

	*ret_known = is_link || is_folder;
	for (size_t i = 0; needless[i]; i++)
		*ret_known = *ret_known || strcmp(name, needless[i]) == 0;
	for (size_t i = first; (is_link || is_folder) && i < json_array_size(args); i++) {
		const char *value = option_value(args, is_link ? "--link" : "--folder", &i);
		if (value && (is_link ? read_link(value, where, edits, err)
		                      : read_folder(value, where, edits, err)))
			return -1;
	}
	return 0;
}

int cdi_hooks_read(const json_t *hooks, const char *where, json_t *edits, struct buffer *warnings,
                   struct error *err)
{
	size_t i;
	json_t *hook;

	json_array_foreach(hooks, i, hook)
	{
		bool is_known;
		if (apply(hook, where, edits, &is_known, err))
			return -1;
		if (!is_known)
			(void)buffer_printf(
			        warnings,
			        "the hook %.200s of %s is not run: hearth runs no hooks, and does "
			        "not know what this one is for\n",
			        json_get_text(hook, "path", "without path"), where);
	}
	return 0;
}
