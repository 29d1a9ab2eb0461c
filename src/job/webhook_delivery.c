/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes: each webhook with something waiting is worked off in order, one delivery at a time, many
 * webhooks side by side. What fails is tried again later and longer (until webhooks.retry), with
 * all that waits behind it. Nothing is sent before its row is on disk. Deliveries that succeeded
 * are written a moment later, many at once: after a crash they are sent again, with the same ids.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX 128
#define IN_FLIGHT_OWNER_MAX 32
#define DONE_MAX 1024
#define FLUSH_MS 50

static const int64_t retry_steps_ms[] = {1000,       5000,        30 * 1000,  120 * 1000,
                                         600 * 1000, 1800 * 1000, 3600 * 1000};
#define RETRY_STEPS (sizeof(retry_steps_ms) / sizeof(retry_steps_ms[0]))

static void lane_remove(struct webhook_lane *lane)
{
	loop_timer_free(lane->timer);
	id_table_remove(&lane->service->lanes, &lane->entry);
	free(lane);
}

static void delivery_pump(void *arg);

static void delivery_pump_later(struct webhook_service *service)
{
	if (service->is_pump_awaited || !service->jobs)
		return;
	service->is_pump_awaited = true;
	database_after_commit(service->db, delivery_pump, service);
}

static void lane_queue(struct webhook_lane *lane)
{
	struct webhook_service *service = lane->service;

	lane->is_resting = false;
	if (lane->is_ready || lane->is_sending)
		return;
	lane->is_ready = true;
	lane->next_ready = NULL;
	*(service->first_ready ? service->end_ready : &service->first_ready) = lane;
	service->end_ready = &lane->next_ready;
}

static void lane_ready(struct webhook_lane *lane)
{
	lane_queue(lane);
	delivery_pump_later(lane->service);
}

static void lane_wake(void *arg)
{
	lane_ready(arg);
}

static void lane_rest(struct webhook_lane *lane, int64_t until_ms)
{
	int64_t wait_ms = until_ms - clock_now_ms();

	if (!lane->timer)
		lane->timer = loop_timer_new(lane->service->loop, lane_wake, lane);
	lane->is_resting = true;
	loop_timer_start(lane->timer, wait_ms > 0 ? wait_ms : 1, 0);
}

void webhook_delivery_kick(struct webhook_service *service, const char *webhook_id)
{
	struct webhook_lane *lane = id_table_find(&service->lanes, webhook_id);

	if (!lane) {
		lane = xcalloc(1, sizeof(*lane));
		lane->service = service;
		snprintf(lane->entry.id, sizeof(lane->entry.id), "%s", webhook_id);
		id_table_add(&service->lanes, &lane->entry);
	}
	if (!lane->is_resting)
		lane_ready(lane);
}

void webhook_delivery_hurry(struct webhook_service *service, const char *webhook_id)
{
	struct webhook_lane *lane = id_table_find(&service->lanes, webhook_id);

	webhook_deliveries_hurry(service->db, webhook_id);
	if (lane && lane->is_resting) {
		loop_timer_stop(lane->timer);
		lane->is_resting = false;
	}
	webhook_delivery_kick(service, webhook_id);
}

static void delivery_on_flush(void *arg)
{
	webhook_delivery_flush(arg);
}

/* A lane is remembered until what it has delivered is written. */
void webhook_delivery_flush(struct webhook_service *service)
{
	size_t n = service->n_done;

	service->n_done = 0;
	for (size_t i = 0; i < n; i++) {
		struct webhook_delivery *done = &service->done[i];
		struct webhook_lane *lane = id_table_find(&service->lanes, done->webhook_id);

		webhook_deliveries_update(service->db, done);
		if (lane && lane->done_seq == done->seq) {
			webhook_deliveries_prune(service->db, done->webhook_id, WEBHOOK_LOG_KEEP);
			lane->done_seq = 0;
			if (!lane->is_ready && !lane->is_sending && !lane->is_resting)
				lane_remove(lane);
		}
		webhook_delivery_clear(done);
	}
}

static void delivery_note_done(struct webhook_service *service, struct webhook_delivery *take_done)
{
	if (!service->done)
		service->done = xcalloc(DONE_MAX, sizeof(*service->done));
	if (service->n_done == DONE_MAX)
		webhook_delivery_flush(service);
	if (service->n_done == 0)
		loop_timer_start(service->flush_timer, FLUSH_MS, 0);
	service->done[service->n_done++] = *take_done;
	*take_done = (struct webhook_delivery){0};
}

