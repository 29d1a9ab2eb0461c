/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi-socket interface on the loop: curl says which sockets and which time to watch, we
 * tell it what happened. */
#include "net/http_client.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct call *calls;
	bool is_collecting; /* collect() is deferred or running */
};

struct call {
	struct call *next, **at;
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	struct buffer response;
	char problem[CURL_ERROR_SIZE];
	bool is_too_large;
	http_client_fn *fn;
	void *arg;
};

/* A watched socket; remembers what for. */
struct client_socket {
	struct http_client *client;
	struct loop_watch *watch;
	curl_socket_t fd;
};

static void call_free(struct call *call)
{
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	if (call->easy) {
		curl_multi_remove_handle(call->client->multi, call->easy);
		curl_easy_cleanup(call->easy);
	}
	curl_slist_free_all(call->headers);
	buffer_clear(&call->response);
	free(call);
}

static void finish(struct call *call, CURLcode result)
{
	struct error err = ERROR_INIT;
	long status = 0;

	if (result == CURLE_OK)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	else if (call->is_too_large)
		(void)fail(&err, E_UNAVAILABLE, "the answer is larger than %zu bytes",
		           call->response.max);
	else
		(void)fail(&err, E_UNAVAILABLE, "%s",
		           *call->problem ? call->problem : curl_easy_strerror(result));
	call->fn(call->arg, (int)status, buffer_text(&call->response), call->response.len, &err);
	call_free(call);
}

static void collect(void *arg)
{
	struct http_client *client = arg;
	CURLMsg *message;
	int left;

	client->is_collecting = false;
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		finish(call, message->data.result);
	}
}

/* Results are told from the loop, never from inside of a call to us or to curl. */
static void collect_later(struct http_client *client)
{
	if (client->is_collecting)
		return;
	client->is_collecting = true;
	loop_defer(client->loop, collect, client);
}

static void on_socket_ready(void *arg, int events)
{
	struct client_socket *socket = arg;
	struct http_client *client = socket->client;
	int what = events == 0 ? CURL_CSELECT_ERR : 0;
	int running;

	if (events & UV_READABLE)
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(client->multi, socket->fd, what, &running);
	collect_later(client);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *cls, void *socket_cls)
{
	struct http_client *client = cls;
	struct client_socket *socket = socket_cls;
	int events =
	        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (socket)
			loop_watch_free(socket->watch);
		free(socket);
		curl_multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (socket) {
		loop_watch_set(socket->watch, events);
		return 0;
	}
	socket = xcalloc(1, sizeof(*socket));
	socket->client = client;
	socket->fd = fd;
	socket->watch = loop_watch_new(client->loop, fd, events, on_socket_ready, socket);
	curl_multi_assign(client->multi, fd, socket);
	return 0;
}

static void on_timer(void *arg)
{
	struct http_client *client = arg;
	int running;

	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_later(client);
}

static int set_timer(CURLM *multi, long timeout_ms, void *cls)
{
	struct http_client *client = cls;

	if (timeout_ms < 0)
		loop_timer_stop(client->timer);
	else
		loop_timer_start(client->timer, timeout_ms, 0);
	return 0;
}

struct http_client *http_client_new(struct loop *loop)
{
	struct http_client *client = xcalloc(1, sizeof(*client));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		BUG("libcurl cannot be initialized");
	client->loop = loop;
	client->timer = loop_timer_new(loop, on_timer, client);
	client->multi = curl_multi_init();
	if (!client->multi)
		BUG("out of memory");
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	while (client->calls)
		call_free(client->calls);
	curl_multi_cleanup(client->multi);
	loop_timer_free(client->timer);
	free(client);
}

static size_t take_response(char *data, size_t size, size_t count, void *cls)
{
	struct call *call = cls;

	if (buffer_add(&call->response, data, size * count) < 0) {
		call->is_too_large = true;
		return 0;
	}
	return size * count;
}

static void set_options(struct call *call, const struct http_client_request *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_response);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body);
	}
}

void http_client_send(struct http_client *client, const struct http_client_request *request,
                      http_client_fn *fn, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->client = client;
	call->fn = fn;
	call->arg = arg;
	call->response = BUFFER_INIT(request->max_response);
	call->at = &client->calls;
	call->next = client->calls;
	if (call->next)
		call->next->at = &call->next;
	client->calls = call;
	for (const char *const *header = request->headers; header && *header; header++)
		call->headers = curl_slist_append(call->headers, *header);
	call->easy = curl_easy_init();
	if (!call->easy)
		BUG("out of memory");
	set_options(call, request);
	curl_multi_add_handle(client->multi, call->easy);
}
