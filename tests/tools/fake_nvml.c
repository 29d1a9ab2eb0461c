/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A libnvidia-ml.so.1 without a GPU, for tests. What it tells comes from a text file that is read
 * again at every call, so that a test can change the machine while programs look at it: the file
 * named by the variable HEARTH_FAKE_NVML, else the library's own path with ".txt" after it. Without
 * a file there are no cards. tests/tools/fake_nvml.py writes it:
 *
 *   driver 550.54.15          version of the driver
 *   init 9                    nvmlInit_v2() returns this (9: the driver is not loaded)
 *   hang                      every call sleeps for ever
 *   card GPU-8dcd…            begins a card; what follows is about it
 *     name NVIDIA A100-SXM4-80GB
 *     memory 85899345920      bytes
 *     used 1048576            bytes
 *     utilization 37          percent; -1: not supported
 *     minor 0
 *     bus 00000000:3B:00.0
 *     ecc 2                   uncorrected errors since the driver was loaded
 *     remap pending|failed    rows of its memory
 *     xid 79                  an event, told once
 *     lost                    has fallen off the bus
 *     hang                    calls about this card sleep for ever
 *     mig on                  MIG mode, even without instances
 *     mig MIG-… 1 0 1g.10gb 10468982784 0    uuid, GPU instance, compute instance, profile, memory,
 * used
 *
 * A card that is not in the file any more has vanished: its handles are lost ones.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UUID_SIZE 96
#define CARDS_MAX 16
#define INSTANCES_MAX 8
#define HANDLES_MAX 256

enum {
	SUCCESS = 0,
	INVALID_ARGUMENT = 2,
	NOT_SUPPORTED = 3,
	NOT_FOUND = 6,
	INSUFFICIENT_SIZE = 7,
	TIMED_OUT = 10,
	GPU_IS_LOST = 15,
};

struct instance {
	char uuid[UUID_SIZE], profile[32];
	unsigned gpu, compute;
	unsigned long long memory, used;
};

struct card {
	char uuid[UUID_SIZE], name[96], bus[32], remap[16];
	unsigned long long memory, used, ecc, xid;
	int utilization;
	unsigned minor;
	bool is_lost, does_hang, is_mig;
	unsigned n_instances;
	struct instance instances[INSTANCES_MAX];
};

struct machine {
	char driver[64];
	int init;
	bool does_hang;
	unsigned n_cards;
	struct card cards[CARDS_MAX];
};

/* What a caller holds; by uuid, so that it outlives changes of the file. */
struct handle {
	char uuid[UUID_SIZE];
	unsigned long long told_xid;
	bool is_watched;
};

struct memory {
	unsigned long long total, free, used;
};
struct utilization {
	unsigned gpu, memory;
};
struct pci_info {
	char legacy_bus[16];
	unsigned domain, bus, device, device_id, subsystem_id;
	char bus_id[32];
};
struct attributes {
	unsigned multiprocessors, copy_engines, decoders, encoders, jpegs, ofas, gpu_slices,
	        compute_slices;
	unsigned long long memory_mb;
};
struct event {
	struct handle *device;
	unsigned long long type, data;
	unsigned gpu_instance, compute_instance;
};

static struct machine machine;
static struct handle handles[HANDLES_MAX];

#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* they are in nobody's header */

static void hang(void)
{
	for (;;)
		(void)sleep(3600);
}

static void read_instance(struct card *card, const char *value)
{
	struct instance *instance = &card->instances[card->n_instances];

	card->is_mig = true;
	if (card->n_instances < INSTANCES_MAX &&
	    sscanf(value, "%95s %u %u %31s %llu %llu", instance->uuid, &instance->gpu,
	           &instance->compute, instance->profile, &instance->memory, &instance->used) >= 5)
		card->n_instances++;
}

static void read_card_line(struct card *card, const char *key, const char *value)
{
	if (!strcmp(key, "name"))
		(void)snprintf(card->name, sizeof(card->name), "%s", value);
	else if (!strcmp(key, "bus"))
		(void)snprintf(card->bus, sizeof(card->bus), "%s", value);
	else if (!strcmp(key, "remap"))
		(void)snprintf(card->remap, sizeof(card->remap), "%s", value);
	else if (!strcmp(key, "memory"))
		card->memory = strtoull(value, NULL, 10);
	else if (!strcmp(key, "used"))
		card->used = strtoull(value, NULL, 10);
	else if (!strcmp(key, "ecc"))
		card->ecc = strtoull(value, NULL, 10);
	else if (!strcmp(key, "xid"))
		card->xid = strtoull(value, NULL, 10);
	else if (!strcmp(key, "utilization"))
		card->utilization = (int)strtol(value, NULL, 10);
	else if (!strcmp(key, "minor"))
		card->minor = (unsigned)strtoul(value, NULL, 10);
	else if (!strcmp(key, "lost"))
		card->is_lost = true;
	else if (!strcmp(key, "hang"))
		card->does_hang = true;
	else if (!strcmp(key, "mig") && !strcmp(value, "on"))
		card->is_mig = true;
	else if (!strcmp(key, "mig"))
		read_instance(card, value);
}

