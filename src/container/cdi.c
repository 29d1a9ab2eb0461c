/* SPDX-License-Identifier: Apache-2.0 */
/* What all CDI folders say together: devices by their names, with the file that counts for each. */
#include "container/cdi_private.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/cdi_check.h"
#include "container/cdi_nvidia.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define WARNINGS_MAX (64 * 1024)
#define FILES_MAX 1024 /* in one folder */

static void warn(struct cdi *cdi, const char *origin, const char *text)
{
	(void)buffer_printf(&cdi->warnings, "%s: %s\n", origin, text);
}

/* Each line with the origin before it. */
static void warn_lines(struct cdi *cdi, const char *origin, char *lines)
{
	char *rest = lines;

	for (char *line; (line = strsep(&rest, "\n"));) {
		if (line[0])
			warn(cdi, origin, line);
	}
}

static struct cdi_device *find(const struct cdi *cdi, const char *name)
{
	for (size_t i = 0; i < cdi->n_devices; i++) {
		if (strcmp(cdi->devices[i].name, name) == 0)
			return &cdi->devices[i];
	}
	return NULL;
}

const struct cdi_device *cdi_find(const struct cdi *cdi, const char *name)
{
	return find(cdi, name);
}

static void add_device(struct cdi *cdi, struct cdi_spec *spec, char *take_name, const json_t *edits)
{
	autofree char *name = take_name;
	struct cdi_device *device = find(cdi, name);

	if (device && device->spec->rank == spec->rank) {
		autofree char *text = xasprintf("device %s is in %s, too: neither counts", name,
		                                device->spec->origin);
		device->rival = spec->origin;
		warn(cdi, spec->origin, text);
		return;
	}
	if (!device) {
		cdi->devices = xrealloc(cdi->devices, (cdi->n_devices + 1) * sizeof(*device));
		device = &cdi->devices[cdi->n_devices++];
		device->name = take_ptr(&name);
	}
	device->spec = spec;
	device->edits = edits;
	device->rival = NULL;
}

static void add_spec(struct cdi *cdi, const char *origin, int rank, const json_t *json)
{
	autobuffer struct buffer lines = BUFFER_INIT(WARNINGS_MAX);
	autojson json_t *checked = NULL;
	struct error err = ERROR_INIT;
	const char *name;
	json_t *edits;

	if (cdi_check(json, &lines, &checked, &err)) {
		warn(cdi, origin, err.text);
		return;
	}
	if (lines.len > 0)
		warn_lines(cdi, origin, lines.data);
	struct cdi_spec *spec = xcalloc(1, sizeof(*spec));
	spec->origin = xstrdup(origin);
	spec->rank = rank;
	spec->json = take_ptr(&checked);
	cdi->specs = xrealloc(cdi->specs, (cdi->n_specs + 1) * sizeof(spec));
	cdi->specs[cdi->n_specs++] = spec;
	json_object_foreach(json_object_get(spec->json, "devices"), name, edits)
	{
		add_device(cdi, spec,
		           xasprintf("%s=%s", json_get_text(spec->json, "kind", ""), name), edits);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_spec_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot &&
	       (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static size_t list_names(DIR *dir, char **ret)
{
	struct dirent *entry;
	size_t count = 0;

	while (count < FILES_MAX && (entry = readdir(dir))) {
		if (is_spec_name(entry->d_name))
			ret[count++] = xstrdup(entry->d_name);
	}
	if (count > 0)
		qsort(ret, count, sizeof(*ret), compare_names);
	return count;
}

static void read_one(struct cdi *cdi, int dir_fd, const char *folder, const char *name, int rank)
{
	autofree char *origin = xasprintf("%s/%s", folder, name);
	autojson json_t *json = NULL;
	struct error err = ERROR_INIT;

	if (cdi_file_read(dir_fd, name, &json, &err) == 0)
		add_spec(cdi, origin, rank, json);
	else if (err.code != E_NOT_FOUND)
		warn(cdi, origin, err.text);
}

static void read_folder(struct cdi *cdi, const char *folder, int rank)
{
	autofree char **names = xcalloc(FILES_MAX, sizeof(*names));
	struct error err = ERROR_INIT;
	autodir DIR *dir = opendir(folder);

	if (!dir && errno != ENOENT)
		warn(cdi, folder, strerror(errno));
	if (!dir)
		return;
	if (cdi_file_check_folder(dirfd(dir), &err)) {
		warn(cdi, folder, err.text);
		return;
	}
	size_t count = list_names(dir, names);
	for (size_t i = 0; i < count; i++) {
		read_one(cdi, dirfd(dir), folder, names[i], rank);
		free(names[i]);
	}
}

static bool has_kind(const struct cdi *cdi, const char *kind)
{
	for (size_t i = 0; i < cdi->n_specs; i++) {
		if (strcmp(json_get_text(cdi->specs[i]->json, "kind", ""), kind) == 0)
			return true;
	}
	return false;
}

static void add_nvidia(struct cdi *cdi, const char *root)
{
	autojson json_t *json = cdi_nvidia_make(root);
	const char *advice = json ? cdi_nvidia_advice(root) : NULL;

	if (json)
		add_spec(cdi, "the NVIDIA driver", -1, json);
	if (advice)
		warn(cdi, "the NVIDIA driver", advice);
}

struct cdi *cdi_new_in(const char *root, char *const *dirs, const char *nvml)
{
	struct cdi *cdi = xcalloc(1, sizeof(*cdi));

	cdi->warnings = BUFFER_INIT(WARNINGS_MAX);
	for (int i = 0; dirs && dirs[i]; i++)
		read_folder(cdi, dirs[i], i);
	if ((!nvml || strcmp(nvml, "off") != 0) && !has_kind(cdi, CDI_NVIDIA_KIND))
		add_nvidia(cdi, root);
	return cdi;
}

struct cdi *cdi_new(char *const *dirs, const char *nvml)
{
	return cdi_new_in("/", dirs, nvml);
}

void cdi_free(struct cdi *cdi)
{
	if (!cdi)
		return;
	for (size_t i = 0; i < cdi->n_devices; i++)
		free(cdi->devices[i].name);
	for (size_t i = 0; i < cdi->n_specs; i++) {
		free(cdi->specs[i]->origin);
		json_decref(cdi->specs[i]->json);
		free(cdi->specs[i]);
	}
	buffer_clear(&cdi->warnings);
	free(cdi->devices);
	free(cdi->specs);
	free(cdi);
}

const char *cdi_warnings(const struct cdi *cdi)
{
	return buffer_text(&cdi->warnings);
}

void cdi_log_warnings(const struct cdi *cdi)
{
	static char *logged;
	const char *line = cdi_warnings(cdi);

	if (logged && strcmp(logged, line) == 0)
		return;
	free(logged);
	logged = xstrdup(line);
	for (size_t len; *line; line += len + (line[len] != '\0')) {
		len = strcspn(line, "\n");
		log_warning("%.*s", (int)len, line);
	}
}

void cdi_each(const struct cdi *cdi,
              void (*fn)(void *arg, const char *name, const char *kind, const json_t *nodes),
              void *arg)
{
	for (size_t i = 0; i < cdi->n_devices; i++) {
		const struct cdi_device *device = &cdi->devices[i];
		autojson json_t *nodes = json_array();
		size_t k;
		json_t *node;
		if (device->rival)
			continue;
		json_array_foreach(json_object_get(device->edits, "deviceNodes"), k, node)
		        json_array_append(nodes, json_object_get(node, "hostPath"));
		fn(arg, device->name, json_get_text(device->spec->json, "kind", ""), nodes);
	}
}
