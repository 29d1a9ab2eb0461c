/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a webhook, and the same delivery again: now, once, whatever waits. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "job/webhook_private.h"

#include <stdlib.h>
#include <string.h>

struct replay {
	struct webhook_service *service;
	webhook_replay_fn *fn;
	void *arg;
	struct webhook_delivery delivery;
};

void webhook_log_each(struct webhook_service *service, const char *id, int limit,
                      void (*fn)(void *, const struct webhook_delivery *), void *arg)
{
	webhook_delivery_flush(service);
	webhook_deliveries_each(service->db, id, limit, fn, arg);
}

static void replay_finish(struct replay *replay, struct webhook_delivery *delivery)
{
	struct webhook_service *service = replay->service;
	bool is_fine = delivery->status >= 200 && delivery->status <= 299;

	delivery->state = is_fine ? DELIVERY_DONE : DELIVERY_FAILED;
	delivery->finished_ms = clock_now_ms();
	webhook_deliveries_update(service->db, delivery);
	webhook_deliveries_prune(service->db, delivery->webhook_id, WEBHOOK_LOG_KEEP);
	replay->fn(replay->arg, delivery);
}

static void replay_answered(void *arg, struct webhook_delivery *delivery, bool is_final)
{
	struct replay *replay = arg;

	replay_finish(replay, delivery);
	free(replay);
}

static void replay_job(void *arg)
{
	struct replay *replay = arg;
	struct webhook_service *service = replay->service;
	struct webhook_delivery *delivery = &replay->delivery;
	autowebhook struct webhook webhook = {0};
	struct error err = ERROR_INIT;
	char id[ID_SIZE];

	delivery->attempts = 1;
	if (!webhooks_find(service->db, delivery->webhook_id, &webhook)) {
		delivery->error = xstrdup("the webhook is gone");
	} else if (webhook_job_start(service, &webhook, delivery, id, &err) < 0) {
		delivery->error = xstrdup(err.text);
		delivery->status = error_http_status(err.code);
	} else {
		memcpy(delivery->job_id, id, ID_SIZE);
		delivery->status = 200;
	}
	replay_finish(replay, delivery);
	webhook_delivery_clear(delivery);
	free(replay);
}

int webhook_replay(struct webhook_service *service, const struct webhook *webhook,
                   const char *log_id, webhook_replay_fn *fn, void *arg, struct error *err)
{
	autodelivery struct webhook_delivery old = {0}, again = {0};
	struct replay *replay;

	webhook_delivery_flush(service);
	if (!webhook_deliveries_find(service->db, webhook->id, log_id, &old))
		return fail(err, E_NOT_FOUND, "Delivery not found");
	again.state = DELIVERY_REPLAY;
	again.created_ms = clock_now_ms();
	memcpy(again.replay_of, old.id, ID_SIZE);
	webhook_deliveries_insert(service->db, webhook->id, old.event.seq, &again);
	again.event = old.event;
	for (size_t i = 0; i < 3; i++)
		again.texts[i] = take_ptr(&old.texts[i]);
	replay = xcalloc(1, sizeof(*replay));
	*replay = (struct replay){.service = service, .fn = fn, .arg = arg};
	if (webhook->url) {
		webhook_request_send(service, webhook, &again, replay_answered, replay);
	} else {
		replay->delivery = again;
		again = (struct webhook_delivery){0};
		loop_defer(service->loop, replay_job, replay);
	}
	return 0;
}
