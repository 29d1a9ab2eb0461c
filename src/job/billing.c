/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts and ends of attempts become usage records, in the turn and so in the transaction of the
 * change that they belong to: whatever moment the process dies at, the record agrees with the
 * attempt's row. The price is that of the attempt's row, so that a restart with other prices
 * changes nothing for what was begun.
 */
#include "job/billing_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_LOOK_MS 1000 /* monitors speak first */

struct billing *billing_new(struct loop *loop, struct database *db,
                            const struct configuration *configuration)
{
	struct billing *billing = xcalloc(1, sizeof(*billing));

	billing->loop = loop;
	billing->db = db;
	billing->configuration = configuration;
	return billing;
}

static void running_free(struct id_entry *entry)
{
	free(entry);
}

void billing_free(struct billing *billing)
{
	if (!billing)
		return;
	id_table_clear(&billing->running, running_free);
	id_table_clear(&billing->purses, purse_free);
	free(billing);
}

static struct running_attempt *running_add(struct billing *billing,
                                           const struct usage_record *record)
{
	struct running_attempt *running = xcalloc(1, sizeof(*running));

	memcpy(running->entry.id, record->job_id, ID_SIZE);
	running->purse = purse_get(billing, record->namespace_id);
	running->number = record->attempt;
	running->price_hour = record->price_hour_micro_usd;
	running->started_ms = record->started_ms;
	running->base_us = record->started_us;
	running->taken = record->taken_micro_usd;
	running->next = running->purse->first;
	running->purse->first = running;
	id_table_add(&billing->running, &running->entry);
	return running;
}

static void running_remove(struct billing *billing, struct running_attempt *running)
{
	struct running_attempt **at = &running->purse->first;

	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
	id_table_remove(&billing->running, &running->entry);
	free(running);
}

static struct running_attempt *running_find(struct billing *billing, const char *job_id, int number)
{
	struct running_attempt *running = id_table_find(&billing->running, job_id);

	return running && running->number == number ? running : NULL;
}

/* Without a base the machine was restarted, and its monitor has not been found lost yet: the time
 * that the machine was off is nobody's. */
int64_t running_used_ms(const struct running_attempt *running)
{
	int64_t used_ms = clock_monotonic_us() - running->base_us;

	return running->base_us && used_ms > 0 ? used_ms / 1000 : 0;
}

/* What costs nothing brings no limit nearer; at a limit, looking means looking at all jobs. */
static void running_changed(const struct running_attempt *running)
{
	if (running->price_hour > 0)
		purse_soon(running->purse);
}

static void billing_pick_up(void *arg, const struct usage_record *record)
{
	struct running_attempt *running = running_add(arg, record);

	loop_timer_start(running->purse->timer, FIRST_LOOK_MS, 0);
}

void billing_start(struct billing *billing, struct job_service *jobs,
                   struct webhook_service *webhooks)
{
	billing->jobs = jobs;
	billing->webhooks = webhooks;
	attempts_note_boot(billing->db);
	usage_each_running(billing->db, billing_pick_up, billing);
}

void billing_attempt_running(struct billing *billing, const struct job_record *job, int number,
                             const struct flavor *flavor, int64_t started_ms, int64_t running_us)
{
	struct running_attempt *running;
	struct usage_record record = {
	        .attempt = number,
	        .started_ms = started_ms,
	        .started_us = clock_monotonic_us() - running_us,
	};

	if (!billing)
		return;
	running = running_find(billing, job->id, number);
	if (running) {
		running->base_us = record.started_us;
		running_changed(running);
		return;
	}
	memcpy(record.job_id, job->id, ID_SIZE);
	memcpy(record.namespace_id, job->namespace_id, ID_SIZE);
	memcpy(record.user_id, job->created_by_id, ID_SIZE);
	memcpy(record.group_id, job->group_id, ID_SIZE);
	snprintf(record.flavor, sizeof(record.flavor), "%s", job->flavor);
	record.price_hour_micro_usd =
	        attempts_price(billing->db, job->id, number, flavor->price_micro_usd_hour);
	usage_begin(billing->db, &record);
	running = running_add(billing, &record);
	running_changed(running);
}

void billing_attempt_ended(struct billing *billing, const struct job_record *job, int number,
                           int64_t running_us)
{
	struct running_attempt *running;
	struct usage_record record;
	int64_t now_ms = clock_now_ms();

	if (!billing)
		return;
	running = running_find(billing, job->id, number);
	/* Cancelled before; or cancelled now, and only its end will tell how long it ran. */
	if (!running || running_us < 0)
		return;
	if (usage_end(billing->db, job->id, number, running_us / 1000, job->labels, &record)) {
		record.taken_micro_usd = running->taken;
		purse_settle(running->purse, now_ms);
		record.taken_micro_usd = running->taken;
		purse_charge(running->purse, &record, now_ms);
	}
	running_changed(running);
	running_remove(billing, running);
}
