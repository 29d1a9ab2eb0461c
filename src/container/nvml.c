/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. Numbers and layouts are those of NVML's version 1 and 2 interfaces, which do not
 * change. */
#include "container/nvml.h"

#include "base/memory.h"

#include <ctype.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CODE_SUCCESS 0
#define CODE_NOT_SUPPORTED 3
#define CODE_DRIVER_NOT_LOADED 9
#define CODE_GPU_IS_LOST 15
#define CODE_RESET_REQUIRED 16
#define ERROR_UNCORRECTED 1
#define COUNTER_VOLATILE 0
#define EVENT_XID 0x8ULL

/* Errors of the card itself; others are what programs do wrong (NVIDIA's document "XID Errors"). */
static const unsigned fatal_xids[] = {46, 48, 54, 62, 64, 74, 79, 95, 119, 120, 136, 140, 143};

struct memory_info {
	unsigned long long total, free, used;
};
struct utilization_info {
	unsigned gpu, memory;
};
struct pci_info {
	char legacy_bus_id[16];
	unsigned domain, bus, device, device_id, subsystem_id;
	char bus_id[32];
};
struct event_info {
	void *device;
	unsigned long long type, data;
	unsigned gpu_instance, compute_instance;
};

/* One row per function: its symbol, and whether we can do without. */
struct functions {
	int (*init)(void);
	int (*shutdown)(void);
	const char *(*error_string)(int);
	int (*get_count)(unsigned *);
	int (*get_handle)(unsigned, void **);
	int (*get_name)(void *, char *, unsigned);
	int (*get_uuid)(void *, char *, unsigned);
	int (*get_memory)(void *, struct memory_info *);
	int (*get_utilization)(void *, struct utilization_info *);
	int (*get_pci)(void *, struct pci_info *);
	int (*get_minor)(void *, unsigned *);
	int (*get_ecc)(void *, int, int, unsigned long long *);
	int (*get_remapped)(void *, unsigned *, unsigned *, unsigned *, unsigned *);
	int (*get_retired_pending)(void *, int *);
	int (*get_mig_mode)(void *, unsigned *, unsigned *);
	int (*get_mig_max)(void *, unsigned *);
	int (*get_mig_handle)(void *, unsigned, void **);
	int (*get_gpu_instance)(void *, unsigned *);
	int (*get_compute_instance)(void *, unsigned *);
	int (*event_set_new)(void **);
	int (*event_set_free)(void *);
	int (*event_register)(void *, unsigned long long, void *);
	int (*event_wait)(void *, struct event_info *, unsigned);
};

static const struct {
	const char *symbol;
	size_t offset;
	bool is_required;
} symbols[] = {
        {"nvmlInit_v2", offsetof(struct functions, init), true},
        {"nvmlShutdown", offsetof(struct functions, shutdown), true},
        {"nvmlErrorString", offsetof(struct functions, error_string), true},
        {"nvmlDeviceGetCount_v2", offsetof(struct functions, get_count), true},
        {"nvmlDeviceGetHandleByIndex_v2", offsetof(struct functions, get_handle), true},
        {"nvmlDeviceGetName", offsetof(struct functions, get_name), true},
        {"nvmlDeviceGetUUID", offsetof(struct functions, get_uuid), true},
        {"nvmlDeviceGetMemoryInfo", offsetof(struct functions, get_memory), true},
        {"nvmlDeviceGetUtilizationRates", offsetof(struct functions, get_utilization), true},
        {"nvmlDeviceGetPciInfo_v3", offsetof(struct functions, get_pci), false},
        {"nvmlDeviceGetMinorNumber", offsetof(struct functions, get_minor), false},
        {"nvmlDeviceGetTotalEccErrors", offsetof(struct functions, get_ecc), false},
        {"nvmlDeviceGetRemappedRows", offsetof(struct functions, get_remapped), false},
        {"nvmlDeviceGetRetiredPagesPendingStatus", offsetof(struct functions, get_retired_pending),
         false},
        {"nvmlDeviceGetMigMode", offsetof(struct functions, get_mig_mode), false},
        {"nvmlDeviceGetMaxMigDeviceCount", offsetof(struct functions, get_mig_max), false},
        {"nvmlDeviceGetMigDeviceHandleByIndex", offsetof(struct functions, get_mig_handle), false},
        {"nvmlDeviceGetGpuInstanceId", offsetof(struct functions, get_gpu_instance), false},
        {"nvmlDeviceGetComputeInstanceId", offsetof(struct functions, get_compute_instance), false},
        {"nvmlEventSetCreate", offsetof(struct functions, event_set_new), false},
        {"nvmlEventSetFree", offsetof(struct functions, event_set_free), false},
        {"nvmlDeviceRegisterEvents", offsetof(struct functions, event_register), false},
        {"nvmlEventSetWait_v2", offsetof(struct functions, event_wait), false},
};

struct nvml {
	void *library;
	struct functions f;
	void *events; /* NULL: none */
};