/* NULL: its owner has enough under way. */
static struct webhook_sender *sender_take(struct webhook_service *service, const char *owner_id)
{
	struct webhook_sender *sender = id_table_find(&service->senders, owner_id);

	if (!sender) {
		sender = xcalloc(1, sizeof(*sender));
		memcpy(sender->entry.id, owner_id, ID_SIZE);
		id_table_add(&service->senders, &sender->entry);
	}
	if (sender->in_flight >= IN_FLIGHT_OWNER_MAX)
		return NULL;
	sender->in_flight++;
	service->in_flight++;
	return sender;
}

static void sender_give_back(struct webhook_service *service, struct webhook_sender *sender)
{
	service->in_flight--;
	if (--sender->in_flight > 0)
		return;
	id_table_remove(&service->senders, &sender->entry);
	free(sender);
}

static void webhook_suspend(struct webhook_service *service, const struct webhook *webhook,
                            const char *why)
{
	log_warning("webhook %s of %s is suspended: %s", webhook->id, webhook->owner_name, why);
	webhooks_set_state(service->db, webhook->id, WEBHOOK_SUSPENDED, clock_now_ms());
}

static void delivery_write_failure(struct webhook_service *service, const struct webhook *webhook,
                                   struct webhook_delivery *delivery)
{
	delivery->state = DELIVERY_FAILED;
	delivery->finished_ms = clock_now_ms();
	webhook_deliveries_update(service->db, delivery);
	webhook_deliveries_prune(service->db, webhook->id, WEBHOOK_LOG_KEEP);
}

static void delivery_give_up(struct webhook_service *service, const struct webhook *webhook,
                             struct webhook_delivery *delivery, bool is_refused)
{
	delivery_write_failure(service, webhook, delivery);
	if (!is_refused)
		webhook_suspend(service, webhook,
		                "deliveries failed for as long as they are tried");
	else if (webhook->failures + 1 >= WEBHOOK_FAILURES_MAX)
		webhook_suspend(service, webhook, "too many deliveries in a row were refused");
	else
		webhooks_set_failures(service->db, webhook->id, webhook->failures + 1);
}

/* It failed now: again later, or never. Returns true when the lane may go on with the next one. */
static bool delivery_failed(struct webhook_service *service, struct webhook_lane *lane,
                            const struct webhook *webhook, struct webhook_delivery *delivery,
                            bool is_final)
{
	int64_t now_ms = clock_now_ms();
	int64_t end_ms = delivery->created_ms + service->configuration->webhook_retry_s * 1000;
	size_t step = (size_t)(delivery->attempts > 0 ? delivery->attempts - 1 : 0);

	if (is_final || now_ms >= end_ms) {
		delivery_give_up(service, webhook, delivery, is_final);
		return true;
	}
	delivery->next_ms = now_ms + retry_steps_ms[step < RETRY_STEPS ? step : RETRY_STEPS - 1];
	if (delivery->next_ms > end_ms)
		delivery->next_ms = end_ms;
	webhook_deliveries_update(service->db, delivery);
	lane_rest(lane, delivery->next_ms);
	return false;
}

static void delivery_succeeded(struct webhook_service *service, struct webhook_lane *lane,
                               const struct webhook *webhook, struct webhook_delivery *delivery)
{
	delivery->state = DELIVERY_DONE;
	delivery->finished_ms = clock_now_ms();
	lane->done_seq = delivery->seq;
	if (webhook->failures)
		webhooks_set_failures(service->db, webhook->id, 0);
	delivery_note_done(service, delivery);
}

static void delivery_answered(void *arg, struct webhook_delivery *delivery, bool is_final)
{
	struct webhook_lane *lane = arg;
	struct webhook_service *service = lane->service;
	autowebhook struct webhook webhook = {0};

	sender_give_back(service, take_ptr(&lane->sender));
	lane->is_sending = false;
	delivery_pump_later(service); /* others may have waited for the place */
	if (!webhooks_find(service->db, lane->entry.id, &webhook))
		; /* deleted meanwhile, its rows are gone */
	else if (delivery->status >= 200 && delivery->status <= 299)
		delivery_succeeded(service, lane, &webhook, delivery);
	else if (!delivery_failed(service, lane, &webhook, delivery, is_final))
		return;
	lane_ready(lane);
}

