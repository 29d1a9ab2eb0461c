/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices: who has which parts of them, and which ones an entry gets. Devices
 * that an attempt holds are remembered while it does, also when they are not
 * there (yet, or any more).
 */
#include "job/scheduler_private.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

bool device_is_usable(const struct scheduler_device *device)
{
	return device->is_present && device->info.is_healthy && !device->is_divided;
}

bool device_has_room(const struct scheduler_device *device, const struct kind *kind)
{
	return device_is_usable(device) && device->units + kind->units <= DEVICE_UNITS;
}

static struct scheduler_device *inventory_get(struct scheduler *scheduler, const char *name)
{
	struct scheduler_device *device;

	for (size_t i = 0; i < scheduler->n_devices; i++)
		if (strcmp(scheduler->devices[i]->info.name, name) == 0)
			return scheduler->devices[i];
	device = xcalloc(1, sizeof(*device));
	memcpy(device->info.name, name, strnlen(name, sizeof(device->info.name) - 1));
	scheduler->devices = xrealloc(
	        scheduler->devices, (scheduler->n_devices + 1) * sizeof(struct scheduler_device *));
	scheduler->devices[scheduler->n_devices++] = device;
	return device;
}

static void device_free(struct scheduler_device *device)
{
	free(device->holders);
	free(device);
}

void inventory_clear(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->n_devices; i++)
		device_free(scheduler->devices[i]);
	free(scheduler->devices);
}

static bool device_has_slices(const struct scheduler *scheduler,
                              const struct scheduler_device *device)
{
	for (size_t i = 0; *device->info.uuid && i < scheduler->n_devices; i++)
		if (scheduler->devices[i]->is_present &&
		    strcmp(scheduler->devices[i]->info.parent, device->info.uuid) == 0)
			return true;
	return false;
}

static void inventory_drop_unused(struct scheduler *scheduler)
{
	size_t kept = 0;

	for (size_t i = 0; i < scheduler->n_devices; i++) {
		struct scheduler_device *device = scheduler->devices[i];

		if (device->is_present || device->n_holders)
			scheduler->devices[kept++] = device;
		else
			device_free(device);
	}
	scheduler->n_devices = kept;
}

static size_t inventory_count_usable(const struct scheduler *scheduler)
{
	size_t count = 0;

	for (size_t i = 0; i < scheduler->n_devices; i++)
		count += device_is_usable(scheduler->devices[i]);
	return count;
}

void scheduler_set_devices(struct scheduler *scheduler, const struct device *devices, size_t n)
{
	size_t before = inventory_count_usable(scheduler), kept = 0;
	bool *was_usable = xcalloc(scheduler->n_devices + n + 1, sizeof(*was_usable));

	for (size_t i = 0; i < scheduler->n_devices; i++) {
		was_usable[i] = device_is_usable(scheduler->devices[i]);
		scheduler->devices[i]->is_present = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct scheduler_device *device = inventory_get(scheduler, devices[i].name);

		device->info = devices[i];
		device->is_present = true;
	}
	for (size_t i = 0; i < scheduler->n_devices; i++) {
		struct scheduler_device *device = scheduler->devices[i];

		device->is_divided = device_has_slices(scheduler, device);
		kept += was_usable[i] && device_is_usable(device);
	}
	free(was_usable);
	scheduler->has_inventory = true;
	plan_devices_changed(scheduler, kept < before);
	inventory_drop_unused(scheduler);
	for (size_t i = 0; i < scheduler->n_kinds; i++)
		kind_find_devices(scheduler, scheduler->kinds[i]);
	scheduler_changed(scheduler);
}

/* Who shares it, if anybody does. */
static const struct scope *device_owner(const struct scheduler_device *device)
{
	return device->n_holders ? device->holders[0]->scopes[SCOPE_NAMESPACE] : NULL;
}

static bool promise_has(const struct promise *promise, const struct scheduler_device *device)
{
	for (int i = 0; i < promise->n_devices; i++)
		if (promise->devices[i] == device)
			return true;
	return false;
}

