/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/devices: what accelerators there are, how they are, and who has them; also in the job
 * object and for Prometheus. Which jobs hold a device is told of the caller's own namespaces only.
 */
#include "api/access.h"
#include "api/answer.h"
#include "api/handlers.h"
#include "api/job_extras.h"
#include "api/monitoring.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "job/device_service.h"

#include <inttypes.h>
#include <string.h>

struct devices_holders {
	struct api *api;
	const struct caller *caller; /* NULL: nobody's jobs are named */
	json_t *jobs;                /* device: array of ids; an empty one: of others only */
};

static bool devices_may_see(const struct devices_holders *holders, const char *namespace_id)
{
	struct account account;

	return holders->caller && accounts_find_by_id(holders->api->db, namespace_id, &account) &&
	       caller_role(holders->api, holders->caller, &account) >= ROLE_READ;
}

static void devices_add_holder(void *arg, const char *job_id, const char *namespace_id,
                               const char *devices)
{
	struct devices_holders *holders = arg;
	bool is_seen = devices_may_see(holders, namespace_id);
	size_t len;

	for (const char *at = devices; *at; at += len + (at[len] == ',')) {
		char name[DEVICE_NAME_SIZE];
		len = strcspn(at, ",");
		(void)snprintf(name, sizeof(name), "%.*s", (int)len, at);
		json_t *jobs = json_object_get(holders->jobs, name);
		if (!jobs) {
			jobs = json_array();
			json_object_set_new(holders->jobs, name, jobs);
		}
		if (is_seen)
			json_array_append_new(jobs, json_string(job_id));
	}
}

static json_t *devices_text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *devices_describe(const struct device *device)
{
	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:o, s:b, s:o}", "name", device->name, "kind", device->kind,
	        "model", device->model, "slice", devices_text_or_null(device->slice), "memory",
	        device->memory_bytes > 0 ? json_integer(device->memory_bytes) : json_null(),
	        "healthy", device->is_healthy, "fault", devices_text_or_null(device->fault));
}

static json_t *devices_row(const struct api *api, const struct device *device, json_t *holders)
{
	json_t *row = devices_describe(device), *jobs = json_object_get(holders, device->name);
	struct device_sample sample;

	json_object_set_new(row, "numaNode",
	                    device->numa_node >= 0 ? json_integer(device->numa_node) : json_null());
	json_object_set_new(row, "busy", json_boolean(jobs != NULL));
	json_object_set_new(row, "jobs", jobs ? json_incref(jobs) : json_array());
	if (*device->uuid && device_service_sample(api->devices, device->uuid, &sample)) {
		json_object_set_new(row, "utilization",
		                    sample.utilization_pct >= 0
		                            ? json_integer(sample.utilization_pct)
		                            : json_null());
		json_object_set_new(row, "memoryUsed", json_integer(sample.memory_used_bytes));
	}
	return row;
}

void devices_list(struct http_request *request, void *context)
{
	struct api *api = context;
	struct devices_holders holders = {
	        .api = api, .caller = &access_of(request)->caller, .jobs = json_object()};
	size_t n;
	const struct device *devices = device_service_get(api->devices, &n);
	json_t *rows = json_array();

	device_service_each_holder(api->devices, devices_add_holder, &holders);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, devices_row(api, &devices[i], holders.jobs));
	json_decref(holders.jobs);
	http_respond_json(request, 200, rows);
}

/* What a live job has. */
void devices_extras(struct api *api, const struct job_record *job, json_t *extras)
{
	const char *names = device_service_of_job(api->devices, job->id);
	size_t n, len;
	const struct device *devices = device_service_get(api->devices, &n);
	json_t *list;

	if (!names || !*names)
		return;
	list = json_array();
	for (const char *at = names; *at; at += len + (at[len] == ',')) {
		len = strcspn(at, ",");
		json_t *row = NULL;
		for (size_t i = 0; i < n && !row; i++) {
			if (!strncmp(devices[i].name, at, len) && devices[i].name[len] == '\0')
				row = devices_describe(&devices[i]);
		}
		if (!row)
			row = json_pack("{s:s%, s:b, s:s}", "name", at, len, "healthy", 0, "fault",
			                "has gone");
		json_array_append_new(list, row);
	}
	json_object_set_new(extras, "devices", list);
}

static void devices_gauge(struct buffer *out, const char *name, const char *help, int64_t value)
{
	(void)buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %" PRId64 "\n", name, help,
	                    name, name, value);
}

/* Names and models are printable ASCII or come from drivers: quotes and the like are left out. */
static void devices_label(struct buffer *out, const char *name, const char *text)
{
	(void)buffer_printf(out, "%s=\"", name);
	for (; *text; text++) {
		if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
			(void)buffer_add_byte(out, *text);
	}
	(void)buffer_add_byte(out, '"');
}

static void devices_write_samples(struct buffer *out, const struct api *api,
                                  const struct device *devices, size_t n, bool is_memory)
{
	const char *name =
	        is_memory ? "hearth_device_memory_used_bytes" : "hearth_device_utilization_percent";
	struct device_sample sample;
	bool has_head = false;

	for (size_t i = 0; i < n; i++) {
		if (!*devices[i].uuid ||
		    !device_service_sample(api->devices, devices[i].uuid, &sample) ||
		    (!is_memory && sample.utilization_pct < 0))
			continue;
		if (!has_head)
			(void)buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", name,
			                    is_memory ? "Memory of the device in use."
			                              : "How busy the device is.",
			                    name);
		has_head = true;
		(void)buffer_printf(out, "%s{", name);
		devices_label(out, "device", devices[i].name);
		(void)buffer_add_byte(out, ',');
		devices_label(out, "model", devices[i].model);
		(void)buffer_printf(out, "} %" PRId64 "\n",
		                    is_memory ? sample.memory_used_bytes : sample.utilization_pct);
	}
}

void devices_write_metrics(struct buffer *out, struct api *api)
{
	struct devices_holders holders = {.api = api, .jobs = json_object()};
	size_t n, unhealthy = 0;
	const struct device *devices = device_service_get(api->devices, &n);

	device_service_each_holder(api->devices, devices_add_holder, &holders);
	for (size_t i = 0; i < n; i++)
		unhealthy += !devices[i].is_healthy;
	devices_gauge(out, "hearth_devices", "Accelerators and other devices for jobs.",
	              (int64_t)n);
	devices_gauge(out, "hearth_devices_used", "Devices that jobs hold.",
	              (int64_t)json_object_size(holders.jobs));
	devices_gauge(out, "hearth_devices_unhealthy", "Devices that take no jobs.",
	              (int64_t)unhealthy);
	devices_write_samples(out, api, devices, n, false);
	devices_write_samples(out, api, devices, n, true);
	json_decref(holders.jobs);
}
