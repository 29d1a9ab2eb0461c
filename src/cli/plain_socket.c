/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, sending and receiving with a limit on the time each may take. */
#include "cli/plain_socket.h"

#include "base/cleanup.h"
#include "cli/terminal.h"
#include "cli/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* 1 ready, 0 timeout, -1 with errno. A signal that is not Ctrl-C does not end the wait. */
static int wait_for(int fd, short events, int timeout_ms, short *ret_events)
{
	struct pollfd p = {.fd = fd, .events = events};
	for (;;) {
		int rc = poll(&p, 1, timeout_ms);
		if (rc < 0 && errno == EINTR && !terminal_interrupted())
			continue;
		if (ret_events)
			*ret_events = p.revents;
		return rc;
	}
}

static int finish_connect(int fd)
{
	if (errno != EINPROGRESS && errno != EAGAIN)
		return errno;
	int rc = wait_for(fd, POLLOUT, TRANSPORT_CONNECT_MS, NULL);
	if (rc == 0)
		return ETIMEDOUT;
	if (rc < 0)
		return errno;
	int value = 0;
	socklen_t len = sizeof value;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len) < 0)
		return errno;
	return value;
}

/* 0, or an errno value. */
static int try_connect(const struct sockaddr *address, socklen_t len, int *ret_fd)
{
	autoclose int fd =
	        socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	if (connect(fd, address, len) < 0) {
		int failed = finish_connect(fd);
		if (failed)
			return failed;
	}
	if (address->sa_family != AF_UNIX) {
		int on = 1;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

int plain_socket_connect(const char *host, const char *port, int *ret_fd, struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	                         .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, port, &hints, &list);
	if (rc == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
		rc = getaddrinfo(host, port, &hints, &list);
	}
	if (rc != 0)
		return fail(err, E_UNAVAILABLE, "the host name '%s' is not known (%s)", host,
		            gai_strerror(rc));
	int failed = EADDRNOTAVAIL;
	for (const struct addrinfo *a = list; a && failed; a = a->ai_next)
		failed = try_connect(a->ai_addr, a->ai_addrlen, ret_fd);
	freeaddrinfo(list);
	if (failed == EINTR)
		return fail(err, E_CONFLICT, "interrupted");
	if (failed == ECONNREFUSED)
		return fail(err, E_UNAVAILABLE, "nothing listens there");
	if (failed)
		return fail_errno(err, E_UNAVAILABLE, failed, "no connection");
	return 0;
}

int plain_socket_connect_unix(const char *path, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return fail(err, E_INVALID, "The socket's path is longer than %zu characters: %s",
		            sizeof address.sun_path - 1, path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	int failed = try_connect((const struct sockaddr *)&address, sizeof address, ret_fd);
	if (failed == ENOENT || failed == ECONNREFUSED)
		return fail(err, E_UNAVAILABLE,
		            "hearthd is not running here: nothing listens at %s. Run this on the "
		            "server machine; --socket or HEARTH_SOCKET name another place",
		            path);
	if (failed == EACCES || failed == EPERM)
		return fail(err, E_FORBIDDEN,
		            "You may not use %s: run this as root or as the user who started "
		            "hearthd",
		            path);
	if (failed)
		return fail_errno(err, E_UNAVAILABLE, failed, "Cannot connect to %s", path);
	return 0;
}

int plain_socket_send(int fd, const void *data, size_t len, bool *ret_early, struct error *err)
{
	const char *p = data;
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET) {
			*ret_early = true; /* it may have said why before it closed */
			return 0;
		}
		short events = 0;
		int rc = errno == EAGAIN || errno == EINTR
		                 ? wait_for(fd, POLLOUT | POLLIN, TRANSPORT_ANSWER_MS, &events)
		                 : -1;
		if (rc < 0 && errno == EINTR)
			return fail(err, E_CONFLICT, "interrupted");
		if (rc < 0)
			return fail_errno(err, E_UNAVAILABLE, errno, "the connection broke");
		if (rc == 0)
			return fail(err, E_UNAVAILABLE, "the server takes no data any more");
		if ((events & POLLIN) && !(events & POLLOUT)) {
			*ret_early = true;
			return 0;
		}
	}
	return 0;
}

ssize_t plain_socket_receive(int fd, void *data, size_t max, int timeout_ms, struct error *err)
{
	for (;;) {
		if (terminal_interrupted())
			return TRANSPORT_INTERRUPTED;
		ssize_t n = recv(fd, data, max, 0);
		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return fail_errno(err, E_UNAVAILABLE, errno, "the connection broke");
		int rc = wait_for(fd, POLLIN, timeout_ms, NULL);
		if (rc == 0)
			return TRANSPORT_TIMEOUT;
		if (rc < 0 && errno != EINTR)
			return fail_errno(err, E_UNAVAILABLE, errno, "the connection broke");
	}
}
