/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the local backend: local.c (attempts and their life), local_folder.c (attempt folders),
 * local_adopt.c (what is found after a restart, and what a lost monitor left).
 */
#ifndef HEARTH_BACKEND_LOCAL_PRIVATE_H
#define HEARTH_BACKEND_LOCAL_PRIVATE_H

#include "backend/local.h"
#include "base/digest.h"
#include "base/spawner_link.h"
#include "job/child_channel.h"

struct local {
	struct backend base; /* first */
	struct loop *loop;
	const struct configuration *configuration;
	struct image_service *images;
	int attempts_fd, spawner_fd;
	struct backend_events events;
	struct local_attempt *attempts;
};

struct local_attempt {
	struct local_attempt *next, **place; /* place: what points to us */
	struct local *local;
	char job_id[ID_SIZE], namespace_id[ID_SIZE];
	char name[SPAWN_NAME_MAX];
	int number, slot;
	int64_t timeout_s, grace_s, warning_s;
	int64_t told_timeout_s; /* what the monitor knows; 0: we do not know what */
	int warning_signal;
	struct flavor flavor; /* of its strings, use the name only: it is ours */
	json_t *body, *secrets, *mounts, *metrics_devices;
	char *devices;                 /* CDI names with commas; NULL: none */
	struct image_wait *wait;       /* while the image is not there */
	struct child_channel *channel; /* to the monitor, or to the spawner that cleans */
	struct loop_timer *timer;      /* to try again */
	char held_digest[DIGEST_SIZE]; /* "": none */
	int64_t started_ms;
	int64_t started_us, lost_us;   /* by our monotonic clock; 0: not told, not lost while we looked on */
	int tries;
	bool is_running, is_ended, is_stopping, is_cleaning, is_not_started;
	struct exit_record record; /* told by local_attempt_end_later */
};

/* Tell the end, once. The attempt goes on to exist until its channel closes. */
void local_attempt_ended(struct local_attempt *attempt, const struct exit_record *record);
/* The same from within a call of the backend: in a later turn. Then the attempt is freed. */
void local_attempt_end_later(struct local_attempt *attempt, const struct exit_record *record);
void local_attempt_free(struct local_attempt *attempt);
/* Call `fn` with the attempt in a later turn; replaces what was planned before. */
void local_attempt_later(struct local_attempt *attempt, loop_fn *fn, int64_t ms);
void local_attempt_hold(struct local_attempt *attempt, const char *digest);
/* Take over the descriptor of a pair or connection to the attempt's monitor. */
void local_attempt_listen(struct local_attempt *attempt, int take_fd);
/* Begin with the image; the folder must not exist. */
void local_attempt_begin(struct local_attempt *attempt);

struct exit_record local_record(enum attempt_outcome outcome, const char *message);

/* attempts/<name>; E_NOT_FOUND if there is none. */
int local_folder_open(const struct local_attempt *attempt, int *ret_fd, struct error *err);
/* Make the folder with spec.json. */
int local_folder_make(const struct local_attempt *attempt, const json_t *spec, struct error *err);
void local_folder_remove(const struct local_attempt *attempt); /* one that the spawner never saw */
int local_folder_connect(int dir_fd, int *ret_fd, struct error *err); /* to `control` */

/* Go on from what the folder shows. */
void local_adopt(struct local_attempt *attempt);
/* The monitor is gone: its exit record is told, or else what it left is cleaned, then "lost". */
void local_adopt_orphan(struct local_attempt *attempt);

#endif
