/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "container/device_inventory.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/cdi_nvidia.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ENTRIES_MAX 2048

/* A name of a specification. */
struct entry {
	const char *name, *kind;
	char **nodes; /* sorted */
	size_t n_nodes;
	const char *missing; /* a node that is not there; NULL: none */
	bool is_dropped;     /* another name of the same is better, or it stands for several */
	bool is_matched;     /* the driver knows it */
	size_t same;         /* the entry that stands for it; itself */
};

struct entries {
	struct entry all[ENTRIES_MAX];
	size_t n;
};

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *find_missing(const struct entry *entry)
{
	struct stat st;

	for (size_t i = 0; i < entry->n_nodes; i++) {
		if (stat(entry->nodes[i], &st) < 0)
			return entry->nodes[i];
	}
	return NULL;
}

static void add_entry(void *arg, const char *name, const char *kind, const json_t *nodes)
{
	struct entries *entries = arg;
	struct entry *entry = &entries->all[entries->n];
	const json_t *node;
	size_t i;

	if (entries->n == ENTRIES_MAX ||
	    strlen(name) >= sizeof(((struct inventory_device *)0)->name) ||
	    strlen(kind) >= sizeof(((struct inventory_device *)0)->kind))
		return;
	*entry = (struct entry){.name = xstrdup(name), .kind = xstrdup(kind), .same = entries->n};
	entry->nodes = xcalloc(json_array_size(nodes) + 1, sizeof(*entry->nodes));
	json_array_foreach(nodes, i, node)
	{
		entry->nodes[entry->n_nodes++] = xstrdup(json_string_value(node));
	}
	qsort(entry->nodes, entry->n_nodes, sizeof(*entry->nodes), compare_nodes);
	entry->missing = find_missing(entry);
	entries->n++;
}

static void entries_free(struct entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		for (size_t k = 0; k < entries->all[i].n_nodes; k++)
			free(entries->all[i].nodes[k]);
		free(entries->all[i].nodes);
		free((char *)(uintptr_t)entries->all[i].name);
		free((char *)(uintptr_t)entries->all[i].kind);
	}
	free(entries);
}

static const char *last_part(const char *name)
{
	const char *equals = strchr(name, '=');

	return equals ? equals + 1 : name;
}

/* Names that stay the same whatever is added to the machine come first. */
static int rank(const char *name)
{
	const char *part = last_part(name);

	if (!strncmp(part, "GPU-", 4) || !strncmp(part, "MIG-", 4) || strlen(part) >= 32)
		return 0;
	if (part[strspn(part, "0123456789:")] == '\0')
		return 1;
	return strcmp(part, "all") != 0 ? 2 : 3;
}

static bool is_better(const char *name, const char *other)
{
	int a = rank(name), b = rank(other);

	return a != b ? a < b : strcmp(name, other) < 0;
}

static bool has_node(const struct entry *entry, const char *node)
{
	return bsearch(&node, entry->nodes, entry->n_nodes, sizeof(*entry->nodes), compare_nodes);
}

static bool is_within(const struct entry *small, const struct entry *large)
{
	if (strcmp(small->kind, large->kind) != 0 || small->n_nodes > large->n_nodes ||
	    small->n_nodes == 0)
		return false;
	for (size_t i = 0; i < small->n_nodes; i++) {
		if (!has_node(large, small->nodes[i]))
			return false;
	}
	return true;
}

/* Names of the same nodes: the best of them stands for all. */
static void join_aliases(struct entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		struct entry *entry = &entries->all[i];
		for (size_t k = 0; k < i && !entry->is_dropped; k++) {
			struct entry *other = &entries->all[k];
			if (other->is_dropped || other->n_nodes != entry->n_nodes ||
			    !is_within(other, entry))
				continue;
			bool is_ours = is_better(entry->name, other->name);
			struct entry *loser = is_ours ? other : entry;
			loser->is_dropped = true;
			for (size_t m = 0; m <= i; m++) {
				if (entries->all[m].same == (size_t)(loser - entries->all))
					entries->all[m].same = is_ours ? i : k;
			}
		}
	}
}

