/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of CNCF CDI's SPEC.md for one file, and stricter ones of ours for paths: what a
 * specification says ends up as mounts and nodes that root makes.
 */
#include "container/cdi_check.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define PATH_LENGTH_MAX 1024
#define NAME_LENGTH_MAX 100 /* with its kind it fits into DEVICE_NAME_SIZE of job/device.h */
#define KIND_LENGTH_MAX 63
#define DEVICES_MAX_IN_FILE 4096
#define EDITS_MAX 1024 /* entries of one list */

/* What every container has, whatever a specification says. */
static const char *const own_nodes[] = {
        "/dev/null",  "/dev/zero",   "/dev/full",   "/dev/random", "/dev/urandom", "/dev/tty",
        "/dev/ptmx",  "/dev/pts",    "/dev/shm",    "/dev/mqueue", "/dev/console", "/dev/fd",
        "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/core",   NULL,
};

static bool is_word(const char *text, size_t len, const char *first, const char *rest)
{
	return len >= 1 && text[0] && strchr(first, text[0]) &&
	       strchr(LETTERS DIGITS, text[len - 1]) && strspn(text, rest) >= len;
}

bool cdi_kind_is_valid(const char *kind)
{
	const char *slash = strchr(kind, '/');

	return slash && strlen(kind) <= KIND_LENGTH_MAX &&
	       is_word(kind, (size_t)(slash - kind), LETTERS, LETTERS DIGITS "_-.") &&
	       is_word(slash + 1, strlen(slash + 1), LETTERS, LETTERS DIGITS "_-");
}

bool cdi_name_is_valid(const char *name)
{
	return strlen(name) <= NAME_LENGTH_MAX &&
	       is_word(name, strlen(name), LETTERS DIGITS, LETTERS DIGITS "_-.:");
}

bool cdi_path_is_clean(const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || len < 2 || len > PATH_LENGTH_MAX)
		return false;
	for (const char *at = path; *at; at += strcspn(at + 1, "/") + 1) {
		size_t part = strcspn(at + 1, "/");
		if (part == 0 || (part == 1 && at[1] == '.') ||
		    (part == 2 && at[1] == '.' && at[2] == '.'))
			return false;
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_own_node(const char *path)
{
	for (size_t i = 0; own_nodes[i]; i++) {
		if (is_below(path, own_nodes[i]))
			return true;
	}
	return false;
}

static int check_version(const json_t *json, struct error *err)
{
	const char *version = json_get_text(json, "cdiVersion", "");
	const char *digits = version + (version[0] == 'v');

	if ((digits[0] != '0' && digits[0] != '1') || digits[1] != '.' ||
	    !strchr(DIGITS, digits[2]) || !digits[2])
		return fail(
		        err, E_INVALID,
		        "cdiVersion must be a version that is known, from 0.3.0 to 1.x, as text");
	return 0;
}

/* An absent list is an empty one. */
static int get_list(const json_t *edits, const char *name, const char *where, json_t **ret,
                    struct error *err)
{
	json_t *list = json_object_get(edits, name);

	if (json_is_null(list))
		list = NULL;
	if (list && !json_is_array(list))
		return fail(err, E_INVALID, "%s of %s must be a list", name, where);
	if (json_array_size(list) > EDITS_MAX)
		return fail(err, E_INVALID, "%s of %s has more than %d entries", name, where,
		            EDITS_MAX);
	*ret = list;
	return 0;
}

static int read_env(const json_t *edits, const char *where, json_t *ret, struct error *err)
{
	json_t *list, *item, *env = json_array();
	size_t i;

	(void)json_object_set_new(ret, "env", env);
	if (get_list(edits, "env", where, &list, err))
		return -1;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);
		if (!text || !strchr(text, '=') || text[0] == '=' ||
		    strcspn(text, " \n") < strcspn(text, "="))
			return fail(err, E_INVALID, "env of %s must hold NAME=value", where);
		(void)json_array_append(env, item);
	}
	return 0;
}

