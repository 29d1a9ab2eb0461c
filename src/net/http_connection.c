/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: what libmicrohttpd does not watch. Suspended connections whose peer hangs up (an
 * epoll set of ours), heads that never become complete, bodies that come too slowly (a sweep once a
 * second).
 */
#include "net/http_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/tcp.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
	return *(struct http_connection *const *)MHD_get_connection_info(
	        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
}

/* Sockets for both families show IPv4 as part of IPv6. */
static uint32_t ipv4_of(const struct sockaddr *address)
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
	uint32_t v4 = 0;

	if (address->sa_family == AF_INET)
		v4 = ((const struct sockaddr_in *)address)->sin_addr.s_addr;
	else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6))
		memcpy(&v4, v6->s6_addr + 12, sizeof(v4));
	return ntohl(v4);
}

static bool is_loopback_address(const struct sockaddr *address)
{
	return ipv4_of(address) >> 24 == 127 ||
	       (address->sa_family == AF_INET6 &&
	        IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr));
}

static void look_at_peer(struct http_connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	connection->peer_uid = (uid_t)-1;
	if (info->client_addr->sa_family != AF_UNIX) {
		connection->peer_ipv4 = ipv4_of(info->client_addr);
		connection->is_loopback = is_loopback_address(info->client_addr);
		return;
	}
	connection->is_unix = true;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		connection->peer_uid = peer.uid;
}

static void started(struct http_server *server, struct MHD_Connection *mhd, void **context)
{
	struct http_connection *connection = xcalloc(1, sizeof(*connection));
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	connection->server = server;
	connection->mhd = mhd;
	connection->fd = info->connect_fd;
	connection->linger_fd = -1;
	connection->waiting_since_ms = clock_monotonic_ms();
	connection->bytes_at_rest = HTTP_NEVER_SERVED;
	look_at_peer(connection);
	connection->next = server->connections;
	if (connection->next)
		connection->next->previous = connection;
	server->connections = connection;
	server->n_connections++;
	*context = connection;
}

static void unwatch(struct http_connection *connection)
{
	if (connection->is_watched)
		(void)epoll_ctl(connection->server->gone_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	connection->is_watched = false;
}

static void closed(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	unwatch(connection);
	if (connection->request)
		connection->request->connection = NULL;
	http_linger_start(connection);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	server->n_connections--;
	free(connection);
}

void http_connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		started(cls, mhd, socket_context);
	else if (*socket_context)
		closed(*socket_context);
}

void http_connection_suspend(struct http_connection *connection)
{
	if (connection->is_suspended)
		return;
	connection->is_suspended = true;
	MHD_suspend_connection(connection->mhd);
}

void http_connection_resume(struct http_connection *connection)
{
	if (!connection->is_suspended)
		return;
	connection->is_suspended = false;
	MHD_resume_connection(connection->mhd);
	http_server_schedule(connection->server);
}

void http_connection_hurry(struct http_connection *connection)
{
	/* Any value but the default one. */
	unsigned seconds = connection->server->options.idle_timeout_s == 1 ? 2 : 1;

	(void)MHD_set_connection_option(connection->mhd, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/* The peer of a connection is watched once nothing happened for a second: most answers come sooner
 * and need no system call for it. */
static void watch(struct http_connection *connection)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};

	if (epoll_ctl(connection->server->gone_fd, EPOLL_CTL_ADD, connection->fd, &event) == 0)
		connection->is_watched = true;
}

void http_connections_gone(void *arg, int events)
{
	struct http_server *server = arg;
	struct epoll_event found[64];
	int n;

	do {
		n = epoll_wait(server->gone_fd, found, 64, 0);
		for (int i = 0; i < n; i++) {
			struct http_connection *connection = found[i].data.ptr;

			connection->is_gone = true;
			http_connection_resume(connection);
		}
	} while (n == 64);
}

static void give_up(struct http_connection *connection, const char *text)
{
	struct error err = ERROR_INIT;

	(void)fail(&err, E_INVALID, "%s", text);
	http_linger_answer(connection, &err, "", 408);
	/* libmicrohttpd finds the end of the connection and cleans up. */
	(void)shutdown(connection->fd, SHUT_RDWR);
}

/* Waiting for a head: a new connection must bring it within the limit. One that has served may
 * rest, but once bytes arrive the clock runs. */
static void check_head(struct http_connection *connection, int64_t now_ms)
{
	int64_t waited_ms = now_ms - connection->waiting_since_ms;

	if (waited_ms < HTTP_HEAD_SECONDS * 1000L || connection->is_unix)
		return;
	if (!connection->request && connection->bytes_at_rest == 0) {
		connection->bytes_at_rest = tcp_bytes_received(connection->fd);
		connection->waiting_since_ms = now_ms;
		return;
	}
	if (connection->request || connection->bytes_at_rest == HTTP_NEVER_SERVED ||
	    tcp_bytes_received(connection->fd) != connection->bytes_at_rest)
		give_up(connection, "the head of the request took too long");
	else
		connection->waiting_since_ms = now_ms;
}

static void check_body(struct http_connection *connection, int64_t now_us)
{
	struct http_request *request = connection->request;
	int64_t seconds = (now_us - request->begin_us) / 1000000;

	if (seconds > HTTP_BODY_GRACE_SECONDS &&
	    request->body_bytes < (seconds - HTTP_BODY_GRACE_SECONDS) * HTTP_BODY_MIN_RATE)
		give_up(connection, "the body of the request came too slowly");
}

/* The peer left, at least a moment ago: what it still sent has been read. libmicrohttpd does not
 * see that when the last bytes and the end came together. */
static void end_gone(struct http_connection *connection)
{
	if (connection->is_suspended)
		http_connection_resume(connection);
	else if (!connection->request)
		(void)shutdown(connection->fd, SHUT_RDWR);
}

static void check_connection(struct http_connection *connection, int64_t now_ms, int64_t now_us)
{
	struct http_request *request = connection->request;

	if (connection->is_gone)
		end_gone(connection);
	else if (!connection->is_watched && (!request || connection->is_suspended))
		watch(connection);
	if (!request || request->phase == PHASE_HEAD)
		check_head(connection, now_ms);
	else if (request->phase == PHASE_BODY)
		check_body(connection, now_us);
}

/* After a crowd has left its memory goes back to the system. */
static void give_memory_back(struct http_server *server)
{
	if (server->n_connections > server->n_connections_peak)
		server->n_connections_peak = server->n_connections;
	if (server->n_connections_peak < 1000 ||
	    server->n_connections > server->n_connections_peak / 4)
		return;
	server->n_connections_peak = server->n_connections;
	(void)malloc_trim(0);
}

void http_connections_sweep(struct http_server *server)
{
	int64_t now_ms = clock_monotonic_ms(), now_us = clock_monotonic_us();

	for (struct http_connection *c = server->connections, *next; c; c = next) {
		next = c->next;
		check_connection(c, now_ms, now_us);
	}
	http_linger_sweep(server, now_ms);
	give_memory_back(server);
}

void http_connections_end_all(struct http_server *server)
{
	for (struct http_connection *c = server->connections; c; c = c->next) {
		c->is_gone = true;
		http_connection_resume(c);
	}
	MHD_run(server->daemon);
}
