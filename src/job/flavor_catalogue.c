/* SPDX-License-Identifier: Apache-2.0 */
/* Which flavors with accelerators this machine offers. See the header. */
#include "job/flavor_catalogue.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "job/flavor_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GIB (1024LL * 1024 * 1024)
#define MIB (1024LL * 1024)
#define KIND "nvidia.com/gpu"
#define NAME_SIZE 64

struct hub_flavor {
	const char *name, *pretty_name, *model;
	int count, vcpu, memory_gib, storage_gib, price_cents; /* per hour */
	int vram_gib;                                          /* of one */
};

/* hub-jobs-api 2.10. Of those with the same model and count the smallest comes first. */
static const struct hub_flavor hub_flavors[] = {
        {"t4-small", "Nvidia T4 - small", "T4", 1, 4, 15, 50, 40, 16},
        {"t4-medium", "Nvidia T4 - medium", "T4", 1, 8, 30, 100, 60, 16},
        {"l4x1", "1x Nvidia L4", "L4", 1, 8, 30, 400, 80, 24},
        {"l4x4", "4x Nvidia L4", "L4", 4, 48, 186, 3200, 380, 24},
        {"l40sx1", "1x Nvidia L40S", "L40S", 1, 8, 62, 380, 180, 48},
        {"l40sx4", "4x Nvidia L40S", "L40S", 4, 48, 382, 3200, 830, 48},
        {"l40sx8", "8x Nvidia L40S", "L40S", 8, 192, 1534, 6500, 2350, 48},
        {"a10g-small", "Nvidia A10G - small", "A10G", 1, 4, 15, 110, 100, 24},
        {"a10g-large", "Nvidia A10G - large", "A10G", 1, 12, 46, 200, 150, 24},
        {"a10g-largex2", "2x Nvidia A10G - large", "A10G", 2, 24, 92, 1000, 300, 24},
        {"a10g-largex4", "4x Nvidia A10G - large", "A10G", 4, 48, 184, 2000, 500, 24},
        {"a100-large", "Nvidia A100 - large", "A100", 1, 12, 142, 1000, 250, 80},
        {"a100x4", "4x Nvidia A100", "A100", 4, 48, 568, 4000, 1000, 80},
        {"a100x8", "8x Nvidia A100", "A100", 8, 96, 1136, 8000, 2000, 80},
        {"h200", "Nvidia H200", "H200", 1, 23, 256, 3000, 500, 141},
        {"h200x2", "2x Nvidia H200", "H200", 2, 46, 512, 6000, 1000, 141},
        {"h200x4", "4x Nvidia H200", "H200", 4, 92, 1024, 12000, 2000, 141},
        {"h200x8", "8x Nvidia H200", "H200", 8, 184, 2048, 24000, 4000, 141},
        {"rtx-pro-6000", "Nvidia RTX PRO 6000", "RTX PRO 6000", 1, 23, 256, 475, 275, 96},
        {"rtx-pro-6000x2", "2x Nvidia RTX PRO 6000", "RTX PRO 6000", 2, 46, 512, 950, 550, 96},
        {"rtx-pro-6000x4", "4x Nvidia RTX PRO 6000", "RTX PRO 6000", 4, 92, 1024, 1900, 1100, 96},
        {"rtx-pro-6000x8", "8x Nvidia RTX PRO 6000", "RTX PRO 6000", 8, 184, 2048, 3800, 2200, 96},
};
#define HUB_FLAVOR_COUNT (sizeof(hub_flavors) / sizeof(hub_flavors[0]))

struct machine {
	struct configuration *configuration;
	const struct device *devices;
	size_t n;
};

static bool is_kind(const struct device *device)
{
	return !strcmp(device->kind, KIND);
}

bool flavor_takes_device(const struct flavor *flavor, const struct device *device)
{
	return flavor->device_kind && !strcmp(flavor->device_kind, device->kind) &&
	       !strcasecmp(flavor->device_slice ? flavor->device_slice : "", device->slice) &&
	       flavor_model_matches(flavor->device_model, device->model);
}

static size_t count_whole(const struct machine *machine, const char *model)
{
	size_t count = 0;

	for (size_t i = 0; i < machine->n; i++)
		count += is_kind(&machine->devices[i]) && !*machine->devices[i].slice &&
		         flavor_model_matches(model, machine->devices[i].model);
	return count;
}

