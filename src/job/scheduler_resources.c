/* SPDX-License-Identifier: Apache-2.0 */
/* What flavors need, what there is and what of it is free; slots. */
#include "job/scheduler_private.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "job/flavor_catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

struct amount amount_add(const struct amount *a, const struct amount *b)
{
	return (struct amount){a->cpu_millis + b->cpu_millis, a->memory_bytes + b->memory_bytes,
	                       a->jobs + b->jobs};
}

struct amount amount_subtract(const struct amount *a, const struct amount *b)
{
	return (struct amount){a->cpu_millis - b->cpu_millis, a->memory_bytes - b->memory_bytes,
	                       a->jobs - b->jobs};
}

/* What needs nothing fits even where more is taken than there is. */
bool amount_fits(const struct amount *need, const struct amount *room)
{
	return (need->cpu_millis <= 0 || need->cpu_millis <= room->cpu_millis) &&
	       (need->memory_bytes <= 0 || need->memory_bytes <= room->memory_bytes) &&
	       (need->jobs <= 0 || need->jobs <= room->jobs);
}

static int kind_count_devices(const struct flavor *flavor)
{
	if (!flavor->device_kind || flavor->device_count <= 0)
		return 0;
	return flavor->device_count > DEVICES_PER_JOB ? DEVICES_PER_JOB + 1
	                                              : (int)flavor->device_count;
}

void kind_find_devices(struct scheduler *scheduler, struct kind *kind)
{
	kind->n_eligible = kind->n_healthy = 0;
	free(kind->eligible);
	kind->eligible = NULL;
	if (kind->n_devices && scheduler->n_devices)
		kind->eligible = xcalloc(scheduler->n_devices, sizeof(struct scheduler_device *));
	for (size_t i = 0; kind->n_devices && i < scheduler->n_devices; i++) {
		struct scheduler_device *device = scheduler->devices[i];

		if (!device->is_present || device->is_divided ||
		    !flavor_takes_device(kind->flavor, &device->info))
			continue;
		kind->eligible[kind->n_eligible++] = device;
		kind->n_healthy += device_is_usable(device);
	}
	kind->share = scheduler_share(scheduler, kind->flavor);
}

/* There are as many as flavors that wait or run: few. */
static struct kind *kind_find(const struct scheduler *scheduler, const struct flavor *flavor)
{
	for (size_t i = 0; i < scheduler->n_kinds; i++)
		if (scheduler->kinds[i]->flavor == flavor)
			return scheduler->kinds[i];
	return NULL;
}

/* The first kind that needs devices of the same sort (or none either): their
 * entries wait for each other. */
static size_t kind_find_group(const struct scheduler *scheduler, const struct kind *kind)
{
	for (size_t i = 0; i < scheduler->n_kinds; i++) {
		const struct kind *other = scheduler->kinds[i];

		if (!kind->n_devices != !other->n_devices)
			continue;
		if (!kind->n_devices ||
		    strcmp(kind->flavor->device_kind, other->flavor->device_kind) == 0)
			return other->group;
	}
	return scheduler->n_kinds;
}

struct kind *kind_get(struct scheduler *scheduler, const struct flavor *flavor)
{
	struct kind *kind = kind_find(scheduler, flavor);

	if (kind)
		return kind;
	kind = xcalloc(1, sizeof(*kind));
	kind->flavor = flavor;
	kind->amount = (struct amount){flavor->cpu_millis, flavor->memory_bytes, 1};
	kind->n_devices = kind_count_devices(flavor);
	kind->group = kind_find_group(scheduler, kind);
	kind->units = DEVICE_UNITS / (flavor->device_shares > 1 ? flavor->device_shares : 1);
	scheduler->kinds =
	        xrealloc(scheduler->kinds, (scheduler->n_kinds + 1) * sizeof(struct kind *));
	scheduler->kinds[scheduler->n_kinds++] = kind;
	kind_find_devices(scheduler, kind);
	return kind;
}

void kinds_clear(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->n_kinds; i++) {
		free(scheduler->kinds[i]->eligible);
		free(scheduler->kinds[i]);
	}
	free(scheduler->kinds);
}

static bool kind_fits(const struct scheduler *scheduler, const struct kind *kind)
{
	struct amount room = amount_subtract(&scheduler->capacity, &scheduler->taken);
	int free_devices = 0;

	if (!amount_fits(&kind->amount, &room))
		return false;
	for (size_t i = 0; i < kind->n_eligible && free_devices < kind->n_devices; i++)
		free_devices += device_has_room(kind->eligible[i], kind);
	return free_devices >= kind->n_devices;
}

