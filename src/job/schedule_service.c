/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schedules service: its memory, and the clock. A timer on the real clock waits for the first
 * tick of the heap; the kernel also wakes us when somebody sets the clock. Work is cut into slices,
 * so that ten thousand ticks of one minute do not keep a request waiting.
 */
#include "job/schedule_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SLICE_US 15000 /* a commit follows, for which API calls wait, too */
#define PATIENCE_MS 60000
#define IDLE_MS ((int64_t)24 * 3600 * 1000)

struct schedule_service *schedule_service_new(const struct schedule_service_options *options)
{
	struct schedule_service *service = xcalloc(1, sizeof(*service));

	service->loop = options->loop;
	service->db = options->db;
	service->configuration = options->configuration;
	service->key = options->key;
	service->jobs = options->jobs;
	service->webhooks = options->webhooks;
	service->clock_ms = options->clock_ms;
	service->clock_arg = options->clock_arg;
	service->timer_fd = -1;
	return service;
}

int64_t schedule_service_now_ms(const struct schedule_service *service)
{
	return service->clock_ms ? service->clock_ms(service->clock_arg) : clock_now_ms();
}

void schedule_plan(struct schedule *schedule)
{
	int64_t next_s = schedule->is_suspended
	                         ? CRON_NEVER
	                         : cron_next(&schedule->cron, schedule->considered_ms / 1000);

	schedule->next_ms = next_s == CRON_NEVER ? SCHEDULE_NEVER : next_s * 1000;
	heap_update(schedule->service, schedule);
}

struct schedule *schedule_add(struct schedule_service *service, const struct schedule_brief *brief,
                              struct error *err)
{
	struct schedule *schedule;
	struct cron cron;

	if (cron_parse(brief->expression, &cron, err) < 0)
		return NULL;
	schedule = xcalloc(1, sizeof(*schedule));
	memcpy(schedule->entry.id, brief->id, ID_SIZE);
	schedule->service = service;
	schedule->seq = brief->seq;
	schedule->cron = cron;
	schedule->policy = schedule_policy_make(service->configuration, brief->catch_up,
	                                        brief->overlap, brief->concurrency);
	schedule->considered_ms = brief->considered_ms;
	schedule->failures = brief->failures;
	schedule->is_suspended = brief->is_suspended;
	schedule->place = NOT_IN_HEAP;
	id_table_add(&service->table, &schedule->entry);
	schedule_plan(schedule);
	return schedule;
}

static void schedule_free(struct id_entry *entry)
{
	struct schedule *schedule = (struct schedule *)entry;

	job_unwatch(schedule->watch);
	id_list_clear(&schedule->live);
	free(schedule);
}

void schedule_forget(struct schedule *schedule)
{
	schedule->next_ms = SCHEDULE_NEVER;
	heap_update(schedule->service, schedule);
	id_table_remove(&schedule->service->table, &schedule->entry);
	schedule_free(&schedule->entry);
}

void schedule_service_free(struct schedule_service *service)
{
	if (!service)
		return;
	loop_watch_free(service->timer_watch);
	if (service->timer_fd >= 0)
		(void)close(service->timer_fd);
	loop_timer_free(service->more);
	loop_timer_free(service->patience);
	id_table_clear(&service->table, schedule_free);
	id_list_clear(&service->ready);
	heap_clear(service);
	free(service);
}

void schedule_service_arm(struct schedule_service *service)
{
	const struct schedule *first = heap_first(service);
	int64_t at_ms = first ? first->next_ms : service->last_ms + IDLE_MS;
	struct itimerspec spec = {
	        .it_value = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000},
	};

	if (service->timer_fd < 0 || at_ms == service->armed_ms)
		return;
	service->armed_ms = at_ms;
	if (timerfd_settime(service->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec,
	                    NULL) < 0)
		BUG("timerfd_settime failed: %s", strerror(errno));
}

void schedule_service_soon(struct schedule_service *service)
{
	/* Not 0: libuv would run it again before it looks at any socket. */
	if (service->more)
		loop_timer_start(service->more, 1, 0);
}

static void service_take_back(struct schedule_service *service, int64_t now_ms)
{
	struct id_entry *entry;

	for (size_t i = 0; i < service->table.n_buckets; i++)
		for (entry = service->table.buckets[i]; entry; entry = entry->next)
			schedule_take_back((struct schedule *)entry, now_ms);
}

/* The clock shows an earlier time than before. */
static void service_step_back(struct schedule_service *service, int64_t now_ms)
{
	log_warning("the clock was set back by %lld ms: ticks with a job keep it, other decisions "
	            "about later times are taken back",
	            (long long)(service->last_ms - now_ms));
	service_take_back(service, now_ms);
}

static bool service_run_ready(struct schedule_service *service, int64_t now_ms, int64_t until_us)
{
	struct id_list ready = service->ready;
	size_t i;

	service->ready = (struct id_list){0};
	for (i = 0; i < ready.count; i++) {
		struct schedule *schedule = id_table_find(&service->table, ready.ids[i]);

		if (clock_monotonic_us() > until_us) {
			id_list_add(&service->ready, ready.ids[i]);
		} else if (schedule) {
			schedule->is_ready = false;
			schedule_run_waiting(schedule, now_ms);
		}
	}
	id_list_clear(&ready);
	return service->ready.count > 0;
}

