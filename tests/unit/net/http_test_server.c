/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small server on src/net for tests/contract/test_http.py: one route per behaviour. Prints the
 * port that it listens on. Arguments: [--tls CERTIFICATE KEY] [--unix PATH] [--idle SECONDS].
 */
#include "base/memory.h"
#include "base/file.h"
#include "base/log.h"
#include "net/http_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct loop *loop;
static struct http_server *server;
static int cancelled, streams_done, committed;

struct pending {
	struct http_request *request;
	struct loop_timer *timer;
	struct pending *next;
};
static struct pending *waiting_for_commit;

struct producer {
	struct http_stream *stream;
	struct loop_timer *timer;
	long left, sent;
	bool is_due;
};

static void hello(struct http_request *request, void *context)
{
	http_respond(request, 200, "text/plain", "hello\n", 6);
}

static void echo(struct http_request *request, void *context)
{
	size_t len;
	const char *body = http_body(request, &len);

	http_respond(request, 200, "application/octet-stream", body, len);
}

static void item(struct http_request *request, void *context)
{
	json_t *values = json_array();
	const char *q = http_query(request, "q");

	json_array_append_new(values, json_string(http_param(request, "name")));
	json_array_append_new(values, q ? json_string(q) : json_null());
	http_respond_json(request, 200, values);
}

static void base_url(struct http_request *request, void *context)
{
	const char *url = http_base_url(request, NULL);

	http_respond(request, 200, "text/plain", url, strlen(url));
}

static void json_body(struct http_request *request, void *context)
{
	struct error err = ERROR_INIT;
	json_t *body;

	if (http_body_json(request, &body, &err) < 0)
		http_respond_error(request, &err);
	else
		http_respond_json(request, 200, body);
}

static void spooled(struct http_request *request, void *context)
{
	int fd = http_body_fd(request);
	long total = 0;
	char piece[65536];
	char text[32];

	for (ssize_t n; fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0;)
		total += n;
	(void)snprintf(text, sizeof(text), "%ld", total);
	http_respond(request, 200, "text/plain", text, strlen(text));
}

static void error_text(struct http_request *request, void *context)
{
	struct error err = ERROR_INIT;

	(void)fail(&err, E_CONFLICT, "na\xc3\xafve \"quote\"");
	http_respond_error(request, &err);
}

static void answer_pending(void *arg)
{
	struct pending *pending = arg;

	loop_timer_free(pending->timer);
	http_respond(pending->request, 200, "text/plain", "later\n", 6);
	free(pending);
}

static void drop_pending(void *arg)
{
	struct pending *pending = arg;

	cancelled++;
	loop_timer_free(pending->timer);
	free(pending);
}

static struct pending *pending_new(struct http_request *request)
{
	struct pending *pending = xcalloc(1, sizeof(*pending));

	pending->request = request;
	pending->timer = loop_timer_new(loop, answer_pending, pending);
	return pending;
}

static void later(struct http_request *request, void *context)
{
	struct pending *pending = pending_new(request);
	const char *ms = http_query(request, "ms");

	loop_timer_start(pending->timer, ms ? atol(ms) : 10, 0);
	http_on_cancel(request, drop_pending, pending);
}

/* Answers although the client may have left: no cancel function. */
static void stubborn(struct http_request *request, void *context)
{
	loop_timer_start(pending_new(request)->timer, 3000, 0);
}

static void never(struct http_request *request, void *context)
{
	http_on_cancel(request, drop_pending, pending_new(request));
}

static void after_commit(struct http_request *request, void *context)
{
	struct pending *pending = xcalloc(1, sizeof(*pending));

	pending->request = request;
	pending->next = waiting_for_commit;
	waiting_for_commit = pending;
}

static void end_of_turn(void *arg)
{
	struct pending *all = waiting_for_commit;

	waiting_for_commit = NULL;
	committed += all != NULL;
	for (struct pending *p = all, *next; p; p = next) {
		next = p->next;
		http_respond(p->request, 201, "text/plain", "committed\n", 10);
		free(p);
	}
}

static ssize_t fill_lines(void *arg, char *data, size_t max)
{
	struct producer *producer = arg;
	size_t len = 0;

	while (producer->sent < producer->left && len + 32 < max)
		len += (size_t)snprintf(data + len, 32, "line %ld\n", producer->sent++);
	return len > 0 ? (ssize_t)len : -1;
}

static void producer_done(void *arg)
{
	struct producer *producer = arg;

	streams_done++;
	loop_timer_free(producer->timer);
	free(producer);
}

