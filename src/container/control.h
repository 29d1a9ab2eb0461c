/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's side of its conversation (attempt_folder.h): the pair given at start, and whoever
 * connects to the socket `control` in the attempt folder.
 */
#ifndef HEARTH_CONTAINER_CONTROL_H
#define HEARTH_CONTAINER_CONTROL_H

#include "base/error.h"
#include "container/poller.h"

#include <stdint.h>

#define CONTROL_NAME "control"
#define CONTROL_MESSAGE_MAX 4096

struct control;

struct control_events {
	void (*cancel)(void *arg);
	void (*extend)(void *arg, int64_t timeout_s);
	void *arg;
};

/* `take_first_fd` -1: none. */
int control_new(struct poller *poller, int dir_fd, int take_first_fd,
		const struct control_events *events, struct control **ret, struct error *err);
/* Removes the socket from the folder. NULL is fine. */
void control_free(struct control *control, int dir_fd);
/* Tell all who listen, and everyone who connects later: the phase. A peer that does not read is dropped. */
void control_tell(struct control *control, const char *message);
/* The phase "running". Everyone is told how long by then. */
void control_tell_running(struct control *control, int64_t started_ms, int64_t started_us);
/* Something that happened: to all who listen; if there is nobody, to who connects next. */
void control_tell_event(struct control *control, const char *message);

#endif
