/* SPDX-License-Identifier: Apache-2.0 */
/* See the header. */
#include "job/device_watchdog.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/quantity.h"
#include "base/spawner_link.h"
#include "container/metrics_file.h"
#include "job/active.h"
#include "job/wishes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 60000
#define LOOK_MIN_MS 1000
#define CPU_IDLE_PCT 5
#define NETWORK_IDLE_BITS_PER_S 80000
#define EVENT_KIND "warning"
#define EVENT_ABOUT "idle"

struct idle_job {
	struct id_entry entry;
	int number;          /* of its attempt */
	bool is_found_again; /* in this look */
};

struct device_watchdog {
	struct loop_timer *timer;
	const struct configuration *configuration;
	struct job_service *jobs;
	struct webhook_service *webhooks;
	struct id_table idle; /* those with a warning */
};

static void free_idle(struct id_entry *entry)
{
	free(entry);
}

enum reading { BUSY, IDLE, UNKNOWN };

static enum reading judge(const struct metrics_header *header, const struct metrics_sample *sample)
{
	bool is_known = header->n_devices > 0;

	if (sample->cpu_used_millis * 100 >= header->cpu_millis * CPU_IDLE_PCT ||
	    sample->rx_bits_per_s + sample->tx_bits_per_s >= NETWORK_IDLE_BITS_PER_S)
		return BUSY;
	for (uint32_t i = 0; i < header->n_devices && i < METRICS_DEVICES_MAX; i++) {
		if (sample->devices[i].utilization_pct > 0)
			return BUSY;
		is_known &= sample->devices[i].utilization_pct == 0;
	}
	return is_known ? IDLE : UNKNOWN;
}

/* The finest ring that reaches back so far. */
static int choose_ring(int64_t window_s)
{
	int ring = 0;

	while (ring < METRICS_RINGS - 1 &&
	       (int64_t)metrics_rings[ring].step_s * metrics_rings[ring].size < window_s)
		ring++;
	return ring;
}

/* For how long it has been idle, 0 if it is not. A few seconds without a reading do not end it, but
 * at least half of the time must be measured. */
static int64_t measure(int dir_fd, int64_t window_s, int64_t now_ms)
{
	int ring = choose_ring(window_s);
	int size = (int)metrics_rings[ring].size;
	autofree struct metrics_sample *samples = NULL;
	struct metrics_header header;
	int n, i, n_idle = 0;

	samples = xcalloc((size_t)size + 1, sizeof(*samples));
	n = metrics_file_read_ring(dir_fd, ring, &header, samples, size);
	for (i = n - 1; i >= 0; i--) {
		enum reading reading = judge(&header, &samples[i]);
		if (reading == BUSY)
			break;
		n_idle += reading == IDLE;
	}
	if (n <= 0 || n_idle * 2 < n - 1 - i || n_idle == 0)
		return 0;
	/* Since the end of the interval in which it did something, or since the first one began. */
	int64_t since_ms = i >= 0 ? samples[i].at_ms
	                          : samples[0].at_ms - (int64_t)metrics_rings[ring].step_s * 1000;
	return now_ms > since_ms ? now_ms - since_ms : 0;
}

static int64_t idle_ms(struct device_watchdog *watchdog, const struct active_job *job)
{
	const struct configuration *c = watchdog->configuration;
	int64_t window_s = c->idle_warn_s > c->idle_stop_s ? c->idle_warn_s : c->idle_stop_s;
	struct metrics_header header;
	struct metrics_sample sample;
	char name[SPAWN_NAME_MAX];

	spawn_name_format(name, job->entry.id, job->number);
	autoclose int fd = openat(watchdog->jobs->attempts_fd, name,
	                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !metrics_file_read_last(fd, &header, &sample) ||
	    judge(&header, &sample) == BUSY)
		return 0;
	return measure(fd, window_s, clock_now_ms());
}

/* Was the owner told before we were started? */
static bool is_told(struct device_watchdog *watchdog, const char *id, int64_t since_ms)
{
	struct database *db = watchdog->jobs->db;
	int64_t after = events_seek_last(db, id, EVENT_KIND, 1);
	struct event event;
	bool is_it = false;

	while (!is_it && events_find_next(db, id, EVENT_KIND, after, &event)) {
		autofree char *data = event.data;
		is_it = event.at_ms >= since_ms && strstr(data, "\"" EVENT_ABOUT "\"");
		after = event.seq;
	}
	return is_it;
}

static void tell(struct device_watchdog *watchdog, const struct job_record *record, int64_t idle_s,
                 const char *text)
{
	autojson json_t *data = json_pack("{s:s, s:I, s:s}", "about", EVENT_ABOUT, "seconds",
	                                  (json_int_t)idle_s, "message", text);
	autofree char *written = json_to_text(data);

	(void)events_insert(watchdog->jobs->db, record->id, EVENT_KIND, written, clock_now_ms());
	webhook_service_notice(watchdog->webhooks, "idle", record->namespace_id, record, data);
}

static void explain(const struct device_watchdog *watchdog, int64_t idle_s, char *ret, size_t size)
{
	const struct configuration *c = watchdog->configuration;
	char now[QUANTITY_TEXT_SIZE], then[QUANTITY_TEXT_SIZE];
	int n = snprintf(ret, size, "Idle for %s: its accelerators, CPUs and network do nothing",
	                 quantity_format_duration(idle_s, now));

	if (c->idle_stop_s > 0 && n > 0 && (size_t)n < size)
		(void)snprintf(
		        ret + n, size - (size_t)n,
		        "; it is cancelled after %s unless it has the label hearth.idle=keep",
		        quantity_format_duration(c->idle_stop_s, then));
}

