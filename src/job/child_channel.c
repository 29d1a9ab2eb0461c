/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages with a child. What the child said before it ended is always delivered before `closed`,
 * also when it ended without having read what we said (ECONNRESET comes first then).
 */
#include "job/child_channel.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGES_PER_TURN 16

struct child_channel {
	struct child_channel_events events;
	struct loop_watch *watch;
	int fd;
	bool *is_gone; /* set when an event frees the channel */
};

static void channel_closed(struct child_channel *channel)
{
	loop_watch_set(channel->watch, 0);
	channel->events.closed(channel->events.arg);
}

/* Returns false when the channel is gone or has nothing more. */
static bool take_message(struct child_channel *channel, char *text, size_t len)
{
	struct error err = ERROR_INIT;
	autojson json_t *message = NULL;
	if (json_parse(text, len, "message of a child", &message, &err) < 0 ||
	    !json_is_object(message)) {
		log_warning("a child sent something that is not a message");
		return true;
	}
	bool is_gone = false;
	channel->is_gone = &is_gone;
	channel->events.message(channel->events.arg, message);
	if (is_gone)
		return false;
	channel->is_gone = NULL;
	return true;
}

static void on_ready(void *arg, int events)
{
	struct child_channel *channel = arg;
	/* Shared by all channels: the loop is one thread, and a message is parsed at once. */
	static char text[CHILD_MESSAGE_MAX];
	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		ssize_t n = recv(channel->fd, text, sizeof(text), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EINTR || errno == ECONNRESET))
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			channel_closed(channel);
			return;
		}
		if ((size_t)n > sizeof(text)) {
			log_warning("a child sent a message of %zd bytes; at most %d are read", n,
			            CHILD_MESSAGE_MAX);
			continue;
		}
		if (!take_message(channel, text, (size_t)n))
			return;
	}
}

struct child_channel *child_channel_new(struct loop *loop, int take_fd,
                                        const struct child_channel_events *events)
{
	struct child_channel *channel = xcalloc(1, sizeof(*channel));
	channel->events = *events;
	channel->fd = take_fd;
	channel->watch = loop_watch_new(loop, take_fd, UV_READABLE, on_ready, channel);
	return channel;
}

int child_channel_send(struct child_channel *channel, const json_t *message, struct error *err)
{
	autofree char *text = json_to_text(message);
	ssize_t sent;
	do
		sent = send(channel->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot talk to the child");
	return 0;
}

void child_channel_free(struct child_channel *channel)
{
	if (!channel)
		return;
	if (channel->is_gone)
		*channel->is_gone = true;
	loop_watch_free(channel->watch);
	(void)close(channel->fd);
	free(channel);
}