static int check_node(const json_t *item, const char *where, struct error *err)
{
	const char *path = json_get_text(item, "path", ""), *type = json_get_text(item, "type", "");
	const char *host_path = json_get_text(item, "hostPath", path);
	const char *permissions = json_get_text(item, "permissions", "");

	if (!cdi_path_is_clean(path) || !is_below(path, "/dev") || strcmp(path, "/dev") == 0)
		return fail(err, E_INVALID,
		            "deviceNodes of %s: path \"%.200s\" must be one below /dev, without ..",
		            where, path);
	if (is_own_node(path))
		return fail(err, E_INVALID, "deviceNodes of %s: %.200s is every container's own",
		            where, path);
	if (host_path[0] && !cdi_path_is_clean(host_path))
		return fail(err, E_INVALID,
		            "deviceNodes of %s: hostPath \"%.200s\" must be absolute, without ..",
		            where, host_path);
	if (type[0] && strcmp(type, "c") != 0 && strcmp(type, "b") != 0 && strcmp(type, "u") != 0)
		return fail(err, E_INVALID, "deviceNodes of %s: type of %.200s must be b, c or u",
		            where, path);
	if (strspn(permissions, "rwm") != strlen(permissions))
		return fail(err, E_INVALID,
		            "deviceNodes of %s: permissions of %.200s must be of r, w and m", where,
		            path);
	return 0;
}

static int copy_number(const json_t *item, const char *name, int64_t max, const char *where,
                       json_t *ret, struct error *err)
{
	json_t *value = json_object_get(item, name);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > max)
		return fail(err, E_INVALID, "deviceNodes of %s: %s must be a number from 0 to %lld",
		            where, name, (long long)max);
	(void)json_object_set(ret, name, value);
	return 0;
}

/* Owner and group are not copied: in a container, they are the job's. */
static int read_node(const json_t *item, const char *where, json_t *nodes, struct error *err)
{
	if (check_node(item, where, err))
		return -1;
	const char *path = json_get_text(item, "path", ""), *type = json_get_text(item, "type", "");
	const char *host_path = json_get_text(item, "hostPath", "");
	const char *permissions = json_get_text(item, "permissions", "");
	json_t *node = json_pack("{s:s, s:s, s:s}", "path", path, "hostPath",
	                         host_path[0] ? host_path : path, "permissions",
	                         permissions[0] ? permissions : "rwm");

	(void)json_array_append_new(nodes, node);
	if (type[0])
		(void)json_object_set_new(node, "type", json_string(type[0] == 'b' ? "b" : "c"));
	return copy_number(item, "major", 4095, where, node, err) ||
	                       copy_number(item, "minor", 0xfffff, where, node, err) ||
	                       copy_number(item, "fileMode", 07777777, where, node, err)
	               ? -1
	               : 0;
}

static int read_nodes(const json_t *edits, const char *where, json_t *ret, struct error *err)
{
	json_t *list, *item, *nodes = json_array();
	size_t i;

	(void)json_object_set_new(ret, "deviceNodes", nodes);
	if (get_list(edits, "deviceNodes", where, &list, err))
		return -1;
	json_array_foreach(list, i, item)
	{
		if (read_node(item, where, nodes, err))
			return -1;
	}
	return 0;
}

static int read_mount(const json_t *item, const char *where, json_t *mounts, struct error *err)
{
	const char *from = json_get_text(item, "hostPath", ""),
	           *type = json_get_text(item, "type", "");
	const char *to = json_get_text(item, "containerPath", "");
	json_t *options = json_object_get(item, "options"), *option;
	size_t i;

	if (!cdi_path_is_clean(from))
		return fail(err, E_INVALID,
		            "mounts of %s: hostPath \"%.200s\" must be absolute, without ..", where,
		            from);
	if (!cdi_path_is_clean(to) || is_below(to, "/proc") || is_below(to, "/sys") ||
	    strcmp(to, "/dev") == 0 || is_own_node(to))
		return fail(
		        err, E_INVALID,
		        "mounts of %s: containerPath \"%.200s\" must be absolute, without .. and "
		        "nothing that every container has",
		        where, to);
	if (type[0] && strcmp(type, "bind") != 0 && strcmp(type, "none") != 0)
		return fail(err, E_INVALID,
		            "mounts of %s: only type bind is possible, not \"%.50s\"", where, type);
	if (options && !json_is_array(options) && !json_is_null(options))
		return fail(err, E_INVALID, "mounts of %s: options must be a list", where);
	json_array_foreach(options, i, option)
	{
		if (!json_is_string(option))
			return fail(err, E_INVALID, "mounts of %s: options must hold text", where);
	}
	(void)json_array_append_new(
	        mounts,
	        json_pack("{s:s, s:s, s:o}", "hostPath", from, "containerPath", to, "options",
	                  json_is_array(options) ? json_incref(options) : json_array()));
	return 0;
}