static void lines(struct http_request *request, void *context)
{
	struct producer *producer = xcalloc(1, sizeof(*producer));

	producer->left = atol(http_param(request, "count"));
	producer->stream = http_respond_stream(
	        request, 200, "text/plain",
	        &(struct http_stream_source){fill_lines, producer_done, producer});
}

static ssize_t fill_tick(void *arg, char *data, size_t max)
{
	struct producer *producer = arg;

	if (producer->left >= 0 && producer->sent >= producer->left)
		return -1;
	if (!producer->is_due)
		return 0;
	producer->is_due = false;
	return snprintf(data, max, "tick %ld\n", producer->sent++);
}

static void on_tick(void *arg)
{
	struct producer *producer = arg;

	producer->is_due = true;
	http_stream_wake(producer->stream);
}

static void ticks(struct http_request *request, void *context)
{
	struct producer *producer = xcalloc(1, sizeof(*producer));
	const char *count = http_query(request, "count");
	const char *ms = http_query(request, "ms");

	producer->left = count ? atol(count) : -1;
	producer->is_due = true;
	producer->timer = loop_timer_new(loop, on_tick, producer);
	producer->stream = http_respond_stream(
	        request, 200, "text/event-stream",
	        &(struct http_stream_source){fill_tick, producer_done, producer});
	loop_timer_start(producer->timer, ms ? atol(ms) : 20, ms ? atol(ms) : 20);
}

static void counts(struct http_request *request, void *context)
{
	http_respond_json(request, 200,
	                  json_pack("{s:i,s:i,s:i,s:i}", "cancelled", cancelled, "streams_done",
	                            streams_done, "committed", committed, "connections",
	                            http_server_connection_count(server)));
}

static void nothing(struct http_request *request, void *context)
{
	http_respond(request, 204, NULL, "", 0);
}

static const struct http_route routes[] = {
        {"GET", "/hello", hello, 0, false, NULL},
        {"GET", "/items/special", hello, 0, false, NULL},
        {"GET", "/items/{name}", item, 0, false, NULL},
        {"GET", "/files/{name...}", item, 0, false, NULL},
        {"POST", "/echo", echo, 4 * 1024 * 1024, false, NULL},
        {"POST", "/json", json_body, 65536, false, NULL},
        {"POST", "/spool", spooled, -1, true, NULL},
        {"POST", "/later", later, 1024, false, NULL},
        {"GET", "/later", later, 0, false, NULL},
        {"GET", "/stubborn", stubborn, 0, false, NULL},
        {"GET", "/never", never, 0, false, NULL},
        {"POST", "/commit", after_commit, 65536, false, NULL},
        {"GET", "/lines/{count}", lines, 0, false, NULL},
        {"GET", "/ticks", ticks, 0, false, NULL},
        {"GET", "/counts", counts, 0, false, NULL},
        {"GET", "/base", base_url, 0, false, NULL},
        {"GET", "/error", error_text, 0, false, NULL},
        {"DELETE", "/hello", nothing, 0, false, NULL},
        {NULL, NULL, NULL, 0, false, NULL},
};

static char *read_text(const char *path)
{
	struct error err = ERROR_INIT;
	struct buffer text = BUFFER_INIT(1024L * 1024);

	if (file_read(AT_FDCWD, path, &text, &err) < 0)
		log_error("%s", err.text);
	return buffer_take(&text);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	loop_stop(loop);
}

int main(int argc, char **argv)
{
	struct http_server_options options = {.max_connections = 20000, .idle_timeout_s = 60};
	struct error err = ERROR_INIT;
	const char *unix_path = NULL;
	uv_signal_t term;
	int port;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
			options.tls_certificate = read_text(argv[++i]);
			options.tls_key = read_text(argv[++i]);
		} else if (strcmp(argv[i], "--unix") == 0 && i + 1 < argc) {
			unix_path = argv[++i];
		} else if (strcmp(argv[i], "--idle") == 0 && i + 1 < argc) {
			options.idle_timeout_s = atol(argv[++i]);
		}
	}
	log_open("http_test_server", LOG_LEVEL_INFO);
	(void)signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	loop_set_turn_end(loop, end_of_turn, NULL);
	if (http_server_new(loop, routes, &options, NULL, &server, &err) < 0 ||
	    http_server_listen(server, "127.0.0.1:0", &port, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	char address[300];
	(void)snprintf(address, sizeof(address), "unix:%s", unix_path ? unix_path : "");
	if (unix_path && http_server_listen(server, address, NULL, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	uv_signal_init(loop_uv(loop), &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	printf("%d\n", port);
	(void)fflush(stdout);
	loop_run(loop);
	http_server_free(server);
	free((char *)options.tls_certificate);
	free((char *)options.tls_key);
	uv_close((uv_handle_t *)&term, NULL);
	loop_free(loop);
	return 0;
}