void kinds_look(struct scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->n_kinds; i++) {
		struct kind *kind = scheduler->kinds[i];

		if (!kind->waiting)
			continue;
		kind->is_impossible = (size_t)kind->n_devices > kind->n_healthy ||
		                      !amount_fits(&kind->amount, &scheduler->capacity);
		kind->fits = !kind->is_impossible && kind_fits(scheduler, kind);
		kind->n_longest = 0;
	}
}

double scheduler_share(const struct scheduler *scheduler, const struct flavor *flavor)
{
	double cpu = (double)flavor->cpu_millis / (double)scheduler->capacity.cpu_millis;
	double memory = (double)flavor->memory_bytes / (double)scheduler->capacity.memory_bytes;
	double share = cpu > memory ? cpu : memory;
	int n = kind_count_devices(flavor), all = 0;

	for (size_t i = 0; n && i < scheduler->n_devices; i++)
		all += scheduler->devices[i]->is_present && !scheduler->devices[i]->is_divided &&
		       flavor_takes_device(flavor, &scheduler->devices[i]->info);
	if (all > 0) {
		double devices = (double)n / all;

		if (flavor->device_shares > 1)
			devices /= (double)flavor->device_shares;
		share = devices > share ? devices : share;
	}
	return share < 0 ? 0 : share > 1 ? 1 : share;
}

static int scheduler_check_devices(const struct scheduler *scheduler, const struct flavor *flavor,
                                   struct error *err)
{
	const char *model = flavor->device_model ? flavor->device_model : flavor->device_kind;
	int64_t all = 0;

	if (!flavor->device_kind || flavor->device_count <= 0 || !scheduler->has_inventory)
		return 0;
	if (flavor->device_count > DEVICES_PER_JOB)
		return fail(err, E_INVALID, "flavor \"%s\" needs %lld devices, and %d is the most",
		            flavor->name, (long long)flavor->device_count, DEVICES_PER_JOB);
	for (size_t i = 0; i < scheduler->n_devices; i++)
		all += scheduler->devices[i]->is_present && !scheduler->devices[i]->is_divided &&
		       flavor_takes_device(flavor, &scheduler->devices[i]->info);
	if (all >= flavor->device_count)
		return 0;
	if (all == 0)
		return fail(err, E_INVALID,
		            "flavor \"%s\" needs %lld %s%s%s, and this server has none",
		            flavor->name, (long long)flavor->device_count, model,
		            flavor->device_slice ? " " : "",
		            flavor->device_slice ? flavor->device_slice : "");
	return fail(err, E_INVALID, "flavor \"%s\" needs %lld %s%s%s, and this server has %lld",
	            flavor->name, (long long)flavor->device_count, model,
	            flavor->device_slice ? " " : "",
	            flavor->device_slice ? flavor->device_slice : "", (long long)all);
}

int scheduler_check(const struct scheduler *scheduler, const struct flavor *flavor,
                    struct error *err)
{
	char needs[QUANTITY_TEXT_SIZE], has[QUANTITY_TEXT_SIZE];

	if (flavor->cpu_millis > scheduler->capacity.cpu_millis)
		return fail(err, E_INVALID,
		            "flavor \"%s\" needs %g vCPU, and this server gives its jobs %g in all",
		            flavor->name, (double)flavor->cpu_millis / 1000,
		            (double)scheduler->capacity.cpu_millis / 1000);
	if (flavor->memory_bytes > scheduler->capacity.memory_bytes)
		return fail(err, E_INVALID,
		            "flavor \"%s\" needs %s of memory, and this server gives its "
		            "jobs %s in "
		            "all",
		            flavor->name, quantity_format_bytes(flavor->memory_bytes, needs),
		            quantity_format_bytes(scheduler->capacity.memory_bytes, has));
	return scheduler_check_devices(scheduler, flavor, err);
}

static void slots_reserve(struct scheduler *scheduler, int count)
{
	int bigger = scheduler->n_slots ? scheduler->n_slots : FIRST_SLOTS;

	if (count <= scheduler->n_slots)
		return;
	while (bigger < count)
		bigger *= 2;
	scheduler->slots = xrealloc(scheduler->slots, (size_t)bigger);
	memset(scheduler->slots + scheduler->n_slots, 0, (size_t)(bigger - scheduler->n_slots));
	scheduler->n_slots = bigger;
}

void slot_take(struct scheduler *scheduler, int slot)
{
	slots_reserve(scheduler, slot + 1);
	scheduler->slots[slot] = 1;
}

void slot_free(struct scheduler *scheduler, int slot)
{
	scheduler->slots[slot] = 0;
	if (slot < scheduler->first_free_slot)
		scheduler->first_free_slot = slot;
}

/* Every slot below first_free_slot is taken. */
int slot_find(struct scheduler *scheduler)
{
	int slot = scheduler->first_free_slot;

	while (slot < scheduler->n_slots && scheduler->slots[slot])
		slot++;
	scheduler->first_free_slot = slot;
	return slot;
}