static int read_mounts(const json_t *edits, const char *where, json_t *ret, struct error *err)
{
	json_t *list, *item, *mounts = json_array();
	size_t i;

	(void)json_object_set_new(ret, "mounts", mounts);
	if (get_list(edits, "mounts", where, &list, err))
		return -1;
	json_array_foreach(list, i, item)
	{
		if (read_mount(item, where, mounts, err))
			return -1;
	}
	return 0;
}

static int read_groups(const json_t *edits, const char *where, json_t *ret, struct error *err)
{
	json_t *list, *item, *groups = json_array();
	size_t i;

	(void)json_object_set_new(ret, "additionalGids", groups);
	if (get_list(edits, "additionalGids", where, &list, err))
		return -1;
	json_array_foreach(list, i, item)
	{
		if (!json_is_integer(item) || json_integer_value(item) < 0 ||
		    json_integer_value(item) > UINT32_MAX)
			return fail(err, E_INVALID, "additionalGids of %s must hold numbers",
			            where);
		(void)json_array_append(groups, item);
	}
	return 0;
}

static int read_edits(const json_t *edits, const char *where, struct buffer *warnings, json_t **ret,
                      struct error *err)
{
	autojson json_t *all = json_pack("{s:[], s:[]}", "symlinks", "libraryFolders");
	json_t *hooks;

	if (edits && !json_is_object(edits) && !json_is_null(edits))
		return fail(err, E_INVALID, "containerEdits of %s must be an object", where);
	if (read_env(edits, where, all, err) || read_nodes(edits, where, all, err) ||
	    read_mounts(edits, where, all, err) || read_groups(edits, where, all, err) ||
	    get_list(edits, "hooks", where, &hooks, err) ||
	    cdi_hooks_read(hooks, where, all, warnings, err))
		return -1;
	*ret = take_ptr(&all);
	return 0;
}

/* YAML makes a number of 0 where a name was meant. */
static char *device_name(const json_t *device)
{
	const json_t *name = json_object_get(device, "name");

	if (json_is_integer(name))
		return xasprintf("%lld", (long long)json_integer_value(name));
	return xstrdup(json_is_string(name) ? json_string_value(name) : "");
}

static int read_device(const json_t *device, struct buffer *warnings, json_t *ret_devices,
                       struct error *err)
{
	autofree char *name = device_name(device), *where = xasprintf("device %.120s", name);
	json_t *edits;

	if (!cdi_name_is_valid(name))
		return fail(err, E_INVALID,
		            "the device name \"%.120s\" must be of letters, digits and _ - . : "
		            "with a letter or digit at both ends, %d at most",
		            name, NAME_LENGTH_MAX);
	if (json_object_get(ret_devices, name))
		return fail(err, E_INVALID, "%s is there twice", where);
	if (!json_is_object(json_object_get(device, "containerEdits")))
		return fail(err, E_INVALID, "%s has no containerEdits", where);
	if (read_edits(json_object_get(device, "containerEdits"), where, warnings, &edits, err))
		return -1;
	(void)json_object_set_new(ret_devices, name, edits);
	return 0;
}

int cdi_check(const json_t *json, struct buffer *warnings, json_t **ret, struct error *err)
{
	autojson json_t *devices = json_object(), *edits = NULL;
	const json_t *list = json_object_get(json, "devices");
	const char *kind = json_get_text(json, "kind", "");
	size_t i;
	json_t *device;

	if (!json_is_object(json))
		return fail(err, E_INVALID, "it must hold an object");
	if (check_version(json, err))
		return -1;
	if (!cdi_kind_is_valid(kind))
		return fail(err, E_INVALID,
		            "kind \"%.120s\" must be VENDOR/CLASS, for example nvidia.com/gpu",
		            kind);
	if (!json_is_array(list) || json_array_size(list) == 0)
		return fail(err, E_INVALID, "devices must be a list of at least one device");
	if (json_array_size(list) > DEVICES_MAX_IN_FILE)
		return fail(err, E_INVALID, "it has more than %d devices", DEVICES_MAX_IN_FILE);
	if (read_edits(json_object_get(json, "containerEdits"), "all devices", warnings, &edits,
	               err))
		return -1;
	json_array_foreach(list, i, device)
	{
		if (read_device(device, warnings, devices, err))
			return -1;
	}
	*ret = json_pack("{s:s, s:O, s:O}", "kind", kind, "edits", edits, "devices", devices);
	return 0;
}
