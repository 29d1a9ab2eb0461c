/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: one libmicrohttpd daemon in external epoll mode without a listening socket of its
 * own. It works when its epoll descriptor is readable, when an answer or a wake-up resumed a
 * connection (at the end of the turn, after the commit), and once a second for time-outs.
 */
#include "net/http_internal.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define RUNS_PER_CALL 4
#define SWEEP_MS 1000

static void run_deferred(void *arg)
{
	struct http_server *server = arg;

	server->is_scheduled = false;
	http_server_run(server);
}

void http_server_schedule(struct http_server *server)
{
	if (server->is_scheduled || server->is_closing)
		return;
	server->is_scheduled = true;
	loop_defer(server->loop, run_deferred, server);
}

void http_server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	/* Not reentrant; what is asked for inside is done by the rounds below or the next turn. */
	if (server->is_running) {
		http_server_schedule(server);
		return;
	}
	server->is_running = true;
	for (int i = 0; i < RUNS_PER_CALL; i++) {
		MHD_run(server->daemon);
		if (MHD_get_timeout(server->daemon, &timeout_ms) != MHD_YES || timeout_ms > 0)
			break;
	}
	server->is_running = false;
	if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
		http_server_schedule(server);
}

static void on_daemon_ready(void *arg, int events)
{
	http_server_run(arg);
}

static void on_sweep(void *arg)
{
	struct http_server *server = arg;

	http_connections_sweep(server);
	http_server_run(server);
	if (server->n_connections < server->options.max_connections)
		http_listeners_pause(server, false);
}

/* Addresses are decoded by the router, segment by segment. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *server)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
	struct MHD_OptionItem tls[] = {
	        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
	        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_certificate},
	        {MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	if (server->is_tls)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(
	        flags, 0, NULL, NULL, http_request_step, server, MHD_OPTION_URI_LOG_CALLBACK,
	        http_request_begin, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
	        MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, server,
	        MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, server,
	        MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->options.max_connections,
	        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)server->options.idle_timeout_s,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_BYTES, MHD_OPTION_ARRAY,
	        server->is_tls ? tls : none, MHD_OPTION_END);
}

static int open_daemon(struct http_server *server, struct error *err)
{
	const struct http_server_options *options = &server->options;

	if (!options->tls_certificate != !options->tls_key)
		return fail(err, E_INVALID, "TLS needs both a certificate and its private key");
	server->is_tls = options->tls_certificate != NULL;
	server->tls_certificate = xstrdup(options->tls_certificate);
	server->tls_key = xstrdup(options->tls_key);
	server->daemon = start_daemon(server);
	if (!server->daemon && server->is_tls)
		return fail(err, E_INVALID,
		            "the TLS certificate and its key do not fit together or are not PEM "
		            "files");
	if (!server->daemon)
		return fail(err, E_INTERNAL, "the HTTP server cannot be started");
	server->gone_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->gone_fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "the HTTP server cannot be started");
	return 0;
}

int http_server_new(struct loop *loop, const struct http_route *routes,
                    const struct http_server_options *options, void *context,
                    struct http_server **ret, struct error *err)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	router_check_table(routes);
	server->loop = loop;
	server->routes = routes;
	server->options = *options;
	server->context = context;
	server->gone_fd = -1;
	server->spool_dir = xstrdup(options->spool_dir ? options->spool_dir : "/tmp");
	if (server->options.max_connections <= 0)
		server->options.max_connections = 16384;
	if (open_daemon(server, err) < 0) {
		http_server_free(server);
		return -1;
	}
	server->options.spool_dir = server->spool_dir;
	const union MHD_DaemonInfo *info =
	        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->daemon_watch =
	        loop_watch_new(loop, info->epoll_fd, UV_READABLE, on_daemon_ready, server);
	server->gone_watch =
	        loop_watch_new(loop, server->gone_fd, UV_READABLE, http_connections_gone, server);
	server->sweep = loop_timer_new(loop, on_sweep, server);
	loop_timer_start(server->sweep, SWEEP_MS, SWEEP_MS);
	*ret = server;
	return 0;
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	http_listeners_free(server);
	loop_watch_free(server->daemon_watch);
	loop_watch_free(server->gone_watch);
	loop_timer_free(server->sweep);
	if (server->daemon) {
		/* libmicrohttpd aborts when it is stopped with suspended connections. */
		http_connections_end_all(server);
		server->is_closing = true;
		MHD_stop_daemon(server->daemon);
	}
	http_linger_sweep(server, INT64_MAX);
	if (server->gone_fd >= 0)
		(void)close(server->gone_fd);
	free(server->spool_dir);
	free(server->tls_certificate);
	free(server->tls_key);
	free(server);
}

int http_server_connection_count(const struct http_server *server)
{
	return server->n_connections;
}