static int nvml_resolve(struct nvml *nvml, struct error *err)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *symbol = dlsym(nvml->library, symbols[i].symbol);

		if (!symbol && symbols[i].is_required)
			return fail(err, E_UNAVAILABLE, "NVIDIA's management library lacks %s",
			            symbols[i].symbol);
		memcpy((char *)&nvml->f + symbols[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

int nvml_open(const char *setting, struct nvml **ret, struct error *err)
{
	const char *path = strcmp(setting, "auto") != 0 ? setting : "libnvidia-ml.so.1";
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return fail(err, E_NOT_FOUND, "%s", dlerror());
	struct nvml *nvml = xcalloc(1, sizeof(*nvml));
	nvml->library = library;
	int rc = nvml_resolve(nvml, err);
	int code = rc == 0 ? nvml->f.init() : 0;
	if (code != CODE_SUCCESS)
		rc = fail(err, code == CODE_DRIVER_NOT_LOADED ? E_NOT_FOUND : E_UNAVAILABLE,
		          "the NVIDIA driver cannot be used: %s", nvml->f.error_string(code));
	if (rc < 0) {
		(void)dlclose(library);
		free(nvml);
		return -1;
	}
	*ret = nvml;
	return 0;
}

void nvml_close(struct nvml *nvml)
{
	if (!nvml)
		return;
	if (nvml->events)
		(void)nvml->f.event_set_free(nvml->events);
	(void)nvml->f.shutdown();
	(void)dlclose(nvml->library);
	free(nvml);
}

/* "00000000:3B:00.0" is 0000:3b:00.0 there. */
static int find_numa_node(const char *bus_id)
{
	char path[96], text[16] = "";
	size_t len = strlen(bus_id), n;

	if (len < 12)
		return -1;
	n = (size_t)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node",
	                     bus_id + len - 12);
	for (size_t i = 0; i < n; i++)
		path[i] = (char)tolower((unsigned char)path[i]);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	(void)fclose(file);
	return text[0] >= '0' && text[0] <= '9' ? (int)strtol(text, NULL, 10) : -1;
}

static void describe(struct nvml *nvml, struct nvml_device *device)
{
	struct memory_info memory = {0};
	char *slice;

	if (nvml->f.get_name(device->handle, device->model, sizeof(device->model)) != CODE_SUCCESS)
		(void)snprintf(device->model, sizeof(device->model), "NVIDIA");
	/* "NVIDIA A100-SXM4-80GB MIG 1g.10gb" */
	slice = strstr(device->model, " MIG ");
	if (slice) {
		(void)snprintf(device->profile, sizeof(device->profile), "%.31s", slice + 5);
		*slice = '\0';
	}
	if (nvml->f.get_memory(device->handle, &memory) == CODE_SUCCESS)
		device->memory_bytes = (int64_t)memory.total;
}

static bool describe_card(struct nvml *nvml, unsigned index, struct nvml_device *ret)
{
	struct pci_info pci = {0};
	unsigned minor = 0, mode = 0, pending = 0;

	*ret = (struct nvml_device){.index = index,
	                            .instance = -1,
	                            .gpu_instance = -1,
	                            .compute_instance = -1,
	                            .minor = -1,
	                            .numa_node = -1};
	if (nvml->f.get_handle(index, &ret->handle) != CODE_SUCCESS ||
	    nvml->f.get_uuid(ret->handle, ret->uuid, sizeof(ret->uuid)) != CODE_SUCCESS)
		return false;
	ret->card_handle = ret->handle;
	describe(nvml, ret);
	if (nvml->f.get_pci && nvml->f.get_pci(ret->handle, &pci) == CODE_SUCCESS) {
		(void)snprintf(ret->bus_id, sizeof(ret->bus_id), "%.31s", pci.bus_id);
		ret->numa_node = find_numa_node(ret->bus_id);
	}
	if (nvml->f.get_minor && nvml->f.get_minor(ret->handle, &minor) == CODE_SUCCESS)
		ret->minor = (int)minor;
	if (nvml->f.get_mig_mode &&
	    nvml->f.get_mig_mode(ret->handle, &mode, &pending) == CODE_SUCCESS)
		ret->is_divided = mode == 1;
	nvml_check(nvml, ret, ret->fault);
	return true;
}

/* Instances keep the numbers that they have on the card, whatever lies between them. */
static size_t list_instances(struct nvml *nvml, const struct nvml_device *card,
                             struct nvml_device *ret, size_t max)
{
	unsigned most = 0, id = 0;
	size_t n = 0;

	if (!nvml->f.get_mig_max || !nvml->f.get_mig_handle ||
	    nvml->f.get_mig_max(card->handle, &most) != CODE_SUCCESS)
		return 0;
	for (unsigned i = 0; i < most && n < max; i++) {
		struct nvml_device *device = &ret[n];

		*device = *card;
		device->is_divided = false;
		device->instance = (int)i;
		if (nvml->f.get_mig_handle(card->handle, i, &device->handle) != CODE_SUCCESS ||
		    nvml->f.get_uuid(device->handle, device->uuid, sizeof(device->uuid)) !=
		            CODE_SUCCESS)
			continue;
		memcpy(device->parent, card->uuid, sizeof(device->parent));
		device->memory_bytes = 0;
		describe(nvml, device);
		if (nvml->f.get_gpu_instance &&
		    nvml->f.get_gpu_instance(device->handle, &id) == CODE_SUCCESS)
			device->gpu_instance = (int)id;
		if (nvml->f.get_compute_instance &&
		    nvml->f.get_compute_instance(device->handle, &id) == CODE_SUCCESS)
			device->compute_instance = (int)id;
		n++;
	}
	return n;
}

size_t nvml_list(struct nvml *nvml, struct nvml_device *ret, size_t max, unsigned *ret_lost)
{
	unsigned count = 0;
	size_t n = 0;

	*ret_lost = 0;
	if (nvml->f.get_count(&count) != CODE_SUCCESS)
		return 0;
	for (unsigned i = 0; i < count && n < max; i++) {
		if (!describe_card(nvml, i, &ret[n])) {
			(*ret_lost)++;
			continue;
		}
		n++;
		if (ret[n - 1].is_divided)
			n += list_instances(nvml, &ret[n - 1], ret + n, max - n);
	}
	return n;
}

static bool is_retiring(const struct nvml *nvml, void *handle)
{
	unsigned corrected = 0, uncorrected = 0, is_pending = 0, has_failed = 0;
	int is_retired_pending = 0;

	if (nvml->f.get_remapped && nvml->f.get_remapped(handle, &corrected, &uncorrected,
	                                                 &is_pending, &has_failed) == CODE_SUCCESS)
		return is_pending || has_failed;
	return nvml->f.get_retired_pending &&
	       nvml->f.get_retired_pending(handle, &is_retired_pending) == CODE_SUCCESS &&
	       is_retired_pending;
}

void nvml_check(struct nvml *nvml, const struct nvml_device *device, char ret[160])
{
	struct memory_info memory;
	unsigned long long errors = 0;
	int code = nvml->f.get_memory(device->handle, &memory);

	ret[0] = '\0';
	if (code == CODE_GPU_IS_LOST)
		(void)snprintf(ret, 160, "has fallen off the bus");
	else if (code == CODE_RESET_REQUIRED)
		(void)snprintf(ret, 160, "must be reset");
	else if (code != CODE_SUCCESS && code != CODE_NOT_SUPPORTED)
		(void)snprintf(ret, 160, "does not answer: %.100s", nvml->f.error_string(code));
	else if (*device->parent)
		return; /* what follows is asked of its card */
	else if (nvml->f.get_ecc &&
	         nvml->f.get_ecc(device->handle, ERROR_UNCORRECTED, COUNTER_VOLATILE, &errors) ==
	                 CODE_SUCCESS &&
	         errors > 0)
		(void)snprintf(ret, 160, "has had %llu uncorrectable memory error%s; reset it",
		               errors, errors == 1 ? "" : "s");
	else if (is_retiring(nvml, device->handle))
		(void)snprintf(ret, 160,
		               "has bad memory that is taken out of use when it is reset");
}

bool nvml_sample(struct nvml *nvml, const struct nvml_device *device, int *ret_utilization_pct,
                 int64_t *ret_used_bytes, int64_t *ret_total_bytes)
{
	struct memory_info memory = {0};
	struct utilization_info utilization;
	int code = nvml->f.get_memory(device->handle, &memory);

	if (code != CODE_SUCCESS && code != CODE_NOT_SUPPORTED)
		return false;
	*ret_used_bytes = (int64_t)memory.used;
	*ret_total_bytes = (int64_t)memory.total;
	*ret_utilization_pct = -1;
	if (nvml->f.get_utilization(device->handle, &utilization) == CODE_SUCCESS)
		*ret_utilization_pct = (int)(utilization.gpu < 100 ? utilization.gpu : 100);
	return true;
}

void nvml_watch_errors(struct nvml *nvml, const struct nvml_device *devices, size_t n)
{
	if (!nvml->f.event_set_new || !nvml->f.event_set_free || !nvml->f.event_register ||
	    !nvml->f.event_wait)
		return;
	if (!nvml->events && nvml->f.event_set_new(&nvml->events) != CODE_SUCCESS)
		nvml->events = NULL;
	for (size_t i = 0; nvml->events && i < n; i++) {
		(void)nvml->f.event_register(devices[i].card_handle, EVENT_XID, nvml->events);
	}
}

bool nvml_next_error(struct nvml *nvml, void **ret_handle, char ret_fault[160])
{
	struct event_info event = {0};

	while (nvml->events && nvml->f.event_wait(nvml->events, &event, 0) == CODE_SUCCESS) {
		for (size_t i = 0; i < sizeof(fatal_xids) / sizeof(fatal_xids[0]); i++) {
			if (event.type != EVENT_XID || event.data != fatal_xids[i])
				continue;
			*ret_handle = event.device;
			(void)snprintf(ret_fault, 160,
			               "the driver reported its failure (XID %llu); reset it",
			               event.data);
			return true;
		}
	}
	return false;
}
