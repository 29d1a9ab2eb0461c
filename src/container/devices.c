/* SPDX-License-Identifier: Apache-2.0 */
/* From CDI names to nodes, files, variables and rules of one container. */
#include "container/devices_private.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "container/cdi.h"
#include "container/cdi_nvidia.h"
#include "container/device_rules.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NAMES_MAX 64
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PTS_FIRST 136
#define PTS_LAST 143

/* What every job may open. */
static const struct device_rule usual_rules[] = {
        {.major = 1, .minor = 3, .can_read = true, .can_write = true}, /* null */
        {.major = 1, .minor = 5, .can_read = true, .can_write = true}, /* zero */
        {.major = 1, .minor = 7, .can_read = true, .can_write = true}, /* full */
        {.major = 1, .minor = 8, .can_read = true, .can_write = true}, /* random */
        {.major = 1, .minor = 9, .can_read = true, .can_write = true}, /* urandom */
        {.major = 5, .minor = 0, .can_read = true, .can_write = true}, /* tty */
        {.major = 5, .minor = 2, .can_read = true, .can_write = true}, /* ptmx */
};
#define N_USUAL (sizeof(usual_rules) / sizeof(usual_rules[0]))

static int check_names(const json_t *names, struct error *err)
{
	size_t i;
	json_t *name;

	if (json_array_size(names) > NAMES_MAX)
		return fail(err, E_INVALID, "A job can have %d devices at most", NAMES_MAX);
	json_array_foreach(names, i, name)
	{
		if (!json_is_string(name))
			return fail(err, E_INVALID, "devices must hold names");
	}
	return 0;
}

static int read_edits(const struct configuration *c, const json_t *names, json_t **ret,
                      struct error *err)
{
	struct cdi *cdi = cdi_new(c->cdi_dirs, c->nvml);
	int rc = cdi_edits(cdi, names, ret, err);

	if (rc)
		cdi_log_warnings(cdi);
	cdi_free(cdi);
	return rc;
}

int devices_open(const struct configuration *configuration, const json_t *names,
                 struct devices **ret, struct error *err)
{
	*ret = NULL;
	if (json_array_size(names) == 0)
		return 0;
	if (check_names(names, err))
		return -1;
	struct devices *devices = xcalloc(1, sizeof(*devices));
	if (read_edits(configuration, names, &devices->edits, err) ||
	    device_nodes_read(devices, err) || device_files_open(devices, err)) {
		devices_free(devices);
		return error_prefix(err, "Device");
	}
	device_files_find_names(devices);
	*ret = devices;
	return 0;
}

int devices_make(struct devices *devices, uint32_t uid, uint32_t gid, struct error *err)
{
	if (!devices)
		return 0;
	return device_nodes_make(devices, uid, gid, err) || device_files_bind(devices, err)
	               ? error_prefix(err, "Device")
	               : 0;
}

void devices_add_mounts(const struct devices *devices, json_t *mounts)
{
	for (size_t i = 0; devices && i < devices->n_nodes; i++)
		(void)json_array_append_new(
		        mounts, json_pack("{s:o, s:s, s:b, s:b}", "source",
		                          json_sprintf(DEVICES_STAGE "/node%zu", i), "target",
		                          devices->nodes[i].path, "read_only", 0, "is_device", 1));
	for (size_t i = 0; devices && i < devices->n_files; i++)
		(void)json_array_append_new(
		        mounts, json_pack("{s:o, s:s, s:b, s:b}", "source",
		                          json_sprintf(DEVICES_STAGE "/file%zu", i), "target",
		                          devices->files[i].place, "read_only",
		                          !devices->files[i].is_writable, "is_recursive",
		                          devices->files[i].is_recursive));
}

int devices_prepare_root(struct devices *devices, int root_fd, uint32_t owner, struct error *err)
{
	if (!devices)
		return 0;
	return device_files_prepare(devices, root_fd, owner, err) ? error_prefix(err, "Device") : 0;
}

/* The place of NAME=… in the list; its size if it is not there. */
static size_t find_variable(const json_t *env, const char *name, size_t len)
{
	size_t i;
	json_t *item;

	json_array_foreach(env, i, item)
	{
		const char *text = json_string_value(item);
		if (strncmp(text, name, len) == 0 && text[len] == '=')
			return i;
	}
	return json_array_size(env);
}

static void set_variable(json_t *env, const char *text)
{
	size_t at = find_variable(env, text, strcspn(text, "="));

	if (at < json_array_size(env))
		(void)json_array_set_new(env, at, json_string(text));
	else
		(void)json_array_append_new(env, json_string(text));
}