bool schedule_service_wake(struct schedule_service *service)
{
	int64_t now_ms = schedule_service_now_ms(service);
	int64_t until_us = clock_monotonic_us() + SLICE_US;
	struct schedule *first;
	bool has_more;

	if (now_ms < service->last_ms)
		service_step_back(service, now_ms);
	service->last_ms = now_ms;
	has_more = service_run_ready(service, now_ms, until_us);
	while ((first = heap_first(service)) && first->next_ms <= now_ms) {
		if (clock_monotonic_us() > until_us) {
			has_more = true;
			break;
		}
		schedule_tick(first, now_ms);
	}
	if (has_more)
		schedule_service_soon(service);
	else
		schedule_service_arm(service);
	return has_more;
}

static void service_on_more(void *arg)
{
	(void)schedule_service_wake(arg);
}

static void service_on_timer(void *arg, int events)
{
	struct schedule_service *service = arg;
	uint64_t expirations;

	/* ECANCELED: the clock was set. Either way: look at it, and arm again. */
	if (read(service->timer_fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
		return;
	service->armed_ms = 0;
	(void)schedule_service_wake(service);
}

struct broken {
	struct schedule_service *service;
	struct id_list ids;
};

static void service_load_one(void *arg, const struct schedule_brief *brief)
{
	struct broken *broken = arg;
	struct error err = ERROR_INIT;

	if (!schedule_add(broken->service, brief, &err))
		id_list_add(&broken->ids, brief->id);
}

/* Its zone may have left the zone database since. */
static void service_suspend_broken(struct schedule_service *service, const struct id_list *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		autoschedule struct schedule_record record = {0};
		struct error err = ERROR_INIT;
		struct cron cron;

		if (!schedules_find(service->db, ids->ids[i], &record) ||
		    cron_parse(record.expression, &cron, &err) == 0)
			continue;
		log_warning("schedule %s is suspended: %s", record.id, err.text);
		schedules_set_suspended(service->db, record.seq, true, err.text,
		                        record.considered_ms, service->last_ms);
	}
}

static void service_load_live(void *arg, const char *schedule_id, const char *job_id)
{
	struct schedule_service *service = arg;
	struct schedule *schedule =
	        schedule_id ? id_table_find(&service->table, schedule_id) : NULL;

	if (schedule && !job_is_settled(service->jobs, job_id))
		id_list_add(&schedule->live, job_id);
}

static void service_load_waiting(void *arg, const char *schedule_id)
{
	struct schedule_service *service = arg;
	struct schedule *schedule = id_table_find(&service->table, schedule_id);

	if (!schedule)
		return;
	schedule->has_waiting = true;
	schedule_wait(schedule);
}

/* Schedules whose ledger goes on behind now. */
static bool service_is_behind(const struct schedule_service *service)
{
	struct id_entry *entry;

	for (size_t i = 0; i < service->table.n_buckets; i++)
		for (entry = service->table.buckets[i]; entry; entry = entry->next)
			if (((struct schedule *)entry)->considered_ms > service->last_ms)
				return true;
	return false;
}

static void service_on_patience(void *arg)
{
	struct schedule_service *service = arg;

	service->last_ms = schedule_service_now_ms(service);
	if (!service_is_behind(service))
		return;
	log_warning("the clock shows a time before the last ticks of schedules: it must have been "
	            "ahead then; decisions about later times are taken back");
	service_take_back(service, service->last_ms);
	schedule_service_soon(service);
}

/* A machine without a battery starts in the past, until somebody sets its clock: nothing is taken
 * back before a minute has gone. */
static void service_mind_the_past(struct schedule_service *service)
{
	if (!service_is_behind(service))
		return;
	if (service->clock_ms) {
		service_take_back(service, service->last_ms);
		return;
	}
	service->patience = loop_timer_new(service->loop, service_on_patience, service);
	loop_timer_start(service->patience, PATIENCE_MS, 0);
}

void schedule_service_start(struct schedule_service *service)
{
	struct broken broken = {.service = service};

	service->last_ms = schedule_service_now_ms(service);
	schedules_each_brief(service->db, service_load_one, &broken);
	service_suspend_broken(service, &broken.ids);
	id_list_clear(&broken.ids);
	service_mind_the_past(service);
	schedules_each_live_job(service->db, service_load_live, service);
	ticks_each_waiting_schedule(service->db, service_load_waiting, service);
	if (service->clock_ms)
		return;
	service->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (service->timer_fd < 0)
		BUG("timerfd_create failed: %s", strerror(errno));
	service->timer_watch = loop_watch_new(service->loop, service->timer_fd, UV_READABLE,
	                                      service_on_timer, service);
	service->more = loop_timer_new(service->loop, service_on_more, service);
	schedule_service_soon(service);
}

void schedule_service_counts(const struct schedule_service *service, struct schedule_counts *ret)
{
	*ret = service->counts;
	ret->schedules = (int64_t)service->table.count;
	ret->active = (int64_t)service->heap_count;
}

size_t schedule_next_runs(const struct schedule_service *service,
                          const struct schedule_record *schedule, size_t n, int64_t ret_ms[])
{
	const struct schedule *known = id_table_find(&service->table, schedule->id);
	int64_t at_s = schedule_service_now_ms(service) / 1000;
	size_t i;

	if (!known)
		return 0;
	for (i = 0; i < n; i++) {
		at_s = cron_next(&known->cron, at_s);
		if (at_s == CRON_NEVER)
			break;
		ret_ms[i] = at_s * 1000;
	}
	return i;
}
