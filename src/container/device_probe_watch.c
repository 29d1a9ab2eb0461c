/* SPDX-License-Identifier: Apache-2.0 */
/* `hearth-devices watch`: what changes, and once a second what each device does. Everything here
 * may hang in the driver; whoever reads our output takes silence for that. */
#include "container/device_probe_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "container/device_inventory.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 1000
#define LOOK_TICKS 3  /* between two looks at all devices */
#define OPEN_TICKS 15 /* between two tries to find a driver */
#define ONLY_TICKS 30 /* for a monitor, whose devices stay the same */
#define CDI_LOOKS                                                                                  \
	20 /* then specifications are read though no file has changed: the driver may have */
#define ERRORS_MAX 64
#define OUTPUT_MAX ((size_t)4 * 1024 * 1024)

struct watch {
	const struct probe_options *options;
	const char *uuids; /* NULL: all */
	struct cdi *cdi;
	struct nvml *nvml;
	uint64_t stamp;
	struct inventory_device *devices, *before;
	size_t n, n_before, n_looks;
	struct {
		char uuid[96], fault[160];
	} errors[ERRORS_MAX];
	size_t n_errors;
	struct buffer out;
};

static void write_line(struct watch *watch, json_t *take_value)
{
	autojson json_t *value = take_value;
	autofree char *text = json_to_text(value);

	(void)buffer_printf(&watch->out, "%s\n", text);
}

/* False: nobody reads any more. */
static bool flush(struct watch *watch)
{
	size_t at = 0;

	while (at < watch->out.len) {
		ssize_t n = write(STDOUT_FILENO, watch->out.data + at, watch->out.len - at);
		struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
		if (n < 0 && errno == EAGAIN && poll(&out, 1, -1) > 0)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	buffer_reset(&watch->out);
	return true;
}

static struct inventory_device *find(struct inventory_device *devices, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(devices[i].name, name))
			return &devices[i];
	}
	return NULL;
}

/* A card that does not answer cannot even be asked who it is: it stays what it was. */
static void keep_lost(struct watch *watch)
{
	for (size_t i = 0; watch->nvml && i < watch->n; i++) {
		struct inventory_device *device = &watch->devices[i];
		const struct inventory_device *old =
		        find(watch->before, watch->n_before, device->name);
		if (device->has_nvml || !old || !old->has_nvml)
			continue;
		device->has_nvml = true;
		device->nvml = old->nvml;
		device->nvml.handle = NULL;
		device->numa_node = old->numa_node;
		(void)snprintf(device->fault, sizeof(device->fault),
		               "the driver does not show it any more");
	}
}

static void apply_errors(struct watch *watch)
{
	for (size_t i = 0; i < watch->n; i++) {
		struct inventory_device *device = &watch->devices[i];
		const struct nvml_device *nvml = &device->nvml;
		const char *card = *nvml->parent ? nvml->parent : nvml->uuid;
		for (size_t k = 0; k < watch->n_errors && device->has_nvml; k++) {
			if (!strcmp(watch->errors[k].uuid, card) && !*device->fault)
				memcpy(device->fault, watch->errors[k].fault,
				       sizeof(device->fault));
		}
	}
}

static void tell_changes(struct watch *watch)
{
	for (size_t i = 0; i < watch->n; i++) {
		const struct inventory_device *device = &watch->devices[i];
		const struct inventory_device *old =
		        find(watch->before, watch->n_before, device->name);
		json_t *now = device_inventory_json(device);
		autojson json_t *then = old ? device_inventory_json(old) : NULL;
		if (old && json_equal(now, then))
			json_decref(now);
		else
			write_line(watch, now);
	}
	for (size_t i = 0; i < watch->n_before; i++) {
		const char *name = watch->before[i].name;
		if (!find(watch->devices, watch->n, name))
			write_line(watch, json_pack("{s:s, s:s}", "type", "gone", "name", name));
	}
}

static void watch_errors(struct watch *watch)
{
	for (size_t i = 0; watch->nvml && i < watch->n; i++) {
		const struct inventory_device *old =
		        find(watch->before, watch->n_before, watch->devices[i].name);
		if (watch->devices[i].nvml.handle && (!old || !old->nvml.handle))
			nvml_watch_errors(watch->nvml, &watch->devices[i].nvml, 1);
	}
}

static void look(struct watch *watch)
{
	struct inventory_device *spare = watch->before;
	uint64_t stamp = probe_stamp(watch->options);

	if (stamp != watch->stamp || watch->n_looks++ % CDI_LOOKS == 0) {
		cdi_free(watch->cdi);
		watch->cdi = probe_read_cdi(watch->options);
		watch->stamp = stamp;
	}
	watch->before = watch->devices;
	watch->n_before = watch->n;
	watch->devices = spare;
	watch->n = device_inventory_read(watch->cdi, watch->nvml, watch->devices);
	keep_lost(watch);
	watch_errors(watch);
	apply_errors(watch);
	tell_changes(watch);
}