static bool owners_agree(const struct scheduler *scheduler, const struct scheduler_place *place,
                         const struct scope *owner)
{
	return scheduler->is_sharing_between || !owner || owner == place->scopes[SCOPE_NAMESPACE];
}

/* Promises that begin before end_ms, of which some may be less urgent and then
 * do not count. */
static bool device_is_promised(const struct scheduler *scheduler,
                               const struct scheduler_place *place,
                               const struct scheduler_device *device, int64_t end_ms)
{
	int64_t units = device->units + place->kind->units;

	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (promise->place == place || promise->start_ms >= end_ms ||
		    place_compare_urgency(promise->place, place) > 0 ||
		    !promise_has(promise, device))
			continue;
		units += promise->place->kind->units;
		if (units > DEVICE_UNITS ||
		    !owners_agree(scheduler, place, promise->place->scopes[SCOPE_NAMESPACE]))
			return true;
	}
	return false;
}

struct choice {
	struct scheduler_device *device;
	int64_t units; /* taken */
};

/* The fullest one: others stay whole. */
static void choose_fullest(const struct choice *choices, size_t n, struct scheduler_device **ret)
{
	const struct choice *best = choices;

	for (size_t i = 1; i < n; i++)
		if (choices[i].units > best->units)
			best = &choices[i];
	*ret = best->device;
}

static size_t choose_count_node(const struct choice *choices, size_t n, int node)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += choices[i].device && choices[i].device->info.numa_node == node;
	return count;
}

/* The node with as few as suffice; else the one with most. */
static int choose_node(const struct choice *choices, size_t n, size_t wanted)
{
	size_t best_count = 0;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		size_t count;

		if (!choices[i].device)
			continue;
		count = choose_count_node(choices, n, choices[i].device->info.numa_node);
		if (best_count == 0 ||
		    (best_count < wanted ? count > best_count
		                         : count >= wanted && count < best_count)) {
			best_count = count;
			best = choices[i].device->info.numa_node;
		}
	}
	return best;
}

static void choose_near(struct choice *choices, size_t n, int wanted, struct scheduler_device **ret)
{
	int taken = 0;

	while (taken < wanted) {
		int node = choose_node(choices, n, (size_t)(wanted - taken));

		for (size_t i = 0; i < n && taken < wanted; i++) {
			if (!choices[i].device || choices[i].device->info.numa_node != node)
				continue;
			ret[taken++] = choices[i].device;
			choices[i].device = NULL;
		}
	}
}

static bool choose(struct choice *choices, size_t n, const struct kind *kind,
                   struct scheduler_device **ret)
{
	if (n < (size_t)kind->n_devices)
		return false;
	if (kind->n_devices == 1 && kind->units < DEVICE_UNITS)
		choose_fullest(choices, n, ret);
	else
		choose_near(choices, n, kind->n_devices, ret);
	return true;
}

bool inventory_choose(struct scheduler *scheduler, const struct scheduler_place *place,
                      int64_t end_ms, struct scheduler_device **ret)
{
	const struct kind *kind = place->kind;
	struct choice choices[DEVICES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < kind->n_eligible && n < DEVICES_MAX; i++) {
		struct scheduler_device *device = kind->eligible[i];

		scheduler->steps++;
		if (device_has_room(device, kind) &&
		    owners_agree(scheduler, place, device_owner(device)) &&
		    !device_is_promised(scheduler, place, device, end_ms))
			choices[n++] = (struct choice){device, device->units};
	}
	return choose(choices, n, kind, ret);
}

/* Is there room from start_ms to end_ms, when all have left that leave until
 * then? */
static bool device_is_free_later(struct scheduler *scheduler, const struct scheduler_place *place,
                                 const struct scheduler_device *device, int64_t start_ms,
                                 int64_t end_ms, int64_t *ret_units)
{
	int64_t units = 0;

	for (int i = 0; i < device->n_holders; i++) {
		const struct scheduler_place *holder = device->holders[i];

		scheduler->steps++;
		if (place_end_ms(scheduler, holder) <= start_ms)
			continue;
		units += holder->kind->units;
		if (!owners_agree(scheduler, place, holder->scopes[SCOPE_NAMESPACE]))
			return false;
	}
	for (size_t i = 0; i < scheduler->plan.n_promises; i++) {
		const struct promise *promise = scheduler->plan.promises[i];

		if (promise->place == place || promise->start_ms >= end_ms ||
		    promise->end_ms <= start_ms || !promise_has(promise, device))
			continue;
		units += promise->place->kind->units;
		if (!owners_agree(scheduler, place, promise->place->scopes[SCOPE_NAMESPACE]))
			return false;
	}
	*ret_units = units;
	return units + place->kind->units <= DEVICE_UNITS;
}