/* Do smaller ones make up all of it? */
static bool is_sum(const struct entries *entries, const struct entry *entry)
{
	size_t n_parts = 0, n_covered = 0;

	for (size_t i = 0; i < entries->n; i++) {
		const struct entry *other = &entries->all[i];
		n_parts += other != entry && !other->is_dropped &&
		           other->n_nodes < entry->n_nodes && is_within(other, entry);
	}
	for (size_t n = 0; n < entry->n_nodes; n++) {
		bool is_covered = false;
		for (size_t i = 0; i < entries->n && !is_covered; i++) {
			const struct entry *other = &entries->all[i];
			is_covered = other != entry && !other->is_dropped &&
			             other->n_nodes < entry->n_nodes && is_within(other, entry) &&
			             has_node(other, entry->nodes[n]);
		}
		n_covered += is_covered;
	}
	return (n_parts > 1 && n_covered == entry->n_nodes) ||
	       (n_parts > 0 && !strcmp(last_part(entry->name), "all"));
}

static void drop_sums(struct entries *entries)
{
	bool *is_one = xcalloc(entries->n + 1, sizeof(*is_one));

	for (size_t i = 0; i < entries->n; i++)
		is_one[i] = !entries->all[i].is_dropped && is_sum(entries, &entries->all[i]);
	for (size_t i = 0; i < entries->n; i++)
		entries->all[i].is_dropped |= is_one[i];
	free(is_one);
}

/* Is it called so wherever it is plugged in, and whatever else there is? */
static bool is_named(const struct nvml_device *device, const char *part)
{
	char ids[160] = "";

	if (device->instance >= 0)
		(void)snprintf(ids, sizeof(ids), "%s:%d:%d", device->parent, device->gpu_instance,
		               device->compute_instance);
	return !strcasecmp(part, device->uuid) || !strcasecmp(part, ids);
}

/* Numbers as nvidia-smi counts; of an instance "1:0", the first of the second card, or with its two
 * ids (cdi_nvidia.h). */
static bool is_numbered(const struct nvml_device *device, const char *part)
{
	char number[32], ids[64] = "";

	if (device->instance < 0) {
		(void)snprintf(number, sizeof(number), "%u", device->index);
	} else {
		(void)snprintf(number, sizeof(number), "%u:%d", device->index, device->instance);
		(void)snprintf(ids, sizeof(ids), "%u:%d:%d", device->index, device->gpu_instance,
		               device->compute_instance);
	}
	return !strcmp(part, number) || !strcmp(part, ids);
}

static bool has_node_of(const struct entry *entry, const struct nvml_device *card)
{
	char node[64];

	if (card->minor < 0 || card->instance >= 0)
		return false;
	(void)snprintf(node, sizeof(node), "/dev/nvidia%d", card->minor);
	for (size_t i = 0; i < entry->n_nodes; i++) {
		if (!strncmp(entry->nodes[i], "/dev/nvidia-caps/", 17))
			return false;
	}
	return has_node(entry, node);
}

static struct entry *find_called(struct entries *entries, const struct nvml_device *device,
                                 bool (*is_called)(const struct nvml_device *, const char *),
                                 int least_rank)
{
	for (size_t i = 0; i < entries->n; i++) {
		struct entry *entry = &entries->all[i];
		struct entry *same = &entries->all[entry->same];
		if (!strcmp(entry->kind, CDI_NVIDIA_KIND) && !same->is_dropped &&
		    rank(same->name) >= least_rank && is_called(device, last_part(entry->name)))
			return same;
	}
	return NULL;
}

/* By numbers last, and never one that a name says to be another: a card that is lost moves all
 * behind it, and a specification stays what it was. */
static struct entry *find_entry(struct entries *entries, const struct nvml_device *device)
{
	struct entry *entry = find_called(entries, device, is_named, 0);

	for (size_t i = 0; i < entries->n && !entry; i++) {
		struct entry *other = &entries->all[i];
		if (!strcmp(other->kind, CDI_NVIDIA_KIND) && !other->is_dropped &&
		    has_node_of(other, device))
			entry = other;
	}
	return entry ? entry : find_called(entries, device, is_numbered, 1);
}

static int read_number(const char *path)
{
	autofile FILE *file = fopen(path, "re");
	char text[32];

	if (!file || !fgets(text, sizeof(text), file) || !isdigit((unsigned char)text[0]))
		return -1;
	return (int)strtol(text, NULL, 10);
}