/* Whole ones, and those that are divided. */
static size_t count_cards(const struct machine *machine, const char *model)
{
	size_t count = count_whole(machine, model);

	for (size_t i = 0; i < machine->n; i++) {
		const struct device *device = &machine->devices[i];
		bool is_first = is_kind(device) && *device->slice &&
		                flavor_model_matches(model, device->model);
		for (size_t k = 0; k < i && is_first; k++)
			is_first = strcmp(machine->devices[k].parent, device->parent) != 0;
		count += is_first;
	}
	return count;
}

static struct flavor *add(const struct machine *machine, const char *name, const char *pretty_name,
                          const char *model, size_t count)
{
	struct configuration *c = machine->configuration;
	struct flavor *flavor;

	c->flavors = xrealloc(c->flavors, (c->n_flavors + 1) * sizeof(*c->flavors));
	flavor = &c->flavors[c->n_flavors++];
	*flavor = (struct flavor){
	        .name = xstrdup(name),
	        .pretty_name = xstrdup(pretty_name),
	        .device_kind = xstrdup(KIND),
	        .device_model = xstrdup(model),
	        .device_count = (int64_t)count,
	        .device_shares = 1,
	};
	return flavor;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* `part` of `whole` of the machine, in round numbers. */
static void set_share(const struct machine *machine, struct flavor *flavor, size_t part,
                      size_t whole)
{
	const struct configuration *c = machine->configuration;
	int64_t parts = whole > 0 ? (int64_t)whole : 1;
	int64_t cpu = c->cpu_millis * (int64_t)part / parts;
	int64_t memory = c->memory_bytes / parts * (int64_t)part;

	if (part < whole) {
		cpu -= cpu > 1000 ? cpu % 100 : 0;
		memory -= memory > GIB ? memory % (256 * MIB) : 0;
	}
	flavor->cpu_millis = cpu > 0 ? cpu : 1;
	flavor->memory_bytes = memory;
}

/* The Hub's number, unless the card has clearly more or less (an A100 with 40 GB). */
static int64_t find_vram(const struct machine *machine, const struct hub_flavor *hub)
{
	int64_t nominal = hub->vram_gib * GIB;

	for (size_t i = 0; i < machine->n; i++) {
		int64_t memory = machine->devices[i].memory_bytes;
		if (is_kind(&machine->devices[i]) && memory > 0 &&
		    flavor_model_matches(hub->model, machine->devices[i].model))
			return memory > nominal * 85 / 100 && memory < nominal * 115 / 100 ? nominal
			                                                                   : memory;
	}
	return nominal;
}

static void add_hub_flavor(const struct machine *machine, const struct hub_flavor *hub,
                           bool is_reduced)
{
	struct flavor *flavor =
	        add(machine, hub->name, hub->pretty_name, hub->model, (size_t)hub->count);
	int64_t cpu = hub->vcpu * 1000LL, memory = hub->memory_gib * GIB;

	if (is_reduced)
		set_share(machine, flavor, (size_t)hub->count, count_whole(machine, hub->model));
	flavor->cpu_millis = is_reduced ? smaller(flavor->cpu_millis, cpu) : cpu;
	flavor->memory_bytes = is_reduced ? smaller(flavor->memory_bytes, memory) : memory;
	flavor->storage_bytes = hub->storage_gib * GIB;
	flavor->price_micro_usd_hour = hub->price_cents * 10000LL;
	flavor->vram_bytes = find_vram(machine, hub);
}

static bool fits(const struct machine *machine, const struct hub_flavor *hub)
{
	return hub->vcpu * 1000LL <= machine->configuration->cpu_millis &&
	       hub->memory_gib * GIB <= machine->configuration->memory_bytes;
}

static bool is_alike(const struct hub_flavor *a, const struct hub_flavor *b)
{
	return a->count == b->count && !strcmp(a->model, b->model);
}

/* None of its model and count fits or is configured, and it is the smallest of them. */
static bool is_to_be_reduced(const struct machine *machine, const struct hub_flavor *hub)
{
	for (size_t i = 0; i < HUB_FLAVOR_COUNT; i++) {
		const struct hub_flavor *other = &hub_flavors[i];
		if (!is_alike(hub, other))
			continue;
		if (fits(machine, other) || other < hub ||
		    configuration_flavor(machine->configuration, other->name))
			return false;
	}
	return true;
}

static void add_of_hub(const struct machine *machine)
{
	for (size_t i = 0; i < HUB_FLAVOR_COUNT; i++) {
		const struct hub_flavor *hub = &hub_flavors[i];
		if (count_whole(machine, hub->model) < (size_t)hub->count ||
		    configuration_flavor(machine->configuration, hub->name))
			continue;
		if (fits(machine, hub))
			add_hub_flavor(machine, hub, false);
		else if (is_to_be_reduced(machine, hub))
			add_hub_flavor(machine, hub, true);
	}
}

static bool is_known_to_hub(const char *model)
{
	for (size_t i = 0; i < HUB_FLAVOR_COUNT; i++) {
		if (flavor_model_matches(hub_flavors[i].model, model))
			return true;
	}
	return false;
}

static void add_counted(const struct machine *machine, const char *model, const char *slug,
                        const char *pretty, size_t count, size_t whole)
{
	autofree char *name = count > 1 ? xasprintf("%sx%zu", slug, count) : xstrdup(slug);
	autofree char *shown = count > 1 ? xasprintf("%zux Nvidia %s", count, pretty)
	                                 : xasprintf("Nvidia %s", pretty);

	if (!configuration_flavor(machine->configuration, name))
		set_share(machine, add(machine, name, shown, model, count), count, whole);
}

/* "rtx-4090", "rtx-4090x2", "rtx-4090x4" …, and one with all of them. */
static void add_of_model(const struct machine *machine, const char *model, const char *slug,
                         const char *pretty)
{
	size_t whole = count_whole(machine, model), count = 1;

	for (; count < whole; count *= 2)
		add_counted(machine, model, slug, pretty, count, whole);
	if (whole > 0)
		add_counted(machine, model, slug, pretty, whole, whole);
}

static void add_of_slice(const struct machine *machine, const struct device *device)
{
	char model[FLAVOR_MODEL_SIZE], slug[FLAVOR_MODEL_SIZE], name[NAME_SIZE];
	autofree char *pretty = NULL;
	size_t cards, sevenths = strtoul(device->slice, NULL, 10);
	struct flavor *flavor;

	(void)flavor_model_short(device->model, model);
	(void)snprintf(name, sizeof(name), "%.30s-mig-%.27s",
	               flavor_model_slug(device->model, slug), device->slice);
	if (configuration_flavor(machine->configuration, name))
		return;
	pretty = xasprintf("Nvidia %s MIG %s", model, device->slice);
	flavor = add(machine, name, pretty, model, 1);
	flavor->device_slice = xstrdup(device->slice);
	cards = count_cards(machine, model);
	sevenths = sevenths >= 1 && sevenths <= 7 ? sevenths : 1;
	set_share(machine, flavor, sevenths, 7 * (cards ? cards : 1));
}

/* Without the driver's library no model is known, but there are cards. */
static void add_of_nameless(const struct machine *machine)
{
	for (size_t i = 0; i < machine->n; i++) {
		if (is_kind(&machine->devices[i]) && *machine->devices[i].uuid)
			return;
	}
	add_of_model(machine, NULL, "gpu", "GPU");
}

void flavor_catalogue_add(struct configuration *configuration, const struct device *devices,
                          size_t n)
{
	struct machine machine = {configuration, devices, n};
	char model[FLAVOR_MODEL_SIZE], slug[FLAVOR_MODEL_SIZE];

	if (!configuration->hub_flavors)
		return;
	add_of_hub(&machine);
	for (size_t i = 0; i < n; i++) {
		const struct device *device = &devices[i];
		if (!is_kind(device) || !*device->uuid)
			continue;
		if (*device->slice)
			add_of_slice(&machine, device);
		else if (!is_known_to_hub(device->model))
			add_of_model(&machine, flavor_model_short(device->model, model),
			             flavor_model_slug(device->model, slug), model);
	}
	add_of_nameless(&machine);
}

void flavor_catalogue_mark(struct configuration *configuration, const struct device *devices,
                           size_t n)
{
	for (size_t i = 0; i < configuration->n_flavors; i++) {
		struct flavor *flavor = &configuration->flavors[i];
		int64_t count = 0;
		for (size_t k = 0; k < n; k++)
			count += flavor_takes_device(flavor, &devices[k]);
		flavor->is_unserved = count < flavor->device_count;
	}
}
