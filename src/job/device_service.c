/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's devices: what hearth-devices tells, and what its silence means. See the header. */
#include "job/device_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/active.h"
#include "job/device_watchdog.h"
#include "job/flavor_catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINES_MAX ((size_t)1024 * 1024)
#define TICK_MS 1000
#define LOOK_MS 30000 /* on a machine without devices */
#define FRESH_MS 5000
#define BACK_OFF_MS 1000
#define BACK_OFF_MAX_MS 60000
#define CALM_MS 60000 /* a process that has run for so long was well */
#define NVIDIA_KIND "nvidia.com/gpu"
#define SILENT_TEXT "the driver does not answer"

struct reading {
	struct device_sample sample;
	int64_t at_ms; /* monotonic */
};

struct device_service {
	struct loop *loop;
	struct configuration *configuration;
	int db_fd;
	json_t *record;
	struct device_child child;
	struct device *told;  /* what hearth-devices says; DEVICES_MAX */
	bool *is_told_again;  /* by the process that runs now */
	struct device *shown; /* the same, but for silence */
	size_t n, n_shown;
	struct reading *readings;
	size_t n_readings;
	bool is_changed, is_silent,
	        has_begun; /* has_begun: samples came, so all devices were told */
	int64_t started_ms, heard_ms, next_start_ms, back_off_ms;
	int64_t stamp; /* of a machine without devices */
	struct loop_timer *timer;
	struct job_service *jobs;
	struct device_watchdog *watchdog;
};

static bool is_of_driver(const struct device *device)
{
	return *device->uuid || !strcmp(device->kind, NVIDIA_KIND);
}

static void show(struct device_service *service)
{
	service->n_shown = service->n;
	memcpy(service->shown, service->told, service->n * sizeof(*service->shown));
	for (size_t i = 0; i < service->n && service->is_silent; i++) {
		struct device *device = &service->shown[i];
		if (!is_of_driver(device))
			continue;
		device->is_healthy = false;
		(void)snprintf(device->fault, sizeof(device->fault), SILENT_TEXT);
	}
	flavor_catalogue_mark(service->configuration, service->shown, service->n_shown);
}

static void publish(struct device_service *service)
{
	service->is_changed = false;
	show(service);
	if (service->has_begun && !service->is_silent)
		device_record_save(service->db_fd, service->record, clock_now_ms(), service->told,
		                   service->n);
	if (service->jobs)
		job_service_set_devices(service->jobs, service);
}

static void log_device(const struct device *before, const struct device *now)
{
	if (!before)
		log_info("device %s: %s%s%s", now->name, now->model, *now->slice ? " " : "",
		         now->slice);
	if (!now->is_healthy && (!before || strcmp(before->fault, now->fault) != 0))
		log_warning("device %s takes no jobs: %s", now->name, now->fault);
	else if (before && !before->is_healthy && now->is_healthy)
		log_info("device %s is well again", now->name);
}

static void take_device(struct device_service *service, const json_t *line)
{
	struct device device, *old;

	if (!device_from_json(line, &device))
		return;
	old = device_find(service->told, service->n, device.name);
	if (!old && service->n == DEVICES_MAX)
		return;
	log_device(old, &device);
	if (!old)
		old = &service->told[service->n++];
	*old = device;
	service->is_told_again[old - service->told] = true;
	service->is_changed = true;
}

static void remove_device(struct device_service *service, size_t at)
{
	log_warning("device %s has gone", service->told[at].name);
	service->n--;
	service->told[at] = service->told[service->n];
	service->is_told_again[at] = service->is_told_again[service->n];
	service->is_changed = true;
}

static void take_gone(struct device_service *service, const char *name)
{
	struct device *device = device_find(service->told, service->n, name);

	if (device)
		remove_device(service, (size_t)(device - service->told));
}

static void take_samples(struct device_service *service, const json_t *line)
{
	const json_t *value;
	size_t i;

	service->n_readings = 0;
	json_array_foreach(json_object_get(line, "devices"), i, value)
	{
		struct reading *reading = &service->readings[service->n_readings];
		if (service->n_readings == DEVICES_MAX)
			break;
		*reading = (struct reading){
		        .at_ms = clock_monotonic_ms(),
		        .sample = {
		                .utilization_pct = (int)json_get_int(value, "utilization", -1),
		                .memory_used_bytes = json_get_int(value, "memory_used", 0),
		                .memory_total_bytes = json_get_int(value, "memory_total", 0),
		        }};
		(void)snprintf(reading->sample.uuid, sizeof(reading->sample.uuid), "%s",
		               json_get_text(value, "uuid", ""));
		service->n_readings++;
	}
	if (service->has_begun)
		return;
	service->has_begun = true;
	service->is_changed = true;
	for (size_t k = service->n; k-- > 0;) {
		if (!service->is_told_again[k])
			remove_device(service, k);
	}
}

