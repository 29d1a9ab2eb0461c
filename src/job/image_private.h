/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the image service: image_service.c (wishes and records), image_pull.c (one hearth-pull
 * for all who want the same image), image_run.c (import, remove, prune).
 *
 * Remove and prune take layers away, so they run alone: they begin when no pull runs, and until they
 * end every wish waits; a pull that is wanted while one of them waits comes after it.
 */
#ifndef HEARTH_JOB_IMAGE_PRIVATE_H
#define HEARTH_JOB_IMAGE_PRIVATE_H

#include "base/digest.h"
#include "image/reference.h"
#include "job/child_channel.h"
#include "job/image_service.h"

struct image_known {
	struct image_known *next;
	char reference[REFERENCE_MAX];
	json_t *record;
	int64_t checked_ms; /* the registry was asked then; 0: see the record */
};

struct image_held {
	struct image_held *next;
	char digest[DIGEST_SIZE];
	int count;
};

struct image_wait {
	struct image_wait *next;
	struct image_service *service;
	struct image_wait_events events;
	char reference[REFERENCE_MAX];
	char architecture[16];
	bool always;
	bool is_canceled; /* somebody else still points here and frees it */
	struct image_pull *pull;
};

struct image_pull {
	struct image_pull *next;
	struct image_service *service;
	struct child_channel *channel;
	char reference[REFERENCE_MAX];
	char architecture[16];
	struct image_wait *waits;
	json_t *stale; /* serves when the registry does not answer; NULL: none */
	char message[128];
	bool is_repeated; /* after a failure of ours */
};

struct image_run {
	struct image_run *next;
	struct image_service *service;
	struct child_channel *channel;
	struct image_wait_events events;
	json_t *request;
	int archive_fd;
	bool is_exclusive;
};

struct image_service {
	struct loop *loop;
	const struct configuration *configuration;
	int images_fd, spawner_fd;
	struct image_known *known;
	int n_known;
	struct image_held *held;
	struct image_pull *pulls;
	struct image_run *runs;	   /* running, and exclusive ones that wait */
	struct image_wait *waiting; /* for the end of an exclusive run */
	bool is_exclusive;	   /* such a run is running */
	bool is_pruning_planned;
};

/* Remember a record that was just asked for; `checked_ms` 0: as old as it says itself. */
void image_known_set(struct image_service *service, const char *reference, json_t *record,
		     int64_t checked_ms);
void image_known_clear(struct image_service *service);
/* Tells the outcome and frees the wait, unless it was cancelled: then only that. */
void image_wait_end(struct image_wait *wait, const json_t *record, const struct error *err);
/* Look again at a wish: answer it, or have it pulled. */
void image_wait_begin(struct image_wait *wait);

/* Join the pull of this image, or start it. `take_stale` may be NULL. */
void image_pull_join(struct image_wait *wait, json_t *take_stale);
void image_pull_leave(struct image_wait *wait);
void image_pull_free(struct image_pull *pull);

/* Start the exclusive run that waits, if nothing is in its way; let the wishes go on otherwise. */
void image_run_next(struct image_service *service);
bool image_run_is_waiting(const struct image_service *service);
void image_run_free(struct image_run *run);
/* Bring the store below the limit of setting images.disk_limit. */
void image_run_limit(struct image_service *service);

#endif
