/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets, bound while we may still be root. */
#include "server/sockets.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "container/network_endpoint.h"
#include "net/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_pem(const char *path, const char *what, char **ret, struct error *err)
{
	autobuffer struct buffer text = BUFFER_INIT(1024L * 1024);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char piece[4096];
	ssize_t n = 0;

	while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
		if (buffer_add(&text, piece, (size_t)n) < 0)
			return fail(err, E_INVALID, "%s %s is too large", what, path);
	if (fd < 0 || n < 0)
		return fail(err, E_INVALID, "%s %s cannot be read", what, path);
	*ret = buffer_take(&text);
	return 0;
}

/* A name for this machine that at least this machine can resolve. */
static void host_for_clients(const char *address, char *ret, size_t size)
{
	size_t len = (size_t)(strrchr(address, ':') - address);
	struct addrinfo *info = NULL;

	(void)snprintf(ret, size, "%.*s", (int)len, address);
	if (len > 0 && strcmp(ret, "0.0.0.0") != 0 && strcmp(ret, "[::]") != 0 &&
	    strcmp(ret, "*") != 0)
		return;
	if (gethostname(ret, size) < 0 || getaddrinfo(ret, NULL, NULL, &info) != 0)
		(void)snprintf(ret, size, "127.0.0.1");
	else
		freeaddrinfo(info);
}

static void set_endpoint(const struct configuration *c, const char *address, int port,
                         struct sockets *ret)
{
	char host[256];

	if (c->public_url) {
		ret->endpoint = xstrdup(c->public_url);
		return;
	}
	host_for_clients(address, host, sizeof(host));
	ret->endpoint = xasprintf("%s://%s:%d", ret->certificate ? "https" : "http", host, port);
}

static int open_one(const char *address, struct sockets *ret, int *ret_port, struct error *err)
{
	if (ret->n == SOCKETS_MAX)
		return fail(err, E_INVALID, "more than %d addresses to listen on", SOCKETS_MAX - 1);
	if (http_socket_open(address, &ret->open[ret->n].fd, ret_port, err) < 0)
		return -1;
	ret->open[ret->n++].is_unix = strncmp(address, "unix:", 5) == 0;
	return 0;
}

/* For jobs (network.give_endpoint), on the bridge's address, which may not be there yet. */
static int open_for_jobs(const struct configuration *c, struct sockets *ret, struct error *err)
{
	autofree char *address = network_endpoint_listen(c);
	struct sockaddr_in in = {.sin_family = AF_INET};
	autoclose int fd = -1;
	char *colon;

	if (!address)
		return 0;
	if (ret->n == SOCKETS_MAX)
		return fail(err, E_INVALID, "more than %d addresses to listen on", SOCKETS_MAX - 1);
	log_info("listening on %s, for jobs", address);
	colon = strrchr(address, ':');
	*colon = '\0';
	in.sin_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (inet_pton(AF_INET, address, &in.sin_addr) != 1 || fd < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &(int){1}, sizeof(int)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, SOMAXCONN) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno,
		                  "network.give_endpoint: the server cannot listen on %s:%s",
		                  address, colon + 1);
	ret->open[ret->n++].fd = take_fd(&fd);
	return 0;
}

int sockets_open(const struct configuration *c, struct sockets *ret, struct error *err)
{
	autofree char *admin = xasprintf("unix:%s/hearth.sock", c->state_dir);
	int port;

	if (!c->tls_certificate != !c->tls_key)
		return fail(err, E_INVALID,
		            "server.tls_certificate and server.tls_key must be given together");
	if (c->tls_certificate &&
	    (read_pem(c->tls_certificate, "server.tls_certificate", &ret->certificate, err) < 0 ||
	     read_pem(c->tls_key, "server.tls_key", &ret->key, err) < 0))
		return -1;
	for (char **address = c->listen; address && *address; address++) {
		if (open_one(*address, ret, &port, err) < 0)
			return -1;
		bool is_unix = ret->open[ret->n - 1].is_unix;
		if (!is_unix && !ret->endpoint)
			set_endpoint(c, *address, port, ret);
		log_info("listening on %s%s", *address, is_unix || !c->tls_key ? "" : " (TLS)");
	}
	if (open_for_jobs(c, ret, err) < 0)
		return -1;
	return open_one(admin, ret, &port, err);
}
