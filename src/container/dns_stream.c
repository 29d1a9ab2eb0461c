/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name service over TCP: two sockets per connection, one small buffer per direction, nothing read
 * before what was read is written. A connection is closed when either side ends it, or after ten
 * seconds in which nothing moved.
 */
#include "container/dns_stream.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS_MAX 16
#define STREAM_BUFFER 4096
#define STREAM_IDLE_MS 10000

struct half {
	int fd;
	struct poller_watch *watch;
	char data[STREAM_BUFFER]; /* read from this side, to be written to the other */
	size_t start, end;
	bool is_at_end;
};

struct stream {
	struct dns_listener *listener;
	struct stream *next;
	struct half client, server;
	bool is_connected;
	int64_t until_ms;
};

struct dns_listener {
	struct poller *poller;
	const struct dns_plan *plan;
	int fd;
	struct poller_watch *watch;
	struct poller_timer *timer;
	struct stream *streams;
	int n_streams;
	size_t server; /* the one to ask; the next one after a failure */
};

socklen_t dns_server_length(const struct sockaddr_storage *server)
{
	return server->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
	                                     : sizeof(struct sockaddr_in);
}

static void stream_free(struct stream *s)
{
	struct stream **at;

	for (at = &s->listener->streams; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	s->listener->n_streams--;
	poller_unwatch(s->client.watch);
	poller_unwatch(s->server.watch);
	close(s->client.fd);
	close(s->server.fd);
	free(s);
}

/* Read if there is room, write what there is. False: this direction is over. */
static bool half_move(struct half *from, struct half *to)
{
	ssize_t n;

	if (from->start == from->end && !from->is_at_end) {
		n = recv(from->fd, from->data, sizeof(from->data), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		from->start = 0;
		from->end = (size_t)n;
		if (n == 0) {
			from->is_at_end = true;
			(void)shutdown(to->fd, SHUT_WR);
		}
	}
	while (from->start < from->end) {
		n = send(to->fd, from->data + from->start, from->end - from->start,
		         MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		from->start += (size_t)n;
	}
	return true;
}

static uint32_t half_wants(const struct half *self, const struct half *other)
{
	uint32_t events = 0;

	if (self->start == self->end && !self->is_at_end)
		events |= EPOLLIN;
	if (other->start < other->end)
		events |= EPOLLOUT;
	return events;
}

static void stream_go_on(struct stream *s, uint32_t events)
{
	bool is_alive = half_move(&s->client, &s->server) && half_move(&s->server, &s->client);

	if (!is_alive || s->server.is_at_end || (events & EPOLLERR)) {
		stream_free(s);
		return;
	}
	s->until_ms = clock_monotonic_ms() + STREAM_IDLE_MS;
	poller_change(s->client.watch, half_wants(&s->client, &s->server));
	poller_change(s->server.watch, half_wants(&s->server, &s->client));
}

static void client_ready(void *arg, uint32_t events)
{
	struct stream *s = arg;

	if (!s->is_connected) {
		/* Only a hang-up or an error can come before the server is there. */
		stream_free(s);
		return;
	}
	/* A client that is gone for good would hang up again and again. */
	if ((events & EPOLLHUP) && s->client.is_at_end)
		events |= EPOLLERR;
	stream_go_on(s, events);
}

static void server_ready(void *arg, uint32_t events)
{
	struct stream *s = arg;
	int error = 0;
	socklen_t error_len = sizeof(error);

	if (!s->is_connected) {
		(void)getsockopt(s->server.fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
		if (error != 0 || (events & (EPOLLERR | EPOLLHUP))) {
			s->listener->server =
			        (s->listener->server + 1) % s->listener->plan->n_servers;
			stream_free(s);
			return;
		}
		s->is_connected = true;
	}
	stream_go_on(s, events);
}

static int server_connect(const struct dns_listener *listener)
{
	const struct sockaddr_storage *server = &listener->plan->servers[listener->server];
	int fd = socket(server->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)server, dns_server_length(server)) < 0 &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

static void stream_new(struct dns_listener *listener, int client_fd, int server_fd)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->listener = listener;
	s->client.fd = client_fd;
	s->server.fd = server_fd;
	s->until_ms = clock_monotonic_ms() + STREAM_IDLE_MS;
	s->client.watch = poller_watch(listener->poller, client_fd, 0, client_ready, s);
	s->server.watch = poller_watch(listener->poller, server_fd, EPOLLOUT, server_ready, s);
	s->next = listener->streams;
	listener->streams = s;
	listener->n_streams++;
	poller_timer_set(listener->timer, clock_monotonic_ms() + 1000);
}

static void accept_ready(void *arg, uint32_t events)
{
	struct dns_listener *listener = arg;
	int client_fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int server_fd;

	(void)events;
	if (client_fd < 0)
		return;
	server_fd = listener->n_streams < STREAMS_MAX ? server_connect(listener) : -1;
	if (server_fd < 0) {
		close(client_fd);
		return;
	}
	stream_new(listener, client_fd, server_fd);
}

static void timer_due(void *arg)
{
	struct dns_listener *listener = arg;
	int64_t now_ms = clock_monotonic_ms();
	struct stream *next;

	for (struct stream *s = listener->streams; s; s = next) {
		next = s->next;
		if (now_ms >= s->until_ms)
			stream_free(s);
	}
	if (listener->streams)
		poller_timer_set(listener->timer, now_ms + 1000);
}

struct dns_listener *dns_listener_new(struct poller *poller, const struct dns_plan *plan,
                                      int take_fd)
{
	struct dns_listener *listener = xcalloc(1, sizeof(*listener));

	listener->poller = poller;
	listener->plan = plan;
	listener->fd = take_fd;
	listener->watch = poller_watch(poller, take_fd, EPOLLIN, accept_ready, listener);
	listener->timer = poller_timer_new(poller, timer_due, listener);
	return listener;
}

void dns_listener_free(struct dns_listener *listener)
{
	if (!listener)
		return;
	while (listener->streams)
		stream_free(listener->streams);
	poller_timer_free(listener->timer);
	poller_unwatch(listener->watch);
	close(listener->fd);
	free(listener);
}