static void warn(struct device_watchdog *watchdog, struct active_job *job,
                 const struct job_record *record, int64_t idle_s)
{
	struct idle_job *idle = id_table_find(&watchdog->idle, record->id);
	char text[JOB_STATUS_MESSAGE_SIZE];

	explain(watchdog, idle_s, text, sizeof(text));
	if (!idle || idle->number != job->number) {
		if (idle) {
			id_table_remove(&watchdog->idle, &idle->entry);
			free(idle);
		}
		idle = xcalloc(1, sizeof(*idle));
		memcpy(idle->entry.id, record->id, ID_SIZE);
		idle->number = job->number;
		id_table_add(&watchdog->idle, &idle->entry);
		if (!is_told(watchdog, record->id, clock_now_ms() - idle_s * 1000))
			tell(watchdog, record, idle_s, text);
	}
	idle->is_found_again = true;
	active_set_progress(job, text);
	service_touch(watchdog->jobs, record->id);
}

static void stop(struct device_watchdog *watchdog, const struct job_record *record, int64_t idle_s)
{
	char text[JOB_STATUS_MESSAGE_SIZE], length[QUANTITY_TEXT_SIZE];

	(void)snprintf(text, sizeof(text),
	               "Cancelled because its accelerators, CPUs and network did nothing for %s; "
	               "the label hearth.idle=keep prevents that",
	               quantity_format_duration(idle_s, length));
	job_cancel(watchdog->jobs, record->id, "IDLE", text);
}

static void look_at(struct device_watchdog *watchdog, struct active_job *job)
{
	const struct configuration *c = watchdog->configuration;
	struct job_record record autojob = {0};
	struct error ignored = ERROR_INIT;
	struct job_wishes wishes;
	int64_t idle_s = idle_ms(watchdog, job) / 1000;
	bool is_late = c->idle_stop_s > 0 && idle_s >= c->idle_stop_s;

	if (!is_late && (c->idle_warn_s <= 0 || idle_s < c->idle_warn_s))
		return;
	if (!jobs_find(watchdog->jobs->db, job->entry.id, &record) ||
	    (job_wishes_parse(c, record.labels, &wishes, &ignored) == 0 && wishes.may_idle))
		return;
	if (is_late)
		stop(watchdog, &record, idle_s);
	else
		warn(watchdog, job, &record, idle_s);
}

/* Those that work again, or are over: what was said about them is no longer true. */
static void forget_busy(struct device_watchdog *watchdog)
{
	struct id_list gone = {0};

	for (size_t i = 0; i < watchdog->idle.n_buckets; i++) {
		for (struct id_entry *e = watchdog->idle.buckets[i]; e; e = e->next) {
			struct idle_job *idle = (struct idle_job *)e;
			if (!idle->is_found_again)
				id_list_add(&gone, e->id);
			idle->is_found_again = false;
		}
	}
	for (size_t i = 0; i < gone.count; i++) {
		struct active_job *job = active_find(watchdog->jobs, gone.ids[i]);
		struct idle_job *idle = id_table_find(&watchdog->idle, gone.ids[i]);
		if (job && job->number == idle->number && job->attempt_started_ms) {
			active_set_progress(job, NULL);
			service_touch(watchdog->jobs, gone.ids[i]);
		}
		id_table_remove(&watchdog->idle, &idle->entry);
		free(idle);
	}
	id_list_clear(&gone);
}

static bool is_watched(const struct active_job *job)
{
	return job->is_live && job->attempt_started_ms && !job->is_canceled && job->place.devices &&
	       *job->place.devices;
}

static void look(void *arg)
{
	struct device_watchdog *watchdog = arg;
	struct id_table *active = &watchdog->jobs->active;
	struct id_list ids = {0};

	for (size_t i = 0; i < active->n_buckets; i++) {
		for (struct id_entry *e = active->buckets[i]; e; e = e->next) {
			if (is_watched((const struct active_job *)(const void *)e))
				id_list_add(&ids, e->id);
		}
	}
	for (size_t i = 0; i < ids.count; i++) {
		struct active_job *job = active_find(watchdog->jobs, ids.ids[i]);
		if (job && is_watched(job))
			look_at(watchdog, job);
	}
	id_list_clear(&ids);
	forget_busy(watchdog);
}

/* Often enough for settings of seconds, which only tests have. */
static int64_t look_interval(const struct configuration *c)
{
	int64_t shortest_s = c->idle_warn_s;

	if (c->idle_stop_s > 0 && (shortest_s <= 0 || c->idle_stop_s < shortest_s))
		shortest_s = c->idle_stop_s;
	if (shortest_s * 250 >= LOOK_MS)
		return LOOK_MS;
	return shortest_s * 250 > LOOK_MIN_MS ? shortest_s * 250 : LOOK_MIN_MS;
}

struct device_watchdog *device_watchdog_new(struct loop *loop,
                                            const struct configuration *configuration,
                                            struct job_service *jobs,
                                            struct webhook_service *webhooks)
{
	struct device_watchdog *watchdog = xcalloc(1, sizeof(*watchdog));
	int64_t interval_ms = look_interval(configuration);

	watchdog->configuration = configuration;
	watchdog->jobs = jobs;
	watchdog->webhooks = webhooks;
	watchdog->timer = loop_timer_new(loop, look, watchdog);
	if (configuration->idle_warn_s > 0 || configuration->idle_stop_s > 0)
		loop_timer_start(watchdog->timer, interval_ms, interval_ms);
	return watchdog;
}

void device_watchdog_free(struct device_watchdog *watchdog)
{
	if (!watchdog)
		return;
	loop_timer_free(watchdog->timer);
	id_table_clear(&watchdog->idle, free_idle);
	free(watchdog);
}