static bool has_folder(const char *list, const char *folder)
{
	size_t len = strlen(folder);

	for (const char *at = list; *at; at += strcspn(at, ":"), at += *at == ':') {
		if (strcspn(at, ":") == len && strncmp(at, folder, len) == 0)
			return true;
	}
	return false;
}

static void add_folder(json_t *env, const char *name, const char *fallback, const char *folder)
{
	size_t at = find_variable(env, name, strlen(name));
	const char *text = json_string_value(json_array_get(env, at));
	const char *value = text ? text + strlen(name) + 1 : fallback;

	if (has_folder(value, folder))
		return;
	autofree char *added = xasprintf("%s=%s%s%s", name, value, value[0] ? ":" : "", folder);
	set_variable(env, added);
}

static bool has_program_folder(const struct devices *devices)
{
	for (size_t i = 0; i < devices->n_files; i++) {
		if (strncmp(devices->files[i].target, CDI_NVIDIA_PROGRAMS "/",
		            strlen(CDI_NVIDIA_PROGRAMS) + 1) == 0)
			return true;
	}
	return false;
}

void devices_set_env(const struct devices *devices, json_t *env)
{
	static const char visible[] = "NVIDIA_VISIBLE_DEVICES";
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(devices ? devices->edits : NULL, "env"), i, item)
	        set_variable(env, json_string_value(item));
	/* Nobody of ours reads it; whoever else does gets nothing by it. */
	if (devices || find_variable(env, visible, strlen(visible)) < json_array_size(env))
		set_variable(env, "NVIDIA_VISIBLE_DEVICES=void");
	if (!devices)
		return;
	json_array_foreach(json_object_get(devices->edits, "libraryFolders"), i, item)
	        add_folder(env, "LD_LIBRARY_PATH", "", json_string_value(item));
	if (has_program_folder(devices))
		add_folder(env, "PATH", DEFAULT_PATH, CDI_NVIDIA_PROGRAMS);
}

bool devices_have_program(const struct devices *devices, const char *command)
{
	for (size_t i = 0; devices && i < devices->n_files; i++) {
		const char *target = devices->files[i].target;
		if (!devices->files[i].is_folder &&
		    strcmp(strchr(command, '/') ? target : strrchr(target, '/') + 1, command) == 0)
			return true;
	}
	return false;
}

void devices_add_masks(const struct devices *devices, json_t *paths)
{
	bool has_nvidia = false, has_slice = false;

	for (size_t i = 0; devices && i < devices->n_nodes; i++) {
		const char *path = devices->nodes[i].path;
		has_nvidia = has_nvidia || strncmp(path, "/dev/nvidia", 11) == 0;
		has_slice = has_slice || strncmp(path, "/dev/nvidia-caps/", 17) == 0;
	}
	if (!has_nvidia)
		(void)json_array_append_new(paths, json_string("/proc/driver/nvidia"));
	else if (!has_slice)
		(void)json_array_append_new(paths, json_string("/proc/driver/nvidia/capabilities"));
}

int devices_restrict(const struct devices *devices, const struct cgroup *cgroup, struct error *err)
{
	size_t n_nodes = devices ? devices->n_nodes : 0, n = 0;
	autofree struct device_rule *rules =
	        xcalloc(N_USUAL + (PTS_LAST - PTS_FIRST + 1) + n_nodes, sizeof(*rules));

	for (size_t i = 0; i < N_USUAL; i++)
		rules[n++] = usual_rules[i];
	for (int pts = PTS_FIRST; pts <= PTS_LAST; pts++)
		rules[n++] = (struct device_rule){
		        .major = pts, .minor = -1, .can_read = true, .can_write = true};
	for (size_t i = 0; i < n_nodes; i++) {
		const struct device_node *node = &devices->nodes[i];
		rules[n++] = (struct device_rule){
		        .is_block = S_ISBLK(node->mode),
		        .major = major(node->number),
		        .minor = minor(node->number),
		        .can_read = node->can_read,
		        .can_write = node->can_write,
		};
	}
	return device_rules_apply(cgroup, rules, n, err);
}

void devices_free(struct devices *devices)
{
	if (!devices)
		return;
	for (size_t i = 0; i < devices->n_nodes; i++)
		free(devices->nodes[i].path);
	free(devices->nodes);
	device_files_close(devices);
	json_decref(devices->edits);
	free(devices);
}
