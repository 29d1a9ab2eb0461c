/* SPDX-License-Identifier: Apache-2.0 */
/* What one container needs for its devices: the edits of all, in the order of the names. */
#include "container/cdi_private.h"

#include "base/cleanup.h"
#include "base/memory.h"

#include <string.h>

/* Lists of objects: which member says that two are about the same, and which must agree then. */
static const struct {
	const char *name, *key, *value;
} object_lists[] = {
        {"deviceNodes", "path", "hostPath"},
        {"mounts", "containerPath", "hostPath"},
        {"symlinks", "path", "target"},
};

static const char *const plain_lists[] = {"env", "additionalGids", "libraryFolders"};

static const json_t *find_same(const json_t *list, const char *key, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_get_text(item, key, ""), text) == 0)
			return item;
	}
	return NULL;
}

static bool has_item(const json_t *list, const json_t *wanted)
{
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		if (json_equal(item, wanted))
			return true;
	}
	return false;
}

static int add_object(json_t *list, json_t *item, size_t row, const char *origin, struct error *err)
{
	const char *key = object_lists[row].key, *value = object_lists[row].value;
	const char *path = json_get_text(item, key, "");
	const json_t *same = find_same(list, key, path);

	if (!same)
		return json_array_append(list, item);
	if (strcmp(json_get_text(same, value, ""), json_get_text(item, value, "")) == 0)
		return 0;
	return fail(
	        err, E_INVALID,
	        "CDI specifications contradict each other: %.120s in the container would be both "
	        "%.120s and %.120s (%.120s)",
	        path, json_get_text(same, value, ""), json_get_text(item, value, ""), origin);
}

static int add_edits(json_t *all, const json_t *edits, const char *origin, struct error *err)
{
	size_t i;
	json_t *item;

	for (size_t row = 0; row < sizeof(object_lists) / sizeof(object_lists[0]); row++) {
		json_t *list = json_object_get(all, object_lists[row].name);
		json_array_foreach(json_object_get(edits, object_lists[row].name), i, item)
		{
			if (add_object(list, item, row, origin, err))
				return -1;
		}
	}
	for (size_t row = 0; row < sizeof(plain_lists) / sizeof(plain_lists[0]); row++) {
		json_t *list = json_object_get(all, plain_lists[row]);
		json_array_foreach(json_object_get(edits, plain_lists[row]), i, item)
		{
			if (!has_item(list, item))
				(void)json_array_append(list, item);
		}
	}
	return 0;
}

static int add_device(const struct cdi *cdi, json_t *all, const char *name, struct error *err)
{
	const struct cdi_device *device = cdi_find(cdi, name);

	if (!device)
		return fail(err, E_NOT_FOUND,
		            "the device %.120s is gone: no CDI specification and no driver knows "
		            "it now",
		            name);
	if (device->rival)
		return fail(err, E_INVALID,
		            "the device %.120s is in two CDI specifications, and neither counts: "
		            "%.120s and %.120s",
		            name, device->spec->origin, device->rival);
	return add_edits(all, device->edits, device->spec->origin, err);
}

int cdi_edits(const struct cdi *cdi, const json_t *names, json_t **ret, struct error *err)
{
	autojson json_t *all =
	        json_pack("{s:[], s:[], s:[], s:[], s:[], s:[]}", "env", "deviceNodes", "mounts",
	                  "additionalGids", "symlinks", "libraryFolders");
	size_t i;
	json_t *item;

	/* What a specification says for all of its devices comes first, so that a device can say
	 * more. */
	json_array_foreach(names, i, item)
	{
		const struct cdi_device *device = cdi_find(cdi, json_string_value(item));
		if (device && !device->rival &&
		    add_edits(all, json_object_get(device->spec->json, "edits"),
		              device->spec->origin, err))
			return -1;
	}
	json_array_foreach(names, i, item)
	{
		if (add_device(cdi, all, json_string_value(item), err))
			return -1;
	}
	*ret = take_ptr(&all);
	return 0;
}