static void on_line(void *arg, const json_t *line)
{
	struct device_service *service = arg;
	const char *type = json_get_text(line, "type", "");

	service->heard_ms = clock_monotonic_ms();
	if (service->is_silent) {
		log_info("the device drivers answer again");
		service->is_silent = false;
		service->is_changed = true;
	}
	if (!strcmp(type, "device"))
		take_device(service, line);
	else if (!strcmp(type, "gone"))
		take_gone(service, json_get_text(line, "name", ""));
	else if (!strcmp(type, "samples"))
		take_samples(service, line);
}

static void on_read(void *arg)
{
	struct device_service *service = arg;

	if (service->is_changed)
		publish(service);
}

/* Ever more slowly, but for one that had run well. */
static void plan_start(struct device_service *service)
{
	int64_t now_ms = clock_monotonic_ms();

	if (now_ms - service->started_ms > CALM_MS && !service->is_silent)
		service->back_off_ms = BACK_OFF_MS;
	service->next_start_ms = now_ms + service->back_off_ms;
	service->back_off_ms *= 2;
	if (service->back_off_ms > BACK_OFF_MAX_MS)
		service->back_off_ms = BACK_OFF_MAX_MS;
}

static void on_end(void *arg)
{
	struct device_service *service = arg;

	log_warning("hearth-devices, which watches devices, has ended; it is started again");
	plan_start(service);
}

static void start_child(struct device_service *service)
{
	struct error err = ERROR_INIT;

	service->started_ms = clock_monotonic_ms();
	service->has_begun = false;
	memset(service->is_told_again, 0, DEVICES_MAX * sizeof(*service->is_told_again));
	if (device_child_watch(&service->child, &err) < 0) {
		log_warning("%s", err.text);
		plan_start(service);
	}
}

/* Of what says that a machine without devices has got some. */
static int64_t machine_stamp(const struct configuration *c)
{
	struct stat st;
	int64_t stamp = stat("/dev/nvidiactl", &st) == 0;

	for (char **dir = c->cdi_dirs; dir && *dir; dir++) {
		if (stat(*dir, &st) == 0)
			stamp += st.st_mtim.tv_sec * 31 + st.st_mtim.tv_nsec;
	}
	return stamp;
}

static bool is_idle(const struct device_service *service)
{
	const char *nvml = service->configuration->nvml;

	return service->n == 0 && service->child.pid == 0 &&
	       (!nvml || !strcmp(nvml, "auto") || !strcmp(nvml, "off")) &&
	       service->stamp == machine_stamp(service->configuration);
}

static void check_silence(struct device_service *service, int64_t now_ms)
{
	int64_t limit_ms = service->configuration->probe_timeout_s * 1000;
	int64_t since_ms =
	        service->heard_ms > service->started_ms ? service->heard_ms : service->started_ms;

	if (service->child.pid && now_ms - since_ms > limit_ms) {
		log_warning("the device drivers have not answered for %lld s",
		            (long long)limit_ms / 1000);
		device_child_kill(&service->child);
		service->is_silent = true;
		plan_start(service);
	}
	/* It may also be that it never comes to say anything. */
	if (!service->is_silent && now_ms - service->heard_ms > limit_ms) {
		service->is_silent = true;
		service->is_changed = true;
	}
	service->is_changed |= service->is_silent && service->n_shown && service->n_readings;
	if (service->is_silent)
		service->n_readings = 0;
}

static void tick(void *arg)
{
	struct device_service *service = arg;
	int64_t now_ms = clock_monotonic_ms();

	if (is_idle(service)) {
		loop_timer_start(service->timer, LOOK_MS, 0);
		return;
	}
	if (service->child.pid == 0 && now_ms >= service->next_start_ms)
		start_child(service);
	check_silence(service, now_ms);
	if (service->is_changed)
		publish(service);
	loop_timer_start(service->timer, TICK_MS, 0);
}

/* Without their driver's words, those that CDI knows are there at least. */
static void list_first(struct device_service *service)
{
	int64_t timeout_ms = service->configuration->probe_timeout_s * 1000;
	struct error err = ERROR_INIT;

	if (device_child_list(&service->child, true, timeout_ms, service->told, &service->n,
	                      &err) == 0)
		return;
	log_warning("devices: %s; going on without", err.text);
	service->is_silent = true;
	if (device_child_list(&service->child, false, timeout_ms, service->told, &service->n,
	                      &err) < 0)
		log_warning("devices: %s", err.text);
	device_record_apply(service->record, service->told, &service->n);
}

