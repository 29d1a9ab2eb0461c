/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our end of a SOCK_SEQPACKET pair (or of a connected Unix socket) on the loop, with one JSON object
 * per message: how hearthd talks to monitors, pulls and the spawner (attempt_folder.h,
 * pull_protocol.h, spawner_link.h).
 */
#ifndef HEARTH_JOB_CHILD_CHANNEL_H
#define HEARTH_JOB_CHILD_CHANNEL_H

#include "base/error.h"
#include "base/json.h"
#include "net/loop.h"

#define CHILD_MESSAGE_MAX (128 * 1024)

struct child_channel;

struct child_channel_events {
	void (*message)(void *arg, const json_t *message); /* an object; borrowed */
	void (*closed)(void *arg);			   /* the other side is gone; said once */
	void *arg;
};

/* Owns the descriptor from here on. Both events may free the channel. */
struct child_channel *child_channel_new(struct loop *loop, int take_fd,
					const struct child_channel_events *events);
/* E_UNAVAILABLE when the other side is gone or does not read. */
int child_channel_send(struct child_channel *channel, const json_t *message, struct error *err);
void child_channel_free(struct child_channel *channel); /* NULL is fine; no event any more */

#endif