static int node_numa(const char *node)
{
	char path[128];
	struct stat st;

	if (!*node || stat(node, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return -1;
	(void)snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u/device/numa_node",
	               S_ISCHR(st.st_mode) ? "char" : "block", major(st.st_rdev),
	               minor(st.st_rdev));
	return read_number(path);
}

static void fill(struct inventory_device *ret, const struct entry *entry)
{
	*ret = (struct inventory_device){0};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", entry->name);
	(void)snprintf(ret->kind, sizeof(ret->kind), "%s", entry->kind);
	if (entry->n_nodes)
		(void)snprintf(ret->node, sizeof(ret->node), "%s", entry->nodes[0]);
	ret->numa_node = node_numa(ret->node);
}

static void fill_nvml(struct inventory_device *ret, const struct nvml_device *device,
                      const struct entry *entry)
{
	if (entry) {
		fill(ret, entry);
		memcpy(ret->fault, device->fault, sizeof(ret->fault));
		if (entry->missing)
			(void)snprintf(ret->fault, sizeof(ret->fault), "%.100s is missing",
			               entry->missing);
	} else {
		*ret = (struct inventory_device){.kind = CDI_NVIDIA_KIND};
		(void)snprintf(ret->name, sizeof(ret->name), CDI_NVIDIA_KIND "=%s", device->uuid);
		(void)snprintf(ret->fault, sizeof(ret->fault),
		               "no CDI specification names it; make them again (nvidia-ctk cdi "
		               "generate)");
	}
	ret->numa_node = device->numa_node;
	ret->has_nvml = true;
	ret->nvml = *device;
}

static size_t read_nvml(struct entries *entries, struct nvml *nvml, struct inventory_device *ret)
{
	struct nvml_device *known = xcalloc(INVENTORY_MAX, sizeof(*known));
	unsigned n_lost;
	size_t n = 0, n_known = nvml_list(nvml, known, INVENTORY_MAX, &n_lost);

	for (size_t i = 0; i < n_known; i++) {
		struct entry *entry = find_entry(entries, &known[i]);
		if (entry)
			entry->is_matched = true;
		if (!known[i].is_divided)
			fill_nvml(&ret[n++], &known[i], entry);
	}
	free(known);
	return n;
}

size_t device_inventory_read(const struct cdi *cdi, struct nvml *nvml, struct inventory_device *ret)
{
	struct entries *entries = xcalloc(1, sizeof(*entries));
	size_t n = 0;

	cdi_each(cdi, add_entry, entries);
	join_aliases(entries);
	drop_sums(entries);
	if (nvml)
		n = read_nvml(entries, nvml, ret);
	for (size_t i = 0; i < entries->n && n < INVENTORY_MAX; i++) {
		const struct entry *entry = &entries->all[i];
		if (entry->is_dropped || entry->is_matched || entry->missing)
			continue;
		fill(&ret[n], entry);
		if (nvml && !strcmp(entry->kind, CDI_NVIDIA_KIND))
			(void)snprintf(ret[n].fault, sizeof(ret[n].fault),
			               "the driver does not show it");
		n++;
	}
	entries_free(entries);
	return n;
}

struct listed {
	const struct inventory_device *devices;
	size_t n;
};

/* Cards that the driver shows are never left out: they are listed with their fault. */
static void warn_entry(void *arg, const char *name, const char *kind, const json_t *nodes)
{
	const struct listed *listed = arg;
	struct stat st;
	const json_t *node;
	size_t i;

	for (i = 0; i < listed->n; i++)
		if (listed->devices[i].has_nvml && !strcmp(listed->devices[i].kind, kind))
			return;
	json_array_foreach(nodes, i, node)
	{
		if (stat(json_string_value(node), &st) == 0)
			continue;
		log_warning("device %s is left out: there is no %s", name, json_string_value(node));
		return;
	}
}

void device_inventory_warn(const struct cdi *cdi, const struct inventory_device *devices, size_t n)
{
	struct listed listed = {devices, n};

	cdi_each(cdi, warn_entry, &listed);
}

/* "fuse" of "lab.example/fuse=0": a number is the name of nothing. */
static const char *model_of(const struct inventory_device *device)
{
	const char *part = last_part(device->name), *class = strchr(device->kind, '/');

	return class && part[strspn(part, "0123456789:")] == '\0' ? class + 1 : part;
}

json_t *device_inventory_json(const struct inventory_device *device)
{
	const struct nvml_device *nvml = &device->nvml;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:s}", "type",
	                 "device", "name", device->name, "kind", device->kind, "model",
	                 device->has_nvml ? nvml->model : model_of(device), "slice", nvml->profile,
	                 "uuid", nvml->uuid, "parent", nvml->parent, "memory",
	                 (json_int_t)nvml->memory_bytes, "numa", device->numa_node, "healthy",
	                 *device->fault == '\0', "fault", device->fault);
}
