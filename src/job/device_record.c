/* SPDX-License-Identifier: Apache-2.0 */
/* Devices as JSON: lines of hearth-devices, and the file of those that were seen lately. */
#include "job/device_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define RECORD_NAME "devices.json"
#define RECORD_MAX ((size_t)4 * 1024 * 1024)
#define KEPT_MS (INT64_C(7) * 24 * 3600 * 1000)

static bool take_text(const json_t *line, const char *key, char *ret, size_t size)
{
	const char *text = json_get_text(line, key, "");

	(void)snprintf(ret, size, "%s", text);
	return strlen(text) < size;
}

/* Names go into lists with commas, and into files and logs. */
static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == ',' || *c == '"')
			return false;
	}
	return strchr(name, '=') != NULL;
}

bool device_from_json(const json_t *line, struct device *ret)
{
	struct device device = {
	        .memory_bytes = json_get_int(line, "memory", 0),
	        .numa_node = (int)json_get_int(line, "numa", -1),
	        .is_healthy = json_get_bool(line, "healthy", false),
	};

	if (!take_text(line, "name", device.name, sizeof(device.name)) ||
	    !take_text(line, "kind", device.kind, sizeof(device.kind)) ||
	    !take_text(line, "slice", device.slice, sizeof(device.slice)) ||
	    !take_text(line, "uuid", device.uuid, sizeof(device.uuid)) ||
	    !take_text(line, "parent", device.parent, sizeof(device.parent)) ||
	    !is_name(device.name) || !strchr(device.kind, '/') || device.memory_bytes < 0)
		return false;
	(void)take_text(line, "model", device.model, sizeof(device.model));
	(void)take_text(line, "fault", device.fault, sizeof(device.fault));
	*ret = device;
	return true;
}

json_t *device_to_json(const struct device *device)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:s}", "name", device->name,
	                 "kind", device->kind, "model", device->model, "slice", device->slice,
	                 "uuid", device->uuid, "parent", device->parent, "memory",
	                 (json_int_t)device->memory_bytes, "numa", device->numa_node, "healthy",
	                 device->is_healthy, "fault", device->fault);
}

struct device *device_find(struct device *devices, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	}
	return NULL;
}

/* Its driver says nothing about it now; what it is has not changed. */
static void complete(struct device *device, const struct device *before)
{
	if (*device->uuid || !*before->uuid)
		return;
	memcpy(device->model, before->model, sizeof(device->model));
	memcpy(device->slice, before->slice, sizeof(device->slice));
	memcpy(device->uuid, before->uuid, sizeof(device->uuid));
	memcpy(device->parent, before->parent, sizeof(device->parent));
	device->memory_bytes = before->memory_bytes;
	device->numa_node = before->numa_node;
}

json_t *device_record_load(int db_fd, int64_t now_ms)
{
	autojson json_t *file = NULL;
	json_t *record = json_array(), *value;
	struct error err = ERROR_INIT;
	struct device device;
	size_t i;

	if (json_read_file(db_fd, RECORD_NAME, RECORD_MAX, &file, &err) < 0 &&
	    err.code != E_NOT_FOUND)
		log_warning("the devices of before are forgotten: %s", err.text);
	json_array_foreach(json_object_get(file, "devices"), i, value)
	{
		if (json_get_int(value, "seen_ms", 0) + KEPT_MS > now_ms &&
		    device_from_json(value, &device))
			json_array_append(record, value);
	}
	return record;
}

void device_record_apply(const json_t *record, struct device *known, size_t *n)
{
	struct device before;
	const json_t *value;
	size_t i;

	json_array_foreach(record, i, value)
	{
		if (!device_from_json(value, &before))
			continue;
		struct device *now = device_find(known, *n, before.name);
		if (now)
			complete(now, &before);
		else if (*n < DEVICES_MAX)
			known[(*n)++] = before;
	}
}

void device_record_save(int db_fd, const json_t *record, int64_t now_ms, const struct device *seen,
                        size_t n)
{
	autojson json_t *list = json_array();
	struct error err = ERROR_INIT;
	json_t *value;
	size_t i;

	for (i = 0; i < n; i++) {
		value = device_to_json(&seen[i]);
		json_object_set_new(value, "seen_ms", json_integer(now_ms));
		json_array_append_new(list, value);
	}
	json_array_foreach(record, i, value)
	{
		if (!device_find((struct device *)(uintptr_t)seen, n,
		                 json_get_text(value, "name", "")))
			json_array_append(list, value);
	}
	autojson json_t *file = json_pack("{s:O}", "devices", list);
	autofree char *text = json_to_text(file);
	if (file_write_atomic(db_fd, RECORD_NAME, text, strlen(text), 0600, false, &err) < 0)
		log_warning("the devices are not remembered: %s", err.text);
}