static void read_line(struct machine *m, char *line)
{
	char *key = line + strspn(line, " \t");
	char *value = key + strcspn(key, " \t\n");
	struct card *card = m->n_cards ? &m->cards[m->n_cards - 1] : NULL;

	if (*value)
		*value++ = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (!strcmp(key, "card") && m->n_cards < CARDS_MAX) {
		card = &m->cards[m->n_cards];
		*card = (struct card){.minor = m->n_cards++};
		(void)snprintf(card->uuid, sizeof(card->uuid), "%s", value);
	} else if (card) {
		read_card_line(card, key, value);
	} else if (!strcmp(key, "driver")) {
		(void)snprintf(m->driver, sizeof(m->driver), "%s", value);
	} else if (!strcmp(key, "init")) {
		m->init = (int)strtol(value, NULL, 10);
	} else if (!strcmp(key, "hang")) {
		m->does_hang = true;
	}
}

static void look(void)
{
	char path[4096], line[512];
	const char *given = getenv("HEARTH_FAKE_NVML");
	Dl_info own;

	if (given)
		(void)snprintf(path, sizeof(path), "%s", given);
	else if (dladdr((void *)look, &own) && own.dli_fname)
		(void)snprintf(path, sizeof(path), "%s.txt", own.dli_fname);
	else
		return;
	machine = (struct machine){.driver = "550.54.15"};
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		read_line(&machine, line);
	(void)fclose(file);
	if (machine.does_hang)
		hang();
}

static struct handle *handle_of(const char *uuid)
{
	for (int i = 0; i < HANDLES_MAX; i++) {
		if (!handles[i].uuid[0])
			(void)snprintf(handles[i].uuid, sizeof(handles[i].uuid), "%s", uuid);
		if (!strcmp(handles[i].uuid, uuid))
			return &handles[i];
	}
	abort();
}

/* The card, and the instance if the handle is of one. */
static int find(const struct handle *handle, const struct card **ret,
                const struct instance **ret_instance)
{
	look();
	*ret_instance = NULL;
	for (unsigned i = 0; i < machine.n_cards; i++) {
		struct card *card = &machine.cards[i];
		bool is_it = !strcmp(card->uuid, handle->uuid);
		for (unsigned k = 0; k < card->n_instances; k++) {
			if (!strcmp(card->instances[k].uuid, handle->uuid)) {
				*ret_instance = &card->instances[k];
				is_it = true;
			}
		}
		if (!is_it)
			continue;
		if (card->does_hang)
			hang();
		*ret = card;
		return card->is_lost ? GPU_IS_LOST : SUCCESS;
	}
	return GPU_IS_LOST;
}

static int find_card(const struct handle *handle, const struct card **ret)
{
	const struct instance *instance;
	int code = find(handle, ret, &instance);

	return code == SUCCESS && instance ? NOT_SUPPORTED : code;
}

static int copy(const char *text, char *ret, unsigned size)
{
	if (strlen(text) >= size)
		return INSUFFICIENT_SIZE;
	memcpy(ret, text, strlen(text) + 1);
	return SUCCESS;
}

int nvmlInit_v2(void)
{
	look();
	return machine.init;
}

int nvmlShutdown(void)
{
	return SUCCESS;
}

const char *nvmlErrorString(int code)
{
	return code == SUCCESS ? "Success" : code == GPU_IS_LOST ? "GPU is lost" : "Unknown Error";
}

int nvmlSystemGetDriverVersion(char *text, unsigned size)
{
	look();
	return copy(machine.driver, text, size);
}

int nvmlDeviceGetCount_v2(unsigned *ret)
{
	look();
	*ret = machine.n_cards;
	return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct handle **ret)
{
	look();
	if (index >= machine.n_cards)
		return INVALID_ARGUMENT;
	*ret = handle_of(machine.cards[index].uuid);
	return machine.cards[index].is_lost ? GPU_IS_LOST : SUCCESS;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, struct handle **ret)
{
	const struct instance *instance;
	const struct card *card;
	struct handle wanted = {0};

	(void)snprintf(wanted.uuid, sizeof(wanted.uuid), "%s", uuid);
	int code = find(&wanted, &card, &instance);
	if (code != SUCCESS)
		return NOT_FOUND;
	*ret = handle_of(uuid);
	return SUCCESS;
}

int nvmlDeviceGetName(struct handle *handle, char *text, unsigned size)
{
	const struct instance *instance;
	const struct card *card;
	char name[160];

	int code = find(handle, &card, &instance);
	if (code != SUCCESS)
		return code;
	(void)snprintf(name, sizeof(name), "%s%s%s", card->name, instance ? " MIG " : "",
	               instance ? instance->profile : "");
	return copy(name, text, size);
}

int nvmlDeviceGetUUID(struct handle *handle, char *text, unsigned size)
{
	const struct instance *instance;
	const struct card *card;

	int code = find(handle, &card, &instance);
	return code == SUCCESS ? copy(handle->uuid, text, size) : code;
}

