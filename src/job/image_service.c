/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wishes for images. What was read from the store is remembered, so that a hundred jobs a second on
 * one image do not read its record a hundred times; everything that changes the store goes through
 * this service, which then forgets.
 */
#include "job/image_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "image/image_store.h"

#include <string.h>

#define KNOWN_MAX 256

struct image_service *image_service_new(struct loop *loop,
                                        const struct configuration *configuration, int images_fd,
                                        int spawner_fd)
{
	struct image_service *service = xcalloc(1, sizeof(*service));
	service->loop = loop;
	service->configuration = configuration;
	service->images_fd = images_fd;
	service->spawner_fd = spawner_fd;
	return service;
}

void image_service_free(struct image_service *service)
{
	if (!service)
		return;
	while (service->pulls) {
		struct image_pull *pull = service->pulls;
		while (pull->waits) {
			struct image_wait *wait = pull->waits;
			pull->waits = wait->next;
			free(wait);
		}
		image_pull_free(pull);
	}
	while (service->runs)
		image_run_free(service->runs);
	while (service->waiting) {
		struct image_wait *wait = service->waiting;
		service->waiting = wait->next;
		free(wait);
	}
	while (service->held) {
		struct image_held *held = service->held;
		service->held = held->next;
		free(held);
	}
	image_known_clear(service);
	free(service);
}

static struct image_known *known_find(struct image_service *service, const char *reference)
{
	struct image_known *known = service->known;
	while (known && strcmp(known->reference, reference) != 0)
		known = known->next;
	return known;
}

void image_known_clear(struct image_service *service)
{
	while (service->known) {
		struct image_known *known = service->known;
		service->known = known->next;
		json_decref(known->record);
		free(known);
	}
	service->n_known = 0;
}

void image_known_set(struct image_service *service, const char *reference, json_t *record,
                     int64_t checked_ms)
{
	struct image_known *known = known_find(service, reference);
	if (!known) {
		if (service->n_known >= KNOWN_MAX)
			image_known_clear(service);
		known = xcalloc(1, sizeof(*known));
		(void)snprintf(known->reference, sizeof(known->reference), "%s", reference);
		known->next = service->known;
		service->known = known;
		service->n_known++;
	}
	json_incref(record);
	json_decref(known->record);
	known->record = record;
	if (checked_ms)
		known->checked_ms = checked_ms;
}

/* Borrowed; NULL if the store does not have it for this architecture. */
static struct image_known *look_up(struct image_service *service, const char *reference,
                                   const char *architecture)
{
	struct image_known *known = known_find(service, reference);
	struct reference parsed;
	struct error err = ERROR_INIT;
	if (!known && reference_parse(reference, &parsed, &err) == 0) {
		autojson json_t *record = image_store_find(service->images_fd, &parsed);
		if (!record)
			return NULL;
		image_known_set(service, reference, record, 0);
		known = known_find(service, reference);
	}
	if (known &&
	    strcmp(json_get_text(known->record, "architecture", architecture), architecture) != 0)
		return NULL;
	return known;
}

static bool is_fresh(const struct image_service *service, const struct image_known *known)
{
	if (json_get_bool(known->record, "local", false) || strstr(known->reference, "@sha256:"))
		return true;
	int64_t asked = json_get_int(known->record, "pulled_ms", 0);
	if (known->checked_ms > asked)
		asked = known->checked_ms;
	int64_t age = clock_now_ms() - asked;
	return age >= 0 && age < service->configuration->image_refresh_s * 1000;
}

void image_wait_end(struct image_wait *wait, const json_t *record, const struct error *err)
{
	struct image_wait_events events = wait->events;
	bool is_canceled = wait->is_canceled;
	free(wait);
	if (!is_canceled)
		events.done(events.arg, record, err);
}

static void put_aside(struct image_wait *wait)
{
	wait->next = wait->service->waiting;
	wait->service->waiting = wait;
}

void image_wait_begin(struct image_wait *wait)
{
	struct image_service *service = wait->service;
	if (wait->is_canceled) {
		free(wait);
		return;
	}
	if (service->is_exclusive) {
		put_aside(wait);
		return;
	}
	struct image_known *known = look_up(service, wait->reference, wait->architecture);
	bool must_ask = wait->always && !(known && json_get_bool(known->record, "local", false));
	if (known && !must_ask && is_fresh(service, known)) {
		autojson json_t *record = json_incref(known->record);
		image_wait_end(wait, record, NULL);
		return;
	}
	if (image_run_is_waiting(service)) {
		put_aside(wait);
		return;
	}
	image_pull_join(wait, known ? json_incref(known->record) : NULL);
}

static void begin_deferred(void *arg)
{
	image_wait_begin(arg);
}

struct image_wait *image_service_want(struct image_service *service, const char *reference,
                                      const char *architecture, bool always,
                                      const struct image_wait_events *events)
{
	struct image_wait *wait = xcalloc(1, sizeof(*wait));
	wait->service = service;
	wait->events = *events;
	wait->always = always;
	if (strlen(reference) >= sizeof(wait->reference))
		BUG("image reference of %zu bytes", strlen(reference));
	(void)snprintf(wait->reference, sizeof(wait->reference), "%s", reference);
	(void)snprintf(wait->architecture, sizeof(wait->architecture), "%s", architecture);
	loop_defer(service->loop, begin_deferred, wait);
	return wait;
}

void image_wait_cancel(struct image_wait *wait)
{
	if (wait->pull)
		image_pull_leave(wait);
	else
		wait->is_canceled = true;
}

int image_service_images_fd(const struct image_service *service)
{
	return service->images_fd;
}

void image_service_hold(struct image_service *service, const char *manifest_digest)
{
	struct image_held *held = service->held;
	while (held && strcmp(held->digest, manifest_digest) != 0)
		held = held->next;
	if (!held) {
		held = xcalloc(1, sizeof(*held));
		(void)snprintf(held->digest, sizeof(held->digest), "%s", manifest_digest);
		held->next = service->held;
		service->held = held;
		image_store_touch(service->images_fd, manifest_digest);
	}
	held->count++;
}

void image_service_release(struct image_service *service, const char *manifest_digest)
{
	struct image_held **place = &service->held;
	while (*place && strcmp((*place)->digest, manifest_digest) != 0)
		place = &(*place)->next;
	struct image_held *held = *place;
	if (!held)
		BUG("image %s is not held", manifest_digest);
	if (--held->count > 0)
		return;
	/* The end of its last use is what eviction goes by. */
	image_store_touch(service->images_fd, manifest_digest);
	*place = held->next;
	free(held);
}
