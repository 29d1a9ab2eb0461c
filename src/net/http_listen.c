/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: TCP over IPv4 and IPv6, and Unix sockets. Accepted sockets go to
 * libmicrohttpd. At the limit of connections or descriptors nothing is accepted for a second. */
#include "net/http_internal.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 4096
#define ACCEPTS_PER_CALL 64

static void set_option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* A peer that vanished without a word is noticed after a minute or two. */
static void prepare_tcp(int fd)
{
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 120 * 1000);
}

void http_listeners_pause(struct http_server *server, bool pause)
{
	if (server->is_full == pause)
		return;
	server->is_full = pause;
	for (struct http_listener *l = server->listeners; l; l = l->next)
		loop_watch_set(l->watch, pause ? 0 : UV_READABLE);
}

static void on_connection(void *arg, int events)
{
	struct http_listener *listener = arg;
	struct http_server *server = listener->server;

	for (int i = 0; i < ACCEPTS_PER_CALL; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t len = sizeof(peer);

		if (server->n_connections >= server->options.max_connections) {
			http_listeners_pause(server, true);
			break;
		}
		int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len,
		                 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
				log_warning("no connection can be accepted: %s", strerror(errno));
				http_listeners_pause(server, true);
			}
			break;
		}
		if (!listener->unix_path)
			prepare_tcp(fd);
		/* It closes the descriptor when it refuses. */
		(void)MHD_add_connection(server->daemon, fd, (struct sockaddr *)&peer, len);
	}
	http_server_run(server);
}

void http_server_add_socket(struct http_server *server, int take_fd)
{
	struct http_listener *listener = xcalloc(1, sizeof(*listener));
	struct sockaddr_un bound = {0};
	socklen_t len = sizeof(bound) - 1;

	(void)getsockname(take_fd, (struct sockaddr *)&bound, &len);
	listener->server = server;
	listener->fd = take_fd;
	listener->unix_path = bound.sun_family == AF_UNIX ? xstrdup(bound.sun_path) : NULL;
	listener->watch =
	        loop_watch_new(server->loop, take_fd, UV_READABLE, on_connection, listener);
	listener->next = server->listeners;
	server->listeners = listener;
}

static int open_unix(const char *path, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(err, E_INVALID, "the path of the Unix socket %s is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* Whoever holds the state directory's lock may take over a socket that was left behind. */
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0600) < 0 || listen(fd, BACKLOG) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot listen on unix:%s", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

static int split_address(const char *address, char host[256], char port[8], struct error *err)
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	size_t len = colon ? (size_t)(colon - address) : 0;
	char *end;

	if (strstr(address, "://"))
		return fail(err, E_INVALID,
		            "listen address %s must be ADDRESS:PORT without http:// or https://; "
		            "server.tls_certificate and server.tls_key turn TLS on",
		            address);
	if (colon && address[0] == '[' && len > 2 && colon[-1] == ']') {
		start++;
		len -= 2;
	} else if (colon && memchr(address, ':', len)) {
		return fail(err, E_INVALID, "listen address %s: write IPv6 as [ADDRESS]:PORT",
		            address);
	}
	if (!colon || len >= 256 || strlen(colon + 1) > 5 || colon[1] < '0' || colon[1] > '9' ||
	    strtol(colon + 1, &end, 10) > 65535 || *end)
		return fail(err, E_INVALID,
		            "listen address %s must be ADDRESS:PORT, [IPv6]:PORT or unix:PATH",
		            address);
	memcpy(host, start, len);
	host[len] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static int bind_tcp(const struct addrinfo *info, const char *address, int *ret_fd,
                    struct error *err)
{
	autoclose int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot listen on %s", address);
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (info->ai_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		if (errno == EADDRINUSE)
			return fail(err, E_CONFLICT,
			            "%s is in use by another program; choose another with --listen",
			            address);
		if (errno == EADDRNOTAVAIL)
			return fail(err, E_INVALID,
			            "%s is not an address of this machine; choose another with "
			            "--listen",
			            address);
		if (errno == EACCES)
			return fail(err, E_INVALID,
			            "%s: ports below 1024 need root; choose another with --listen",
			            address);
		return fail_errno(err, E_INTERNAL, errno, "cannot listen on %s", address);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static int bound_port(int fd)
{
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);

	(void)getsockname(fd, (struct sockaddr *)&bound, &len);
	if (bound.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
	return ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

static int open_tcp(const char *address, int *ret_fd, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	                         .ai_socktype = SOCK_STREAM};
	struct addrinfo *info = NULL;
	char host[256], port[8];

	if (split_address(address, host, port, err) < 0)
		return -1;
	int problem =
	        getaddrinfo(*host && strcmp(host, "*") != 0 ? host : NULL, port, &hints, &info);
	if (problem)
		return fail(err, E_INVALID, "listen address %s: %s", address,
		            gai_strerror(problem));
	int result = bind_tcp(info, address, ret_fd, err);
	freeaddrinfo(info);
	return result;
}

int http_socket_open(const char *address, int *ret_fd, int *ret_port, struct error *err)
{
	bool is_unix = strncmp(address, "unix:", 5) == 0;

	if ((is_unix ? open_unix(address + 5, ret_fd, err) : open_tcp(address, ret_fd, err)) < 0)
		return -1;
	if (ret_port)
		*ret_port = is_unix ? 0 : bound_port(*ret_fd);
	return 0;
}

int http_server_listen(struct http_server *server, const char *address, int *ret_port,
                       struct error *err)
{
	int fd;

	if (http_socket_open(address, &fd, ret_port, err) < 0)
		return -1;
	http_server_add_socket(server, fd);
	return 0;
}

void http_listeners_free(struct http_server *server)
{
	while (server->listeners) {
		struct http_listener *listener = server->listeners;

		server->listeners = listener->next;
		loop_watch_free(listener->watch);
		(void)close(listener->fd);
		if (listener->unix_path)
			(void)unlink(listener->unix_path);
		free(listener->unix_path);
		free(listener);
	}
}
