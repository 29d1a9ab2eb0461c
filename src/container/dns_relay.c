/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passing on UDP queries (TCP: dns_stream.c). Each query has a socket of its own, so that the
 * kernel picks a random port for it and only the server's answers come in. A server that stays
 * silent for two seconds makes room for the next one.
 */
#include "container/dns_relay.h"

#include "base/clock.h"
#include "base/memory.h"
#include "container/dns_stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUERIES_MAX 64
#define MESSAGE_MAX 8192
#define QUERY_MAX 1500
#define HEADER_SIZE 12
#define SERVER_WAIT_MS 2000
#define READS_PER_TURN 16

struct query {
	struct dns_relay *relay;
	struct query *next;
	struct sockaddr_in client;
	struct poller_watch *watch;
	int fd;
	size_t server, tries;
	int64_t until_ms;
	size_t len;
	unsigned char message[];
};

struct dns_relay {
	struct poller *poller;
	struct dns_plan plan;
	int udp_fd;
	struct poller_watch *udp_watch;
	struct poller_timer *timer;
	struct query *queries;
	int n_queries;
	struct dns_listener *listener; /* TCP */
};

static void query_close(struct query *q)
{
	poller_unwatch(q->watch);
	q->watch = NULL;
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
}

static void query_free(struct query *q)
{
	struct query **at;

	for (at = &q->relay->queries; *at != q; at = &(*at)->next)
		;
	*at = q->next;
	q->relay->n_queries--;
	query_close(q);
	free(q);
}

static void timer_update(struct dns_relay *relay)
{
	int64_t at_ms = -1;

	for (const struct query *q = relay->queries; q; q = q->next) {
		if (at_ms < 0 || q->until_ms < at_ms)
			at_ms = q->until_ms;
	}
	poller_timer_set(relay->timer, at_ms);
}

static void answer_ready(void *arg, uint32_t events)
{
	struct query *q = arg;
	struct dns_relay *relay = q->relay;
	unsigned char message[MESSAGE_MAX];
	ssize_t n = recv(q->fd, message, sizeof(message), 0);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		/* Refused: ask the next one at once. */
		q->until_ms = 0;
		timer_update(relay);
		return;
	}
	if (n < HEADER_SIZE || memcmp(message, q->message, 2) != 0)
		return;
	(void)sendto(relay->udp_fd, message, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL,
	             (struct sockaddr *)&q->client, sizeof(q->client));
	query_free(q);
	timer_update(relay);
}

/* Ask q->server. False when that is not possible. */
static bool query_send(struct query *q)
{
	const struct sockaddr_storage *server = &q->relay->plan.servers[q->server];

	q->fd = socket(server->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return false;
	if (connect(q->fd, (const struct sockaddr *)server, dns_server_length(server)) < 0 ||
	    send(q->fd, q->message, q->len, MSG_NOSIGNAL) < 0) {
		close(q->fd);
		q->fd = -1;
		return false;
	}
	q->watch = poller_watch(q->relay->poller, q->fd, EPOLLIN, answer_ready, q);
	q->until_ms = clock_monotonic_ms() + SERVER_WAIT_MS;
	return true;
}

/* Ask servers, beginning with q->server, until one takes the query; forget it when all were asked.
 */
static void query_go_on(struct query *q)
{
	struct dns_relay *relay = q->relay;

	while (q->tries < relay->plan.n_servers) {
		q->tries++;
		if (query_send(q))
			return;
		q->server = (q->server + 1) % relay->plan.n_servers;
	}
	query_free(q);
}

static void timer_due(void *arg)
{
	struct dns_relay *relay = arg;
	int64_t now_ms = clock_monotonic_ms();
	struct query *next;

	for (struct query *q = relay->queries; q; q = next) {
		next = q->next;
		if (q->until_ms > now_ms)
			continue;
		query_close(q);
		q->server = (q->server + 1) % relay->plan.n_servers;
		query_go_on(q);
	}
	timer_update(relay);
}

/* The resolver inside asks again after a while: that goes to the next server. */
static size_t first_server(const struct dns_relay *relay, const unsigned char *message, size_t len,
                           const struct sockaddr_in *client)
{
	for (const struct query *q = relay->queries; q; q = q->next) {
		if (q->len == len && memcmp(q->message, message, len) == 0 &&
		    q->client.sin_port == client->sin_port)
			return (q->server + 1) % relay->plan.n_servers;
	}
	return 0;
}

static void query_new(struct dns_relay *relay, const unsigned char *message, size_t len,
                      const struct sockaddr_in *client)
{
	struct query *q = xcalloc(1, sizeof(*q) + len);

	q->relay = relay;
	q->client = *client;
	q->fd = -1;
	q->server = first_server(relay, message, len, client);
	q->len = len;
	memcpy(q->message, message, len);
	q->next = relay->queries;
	relay->queries = q;
	relay->n_queries++;
	query_go_on(q);
}

static void query_ready(void *arg, uint32_t events)
{
	struct dns_relay *relay = arg;
	unsigned char message[QUERY_MAX];

	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		struct sockaddr_in client;
		socklen_t client_len = sizeof(client);
		ssize_t n = recvfrom(relay->udp_fd, message, sizeof(message), MSG_TRUNC,
		                     (struct sockaddr *)&client, &client_len);

		if (n < 0)
			break;
		if (n < HEADER_SIZE || n > QUERY_MAX || relay->n_queries >= QUERIES_MAX)
			continue;
		query_new(relay, message, (size_t)n, &client);
	}
	timer_update(relay);
}

struct dns_relay *dns_relay_new(struct poller *poller, const struct dns_plan *plan, int take_udp_fd,
                                int take_tcp_fd)
{
	struct dns_relay *relay = xcalloc(1, sizeof(*relay));

	relay->poller = poller;
	relay->plan = *plan;
	relay->udp_fd = take_udp_fd;
	relay->udp_watch = poller_watch(poller, take_udp_fd, EPOLLIN, query_ready, relay);
	relay->timer = poller_timer_new(poller, timer_due, relay);
	relay->listener = dns_listener_new(poller, &relay->plan, take_tcp_fd);
	return relay;
}

void dns_relay_free(struct dns_relay *relay)
{
	if (!relay)
		return;
	while (relay->queries)
		query_free(relay->queries);
	dns_listener_free(relay->listener);
	poller_timer_free(relay->timer);
	poller_unwatch(relay->udp_watch);
	close(relay->udp_fd);
	free(relay);
}
