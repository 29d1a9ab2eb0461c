/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of log_source.c, log_frames.c (compressed logs) and log_notify.c (inotify). */
#ifndef HEARTH_JOB_LOG_PRIVATE_H
#define HEARTH_JOB_LOG_PRIVATE_H

#include "base/spawner_link.h"
#include "job/log_source.h"

struct log_source {
	struct log_source *next, **place;
	struct loop *loop;
	int attempts_fd;
	int references;
	char name[SPAWN_NAME_MAX];
	int fd; /* of `log` or `log.zst`; -1: not there yet */
	bool is_complete;
	uint64_t generation;  /* counts the times that the log may have grown */
	struct log_gap gap;
	uint64_t *frames;     /* offsets in log.zst, and its size as the last; NULL: a plain log */
	size_t n_frames;
	int64_t size;	      /* of the plain log, when compressed */
	int watch;	      /* inotify; -1: none */
	struct log_follower *followers;
};

/* The log grew, or may have: tell all followers. */
void log_source_grown(struct log_source *source);

/* Opens log.zst and its index; false if there is none or it is damaged. */
bool log_frames_open(struct log_source *source);
/* Copy up to `max` bytes at `offset`; returns how many, 0 at the end. */
size_t log_frames_read(struct log_source *source, int64_t offset, char *data, size_t max);
void log_frames_forget(const struct log_source *source);

/* Hear of growth: by inotify, or every 200 ms where that cannot be had. */
void log_notify_add(struct log_source *source);
void log_notify_remove(struct log_source *source);

#endif