bool inventory_choose_later(struct scheduler *scheduler, const struct scheduler_place *place,
                            int64_t start_ms, int64_t end_ms, struct scheduler_device **ret)
{
	const struct kind *kind = place->kind;
	struct choice choices[DEVICES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < kind->n_eligible && n < DEVICES_MAX; i++) {
		struct scheduler_device *device = kind->eligible[i];
		int64_t units;

		if (device_is_usable(device) &&
		    device_is_free_later(scheduler, place, device, start_ms, end_ms, &units))
			choices[n++] = (struct choice){device, units};
	}
	return choose(choices, n, kind, ret);
}

static void device_add_holder(struct scheduler_device *device, struct scheduler_place *place)
{
	if (device->n_holders == device->cap_holders) {
		device->cap_holders = device->cap_holders ? device->cap_holders * 2 : 4;
		device->holders = xrealloc(device->holders,
		                           (size_t)device->cap_holders * sizeof(*device->holders));
	}
	device->holders[device->n_holders++] = place;
	device->units += place->kind->units;
}

static void device_remove_holder(struct scheduler_device *device,
                                 const struct scheduler_place *place)
{
	for (int i = 0; i < device->n_holders; i++) {
		if (device->holders[i] != place)
			continue;
		memmove(&device->holders[i], &device->holders[i + 1],
		        (size_t)(device->n_holders - i - 1) * sizeof(*device->holders));
		device->n_holders--;
		device->units -= place->kind->units;
		return;
	}
}

static char *inventory_write_names(struct scheduler_device *const *devices, int n)
{
	autobuffer struct buffer names = BUFFER_INIT(DEVICES_PER_JOB * DEVICE_NAME_SIZE);

	for (int i = 0; i < n; i++) {
		(void)buffer_add_text(&names, i ? "," : "");
		(void)buffer_add_text(&names, devices[i]->info.name);
	}
	return xstrdup(buffer_text(&names));
}

void inventory_take(struct scheduler_place *place, struct scheduler_device *const *devices, int n)
{
	place->n_devices = n;
	if (n == 0)
		return;
	place->devices = xcalloc((size_t)n, sizeof(struct scheduler_device *));
	memcpy(place->devices, devices, (size_t)n * sizeof(struct scheduler_device *));
	for (int i = 0; i < n; i++)
		device_add_holder(devices[i], place);
	place->device_names = inventory_write_names(devices, n);
}

void inventory_release(struct scheduler *scheduler, struct scheduler_place *place)
{
	for (int i = 0; i < place->n_devices; i++)
		device_remove_holder(place->devices[i], place);
	free(place->devices);
	free(place->device_names);
	place->devices = NULL;
	place->device_names = NULL;
	if (place->n_devices)
		inventory_drop_unused(scheduler);
	place->n_devices = 0;
}

int inventory_find(struct scheduler *scheduler, const char *names, struct scheduler_device **ret)
{
	autofree char *copy = xstrdup(names ? names : "");
	char *rest = copy, *name;
	int n = 0;

	while (n < DEVICES_PER_JOB && (name = strsep(&rest, ",")))
		if (*name)
			ret[n++] = inventory_get(scheduler, name);
	return n;
}

void inventory_count(const struct scheduler *scheduler, struct scheduler_usage *usage)
{
	usage->devices = usage->devices_used = 0;
	for (size_t i = 0; i < scheduler->n_devices; i++) {
		const struct scheduler_device *device = scheduler->devices[i];

		usage->devices += device_is_usable(device);
		usage->devices_used += device_is_usable(device) && device->n_holders > 0;
	}
}