/* The job's row and the delivery's are of one transaction: it is started exactly once. */
static void delivery_start_job(struct webhook_lane *lane, const struct webhook *webhook,
                               struct webhook_delivery *delivery)
{
	struct webhook_service *service = lane->service;
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	delivery->attempts++;
	free(take_ptr(&delivery->error));
	if (webhook_job_start(service, webhook, delivery, id, &err) < 0) {
		bool is_final = err.code != E_BUSY && err.code != E_UNAVAILABLE;

		delivery->error = xstrdup(err.text);
		if (err.code == E_PAYMENT) /* says nothing about the webhook */
			delivery_write_failure(service, webhook, delivery);
		else if (!delivery_failed(service, lane, webhook, delivery, is_final))
			return;
	} else {
		memcpy(delivery->job_id, id, ID_SIZE);
		delivery->state = DELIVERY_DONE;
		delivery->status = 200;
		delivery->finished_ms = clock_now_ms();
		webhook_deliveries_update(service->db, delivery);
		webhook_deliveries_prune(service->db, webhook->id, WEBHOOK_LOG_KEEP);
		if (webhook->failures)
			webhooks_set_failures(service->db, webhook->id, 0);
	}
	lane_ready(lane);
}

static void lane_send(struct webhook_lane *lane, const struct webhook *webhook,
                      struct webhook_delivery *take_delivery)
{
	lane->sender = sender_take(lane->service, webhook->owner_id);
	if (!lane->sender) {
		lane_queue(lane); /* until one of them has ended */
		return;
	}
	lane->is_sending = true;
	webhook_request_send(lane->service, webhook, take_delivery, delivery_answered, lane);
}

static void lane_step(struct webhook_lane *lane)
{
	struct webhook_service *service = lane->service;
	autowebhook struct webhook webhook = {0};
	autodelivery struct webhook_delivery delivery = {0};

	if (!webhooks_find(service->db, lane->entry.id, &webhook) || webhook.state != WEBHOOK_ON ||
	    !webhook_deliveries_next(service->db, lane->entry.id, lane->done_seq, &delivery)) {
		if (lane->done_seq == 0)
			lane_remove(lane);
	} else if (delivery.next_ms > clock_now_ms()) {
		lane_rest(lane, delivery.next_ms);
	} else if (webhook.url) {
		lane_send(lane, &webhook, &delivery);
	} else {
		delivery_start_job(lane, &webhook, &delivery);
	}
}

static void delivery_pump(void *arg)
{
	struct webhook_service *service = arg;
	struct webhook_lane *lane = service->first_ready, *last = NULL;

	service->is_pump_awaited = false;
	/* Those that get ready from in here have their turn in the next one. */
	for (struct webhook_lane *l = lane; l; l = l->next_ready)
		last = l;
	while (lane && service->in_flight < IN_FLIGHT_MAX) {
		bool is_last = lane == last;

		service->first_ready = lane->next_ready;
		lane->is_ready = false;
		lane_step(lane);
		if (is_last)
			break;
		lane = service->first_ready;
	}
}

static void delivery_resume(void *arg, const char *webhook_id)
{
	webhook_delivery_kick(arg, webhook_id);
}

void webhook_delivery_start(struct webhook_service *service)
{
	service->flush_timer = loop_timer_new(service->loop, delivery_on_flush, service);
	webhook_deliveries_end_replays(service->db, clock_now_ms());
	webhook_deliveries_each_busy(service->db, delivery_resume, service);
	delivery_pump_later(service);
}

static void lane_free(struct id_entry *entry)
{
	struct webhook_lane *lane = (struct webhook_lane *)entry;

	loop_timer_free(lane->timer);
	free(lane);
}

static void sender_free(struct id_entry *entry)
{
	free(entry);
}

void webhook_delivery_stop(struct webhook_service *service)
{
	webhook_request_stop(service);
	loop_timer_free(service->flush_timer);
	for (size_t i = 0; i < service->n_done; i++)
		webhook_delivery_clear(&service->done[i]);
	free(service->done);
	id_table_clear(&service->lanes, lane_free);
	id_table_clear(&service->senders, sender_free);
}