/* The first error of a card is told until the driver is loaded anew, and we with it. */
static bool add_error(struct watch *watch, const char *uuid, const char fault[160])
{
	for (size_t i = 0; i < watch->n_errors; i++) {
		if (!strcmp(watch->errors[i].uuid, uuid))
			return false;
	}
	if (watch->n_errors == ERRORS_MAX)
		return false;
	(void)snprintf(watch->errors[watch->n_errors].uuid, 96, "%s", uuid);
	memcpy(watch->errors[watch->n_errors++].fault, fault, 160);
	return true;
}

static bool take_errors(struct watch *watch)
{
	char fault[160];
	void *handle;
	bool is_new = false;

	while (watch->nvml && nvml_next_error(watch->nvml, &handle, fault)) {
		for (size_t i = 0; i < watch->n; i++) {
			const struct nvml_device *nvml = &watch->devices[i].nvml;
			const char *card = *nvml->parent ? nvml->parent : nvml->uuid;
			if (nvml->handle && nvml->card_handle == handle)
				is_new |= add_error(watch, card, fault);
		}
	}
	return is_new;
}

static bool is_wanted(const struct watch *watch, const char *uuid)
{
	size_t len = strlen(uuid);

	if (!watch->uuids)
		return true;
	for (const char *at = watch->uuids; *at; at += at[strcspn(at, ",")] == ',') {
		size_t n = strcspn(at, ",");
		if (n == len && !strncmp(at, uuid, n))
			return true;
		at += n;
	}
	return false;
}

static void sample(struct watch *watch)
{
	json_t *list = json_array();
	int64_t used, total;
	int utilization;

	for (size_t i = 0; watch->nvml && i < watch->n; i++) {
		const struct nvml_device *nvml = &watch->devices[i].nvml;
		if (!nvml->handle || !is_wanted(watch, nvml->uuid) ||
		    !nvml_sample(watch->nvml, nvml, &utilization, &used, &total))
			continue;
		json_t *one = json_pack("{s:s, s:I, s:I}", "uuid", nvml->uuid, "memory_used",
		                        (json_int_t)used, "memory_total", (json_int_t)total);
		if (utilization >= 0)
			json_object_set_new(one, "utilization", json_integer(utilization));
		json_array_append_new(list, one);
	}
	write_line(watch, json_pack("{s:s, s:I, s:o}", "type", "samples", "at_ms",
	                            (json_int_t)clock_now_ms(), "devices", list));
}

/* For a monitor: its devices are known, nothing else is looked at. */
static void look_only(struct watch *watch)
{
	struct nvml_device *known = xcalloc(INVENTORY_MAX, sizeof(*known));
	unsigned n_lost;

	watch->n = watch->nvml ? nvml_list(watch->nvml, known, INVENTORY_MAX, &n_lost) : 0;
	for (size_t i = 0; i < watch->n; i++)
		watch->devices[i] = (struct inventory_device){.has_nvml = true, .nvml = known[i]};
	free(known);
}

/* Until the next second has begun; false when nobody reads any more. */
static bool pause_until(int64_t at_ms)
{
	int64_t left;

	while ((left = at_ms - clock_monotonic_ms()) > 0) {
		struct pollfd out = {.fd = STDOUT_FILENO};
		if (poll(&out, 1, (int)left) > 0 && (out.revents & (POLLERR | POLLHUP | POLLNVAL)))
			return false;
	}
	return true;
}

void device_probe_watch(const struct probe_options *options, const char *uuids)
{
	struct watch watch = {.options = options, .uuids = uuids, .out = BUFFER_INIT(OUTPUT_MAX)};
	int64_t at_ms = clock_monotonic_ms();

	watch.devices = xcalloc(INVENTORY_MAX, sizeof(*watch.devices));
	watch.before = xcalloc(INVENTORY_MAX, sizeof(*watch.before));
	for (unsigned tick = 0;; tick++) {
		if (!watch.nvml && tick % OPEN_TICKS == 0)
			watch.nvml = probe_open_nvml(options);
		if (uuids && tick % ONLY_TICKS == 0)
			look_only(&watch);
		else if (!uuids && (take_errors(&watch) || tick % LOOK_TICKS == 0))
			look(&watch);
		sample(&watch);
		if (!flush(&watch))
			break;
		at_ms += TICK_MS;
		if (at_ms < clock_monotonic_ms())
			at_ms = clock_monotonic_ms();
		if (!pause_until(at_ms))
			break;
	}
	nvml_close(watch.nvml);
	cdi_free(watch.cdi);
	buffer_clear(&watch.out);
	free(watch.devices);
	free(watch.before);
}
