/* SPDX-License-Identifier: Apache-2.0 */
/* Control socket: few peers, small messages, nobody is waited for. */
#include "container/control.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PEERS_MAX 16

struct peer {
	struct control *control;
	struct poller_watch *watch;
	int fd; /* -1: free */
};

struct control {
	struct poller *poller;
	struct poller_watch *listen_watch;
	int listen_fd;
	struct control_events events;
	char phase[CONTROL_MESSAGE_MAX];   /* last message told; "": none yet */
	char unheard[CONTROL_MESSAGE_MAX]; /* event; "": none */
	int64_t started_ms, started_us;    /* while the phase is "running"; else 0 */
	struct peer peers[PEERS_MAX];
};

static void drop(struct peer *peer)
{
	poller_unwatch(peer->watch);
	(void)close(peer->fd);
	peer->watch = NULL;
	peer->fd = -1;
}

static bool tell(struct peer *peer, const char *message)
{
	size_t len = strlen(message);

	if (send(peer->fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return true;
	drop(peer);
	return false;
}

static bool tell_all(struct control *control, const char *message)
{
	bool was_heard = false;

	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (control->peers[i].fd >= 0)
			was_heard |= tell(&control->peers[i], message);
	}
	return was_heard;
}

static void format_running(struct control *control)
{
	(void)snprintf(control->phase, sizeof(control->phase),
	               "{\"type\":\"running\",\"started_ms\":%lld,\"running_us\":%lld}",
	               (long long)control->started_ms,
	               (long long)(clock_monotonic_us() - control->started_us));
}

static void greet(struct control *control, struct peer *peer)
{
	if (control->started_us)
		format_running(control);
	if (control->phase[0] && !tell(peer, control->phase))
		return;
	if (control->unheard[0] && tell(peer, control->unheard))
		control->unheard[0] = '\0';
}

static void obey(struct control *control, const char *text, size_t len)
{
	autojson json_t *message = NULL;
	struct error err = ERROR_INIT;

	if (json_parse(text, len, "message", &message, &err))
		return;
	const char *type = json_get_text(message, "type", "");
	if (strcmp(type, "cancel") == 0)
		control->events.cancel(control->events.arg);
	else if (strcmp(type, "extend") == 0)
		control->events.extend(control->events.arg, json_get_int(message, "timeout_s", 0));
}

static void peer_ready(void *arg, uint32_t events)
{
	struct peer *peer = arg;
	char text[CONTROL_MESSAGE_MAX];
	ssize_t n = recv(peer->fd, text, sizeof(text), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		drop(peer);
	else
		obey(peer->control, text, (size_t)n);
}

static void add_peer(struct control *control, int take_peer_fd)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &control->peers[i];
		if (peer->fd >= 0)
			continue;
		peer->control = control;
		peer->fd = take_peer_fd;
		peer->watch = poller_watch(control->poller, peer->fd, EPOLLIN, peer_ready, peer);
		greet(control, peer);
		return;
	}
	(void)close(take_peer_fd);
}

static void listener_ready(void *arg, uint32_t events)
{
	struct control *control = arg;
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		add_peer(control, fd);
}

static int listen_at(int dir_fd, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Not relative to the present directory, and not longer than the address can be. */
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_NAME,
	               dir_fd);
	(void)unlinkat(dir_fd, CONTROL_NAME, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    fchmodat(dir_fd, CONTROL_NAME, 0660, 0) || listen(fd, PEERS_MAX))
		return fail_errno(err, E_INTERNAL, errno, "cannot make the control socket");
	*ret_fd = take_fd(&fd);
	return 0;
}

int control_new(struct poller *poller, int dir_fd, int take_first_fd,
                const struct control_events *events, struct control **ret, struct error *err)
{
	autoclose int first_fd = take_first_fd;
	int listen_fd = -1;

	if (listen_at(dir_fd, &listen_fd, err))
		return -1;
	struct control *control = xcalloc(1, sizeof(*control));
	control->poller = poller;
	control->events = *events;
	control->listen_fd = listen_fd;
	for (size_t i = 0; i < PEERS_MAX; i++)
		control->peers[i].fd = -1;
	control->listen_watch = poller_watch(poller, listen_fd, EPOLLIN, listener_ready, control);
	if (first_fd >= 0)
		add_peer(control, take_fd(&first_fd));
	*ret = control;
	return 0;
}

void control_tell(struct control *control, const char *message)
{
	(void)snprintf(control->phase, sizeof(control->phase), "%s", message);
	control->started_us = 0;
	(void)tell_all(control, message);
}

void control_tell_running(struct control *control, int64_t started_ms, int64_t started_us)
{
	control->started_ms = started_ms;
	control->started_us = started_us;
	format_running(control);
	(void)tell_all(control, control->phase);
}

void control_tell_event(struct control *control, const char *message)
{
	if (!tell_all(control, message))
		(void)snprintf(control->unheard, sizeof(control->unheard), "%s", message);
}

void control_free(struct control *control, int dir_fd)
{
	if (!control)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (control->peers[i].fd >= 0)
			drop(&control->peers[i]);
	}
	poller_unwatch(control->listen_watch);
	(void)close(control->listen_fd);
	(void)unlinkat(dir_fd, CONTROL_NAME, 0);
	free(control);
}