/* Cards that were here last week keep their flavors, so that a job that waits for one goes on
 * waiting. */
static void offer_flavors(struct device_service *service)
{
	autofree struct device *known = xcalloc(DEVICES_MAX, sizeof(*known));
	size_t n = service->n;

	memcpy(known, service->told, n * sizeof(*known));
	device_record_apply(service->record, known, &n);
	for (size_t i = 0; i < service->n; i++) /* what its driver has just forgotten */
		service->told[i] = known[i];
	flavor_catalogue_add(service->configuration, known, n);
}

static void warn_unserved(const struct configuration *c)
{
	for (size_t i = 0; i < c->n_flavors; i++) {
		const struct flavor *flavor = &c->flavors[i];
		if (flavor->is_unserved)
			log_warning(
			        "[flavor %s] is not offered: this machine has not %lld of %s%s%s",
			        flavor->name, (long long)flavor->device_count, flavor->device_kind,
			        flavor->device_model ? ", model " : "",
			        flavor->device_model ? flavor->device_model : "");
	}
}

struct device_service *device_service_new(struct loop *loop, struct configuration *configuration,
                                          const char *program, int db_fd)
{
	struct device_service *service = xcalloc(1, sizeof(*service));

	service->loop = loop;
	service->configuration = configuration;
	service->db_fd = db_fd;
	service->back_off_ms = BACK_OFF_MS;
	service->told = xcalloc(DEVICES_MAX, sizeof(*service->told));
	service->shown = xcalloc(DEVICES_MAX, sizeof(*service->shown));
	service->readings = xcalloc(DEVICES_MAX, sizeof(*service->readings));
	service->is_told_again = xcalloc(DEVICES_MAX, sizeof(*service->is_told_again));
	service->record = device_record_load(db_fd, clock_now_ms());
	service->child = (struct device_child){
	        .loop = loop,
	        .configuration = configuration,
	        .program = program,
	        .on_line = on_line,
	        .on_read = on_read,
	        .on_end = on_end,
	        .arg = service,
	        .input = BUFFER_INIT(LINES_MAX),
	};
	service->stamp = machine_stamp(configuration);
	if (program)
		list_first(service);
	offer_flavors(service);
	for (size_t i = 0; i < service->n; i++)
		log_device(NULL, &service->told[i]);
	show(service);
	warn_unserved(configuration);
	return service;
}

void device_service_start(struct device_service *service, struct job_service *jobs,
                          struct webhook_service *webhooks)
{
	service->jobs = jobs;
	service->heard_ms = clock_monotonic_ms();
	service->watchdog =
	        device_watchdog_new(service->loop, service->configuration, jobs, webhooks);
	job_service_set_devices(jobs, service);
	service->timer = loop_timer_new(service->loop, tick, service);
	if (service->child.program)
		loop_timer_start(service->timer, 0, 0);
}

void device_service_free(struct device_service *service)
{
	if (!service)
		return;
	device_watchdog_free(service->watchdog);
	loop_timer_free(service->timer);
	device_child_kill(&service->child);
	buffer_clear(&service->child.input);
	json_decref(service->record);
	free(service->told);
	free(service->shown);
	free(service->readings);
	free(service->is_told_again);
	free(service);
}

const struct device *device_service_get(const struct device_service *service, size_t *ret_count)
{
	*ret_count = service ? service->n_shown : 0;
	return service ? service->shown : NULL;
}

bool device_service_sample(const struct device_service *service, const char *uuid,
                           struct device_sample *ret)
{
	for (size_t i = 0; service && i < service->n_readings; i++) {
		const struct reading *reading = &service->readings[i];
		if (strcmp(reading->sample.uuid, uuid) != 0 ||
		    clock_monotonic_ms() - reading->at_ms > FRESH_MS)
			continue;
		*ret = reading->sample;
		return true;
	}
	return false;
}

void device_service_each_holder(const struct device_service *service,
                                void (*fn)(void *arg, const char *job_id, const char *namespace_id,
                                           const char *devices),
                                void *arg)
{
	const struct id_table *active = service && service->jobs ? &service->jobs->active : NULL;

	for (size_t i = 0; active && service->n_shown > 0 && i < active->n_buckets; i++) {
		for (const struct id_entry *e = active->buckets[i]; e; e = e->next) {
			const struct active_job *job = (const struct active_job *)(const void *)e;
			if (job->is_live && job->place.devices)
				fn(arg, e->id, job->place.namespace_id, job->place.devices);
		}
	}
}

const char *device_service_of_job(const struct device_service *service, const char *job_id)
{
	const struct active_job *job =
	        service && service->jobs ? active_find(service->jobs, job_id) : NULL;

	return job && job->is_live ? job->place.devices : NULL;
}