int nvmlDeviceGetMinorNumber(struct handle *handle, unsigned *ret)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code == SUCCESS)
		*ret = card->minor;
	return code;
}

int nvmlDeviceGetPciInfo_v3(struct handle *handle, struct pci_info *ret)
{
	const struct instance *instance;
	const struct card *card;

	int code = find(handle, &card, &instance);
	if (code != SUCCESS)
		return code;
	*ret = (struct pci_info){0};
	(void)sscanf(card->bus, "%x:%x:%x", &ret->domain, &ret->bus, &ret->device);
	(void)snprintf(ret->bus_id, sizeof(ret->bus_id), "%s", card->bus);
	return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(struct handle *handle, struct memory *ret)
{
	const struct instance *instance;
	const struct card *card;

	int code = find(handle, &card, &instance);
	if (code != SUCCESS)
		return code;
	ret->total = instance ? instance->memory : card->memory;
	ret->used = instance ? instance->used : card->used;
	ret->free = ret->total - ret->used;
	return SUCCESS;
}

/* As of the real one, neither instances nor cards that are divided have this. */
int nvmlDeviceGetUtilizationRates(struct handle *handle, struct utilization *ret)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code != SUCCESS)
		return code;
	if (card->is_mig || card->utilization < 0)
		return NOT_SUPPORTED;
	*ret = (struct utilization){.gpu = (unsigned)card->utilization};
	return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(struct handle *handle, int type, int counter,
                                unsigned long long *ret)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code == SUCCESS)
		*ret = type == 1 && counter == 0 ? card->ecc : 0;
	return code;
}

int nvmlDeviceGetRemappedRows(struct handle *handle, unsigned *corrected, unsigned *uncorrected,
                              unsigned *is_pending, unsigned *has_failed)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code != SUCCESS)
		return code;
	*corrected = *uncorrected = 0;
	*is_pending = !strcmp(card->remap, "pending");
	*has_failed = !strcmp(card->remap, "failed");
	return SUCCESS;
}

/* Of cards older than those whose rows are remapped. */
int nvmlDeviceGetRetiredPagesPendingStatus(struct handle *handle, int *ret)
{
	return NOT_SUPPORTED;
}

int nvmlDeviceGetMigMode(struct handle *handle, unsigned *current, unsigned *pending)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code == SUCCESS)
		*current = *pending = card->is_mig;
	return code;
}

int nvmlDeviceGetMaxMigDeviceCount(struct handle *handle, unsigned *ret)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code == SUCCESS)
		*ret = 7;
	return code;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct handle *handle, unsigned index, struct handle **ret)
{
	const struct card *card;

	int code = find_card(handle, &card);
	if (code != SUCCESS)
		return code;
	if (index >= card->n_instances)
		return NOT_FOUND;
	*ret = handle_of(card->instances[index].uuid);
	return SUCCESS;
}

static int find_instance(const struct handle *handle, const struct instance **ret)
{
	const struct card *card;

	int code = find(handle, &card, ret);
	return code == SUCCESS && !*ret ? NOT_SUPPORTED : code;
}

int nvmlDeviceGetGpuInstanceId(struct handle *handle, unsigned *ret)
{
	const struct instance *instance;

	int code = find_instance(handle, &instance);
	if (code == SUCCESS)
		*ret = instance->gpu;
	return code;
}

int nvmlDeviceGetComputeInstanceId(struct handle *handle, unsigned *ret)
{
	const struct instance *instance;

	int code = find_instance(handle, &instance);
	if (code == SUCCESS)
		*ret = instance->compute;
	return code;
}

int nvmlDeviceGetAttributes_v2(struct handle *handle, struct attributes *ret)
{
	const struct instance *instance;

	int code = find_instance(handle, &instance);
	if (code != SUCCESS)
		return code;
	*ret = (struct attributes){.memory_mb = instance->memory >> 20};
	(void)sscanf(instance->profile, "%ug", &ret->gpu_slices);
	ret->compute_slices = ret->gpu_slices;
	return SUCCESS;
}

int nvmlEventSetCreate(void **ret)
{
	*ret = handles;
	return SUCCESS;
}

int nvmlEventSetFree(void *set)
{
	return SUCCESS;
}

int nvmlDeviceRegisterEvents(struct handle *handle, unsigned long long types, void *set)
{
	handle->is_watched = true;
	return SUCCESS;
}

int nvmlEventSetWait_v2(void *set, struct event *ret, unsigned timeout_ms)
{
	look();
	for (unsigned i = 0; i < machine.n_cards; i++) {
		struct handle *handle = handle_of(machine.cards[i].uuid);
		unsigned long long xid = machine.cards[i].xid;
		if (!handle->is_watched || handle->told_xid == xid)
			continue;
		handle->told_xid = xid;
		if (xid == 0)
			continue;
		*ret = (struct event){.device = handle,
		                      .type = 8,
		                      .data = xid,
		                      .gpu_instance = ~0U,
		                      .compute_instance = ~0U};
		return SUCCESS;
	}
	(void)usleep(timeout_ms * 1000);
	return TIMED_OUT;
}
