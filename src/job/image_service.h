/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images for jobs and for `hearth image`: looks into the store, pulls what is missing (one pull for
 * all who ask for the same image), tells progress, keeps the disk limit.
 */
#ifndef HEARTH_JOB_IMAGE_SERVICE_H
#define HEARTH_JOB_IMAGE_SERVICE_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "net/loop.h"

struct image_service;
struct image_wait; /* somebody's wish for an image */

struct image_service *image_service_new(struct loop *loop, const struct configuration *configuration,
					int images_fd, int spawner_fd);
void image_service_free(struct image_service *service);

struct image_wait_events {
	void (*progress)(void *arg, const char *message); /* "Pulling image: 2 of 5 layers, 43 %, …" */
	/* `record` is borrowed; NULL when it failed, then `err` says why. The wait is over. */
	void (*done)(void *arg, const json_t *record, const struct error *err);
	void *arg;
};
/* Have the image ready: from the store when it is fresh (settings image_refresh_s), else from the
 * registry; if the registry does not answer, a stale one serves. `reference` is in full form.
 * `always` asks the registry in any case. Never calls back from inside. */
struct image_wait *image_service_want(struct image_service *service, const char *reference,
				      const char *architecture, bool always,
				      const struct image_wait_events *events);
void image_wait_cancel(struct image_wait *wait); /* no call back any more */

/* import, remove, prune: run hearth-pull with this request; `done` gets its answer. `archive_fd` -1:
 * none; borrowed. */
void image_service_run(struct image_service *service, json_t *take_request, int archive_fd,
		       const struct image_wait_events *events);
int image_service_images_fd(const struct image_service *service);
/* An image is in use while a live attempt runs on it: never evicted. */
void image_service_hold(struct image_service *service, const char *manifest_digest);
void image_service_release(struct image_service *service, const char *manifest_digest);

#endif
