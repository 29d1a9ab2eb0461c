/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi-socket interface on the loop: curl says which sockets and which time to watch, we
 * tell it what happened. Redirects are ours: curl would show every header to the next host. */
#include "net/http_client.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "net/http_url.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEADERS_MAX (16 * 1024)
#define IDLE_CONNECTIONS_MAX 256L
#define CONNECTION_IDLE_S 60L

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct call *calls;
	bool is_collecting;      /* collect() is deferred or running */
	const struct call *told; /* whose function is being called */
};

struct call {
	struct call *next, **at;
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers, *private_headers, *sent_headers;
	struct buffer response, answer_headers;
	char *url;
	char problem[CURL_ERROR_SIZE];
	bool is_too_large, is_cut, is_refused, is_elsewhere;
	bool (*allows)(const struct sockaddr *address);
	int redirects_left;
	int64_t ends_ms;
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
	curl_slist_free_all(call->private_headers);
	curl_slist_free_all(call->sent_headers);
	buffer_clear(&call->response);
	buffer_clear(&call->answer_headers);
	free(call->url);
	free(call);
}

static void set_headers(struct call *call)
{
	curl_slist_free_all(call->sent_headers);
	call->sent_headers = NULL;
	for (const struct curl_slist *h = call->headers; h; h = h->next)
		call->sent_headers = curl_slist_append(call->sent_headers, h->data);
	for (const struct curl_slist *h = call->private_headers; h && !call->is_elsewhere;
	     h = h->next)
		call->sent_headers = curl_slist_append(call->sent_headers, h->data);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->sent_headers);
}

/* The answer was a redirect, and the same request is on its way to the new place. */
static bool follow(struct call *call, long status)
{
	const char *next = NULL;
	int64_t left_ms = call->ends_ms - clock_monotonic_ms();

	if ((status != 301 && status != 302 && status != 307 && status != 308) ||
	    call->redirects_left <= 0 || left_ms <= 0)
		return false;
	curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &next);
	if (!next)
		return false;
	call->redirects_left--;
	if (!http_url_may_share(call->url, next))
		call->is_elsewhere = true;
	free(call->url);
	call->url = xstrdup(next);
	buffer_reset(&call->response);
	buffer_reset(&call->answer_headers);
	curl_multi_remove_handle(call->client->multi, call->easy);
	curl_easy_setopt(call->easy, CURLOPT_URL, call->url);
	curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	set_headers(call);
	curl_multi_add_handle(call->client->multi, call->easy);
	return true;
}

static void finish(struct call *call, CURLcode result)
{
	struct error err = ERROR_INIT;
	long status = 0;

	if (result == CURLE_OK ||
	    (result == CURLE_WRITE_ERROR && call->is_cut && call->is_too_large))
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status && follow(call, status))
		return;
	if (status)
		;
	else if (call->is_refused)
		(void)fail(&err, E_FORBIDDEN, "the address of this host is not allowed");
	else if (call->is_too_large)
		(void)fail(&err, E_UNAVAILABLE, "the answer is larger than %zu bytes",
		           call->response.max);
	else
		(void)fail(&err, E_UNAVAILABLE, "%s",
		           *call->problem ? call->problem : curl_easy_strerror(result));
	call->client->told = call;
	call->fn(call->arg, (int)status, buffer_text(&call->response), call->response.len, &err);
	call->client->told = NULL;
	call_free(call);
}

const char *http_client_answer_headers(const struct http_client *client)
{
	return client->told ? buffer_text(&client->told->answer_headers) : "";
}

const char *http_client_answer_url(const struct http_client *client)
{
	return client->told ? client->told->url : "";
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
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
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
	size_t room = call->response.max - call->response.len;

	if (buffer_add(&call->response, data, size * count) < 0) {
		call->is_too_large = true;
		if (call->is_cut)
			(void)buffer_add(&call->response, data, room);
		return 0;
	}
	return size * count;
}

/* A status line begins the headers of another answer: the one before was "100 Continue". */
static size_t take_header(char *data, size_t size, size_t count, void *cls)
{
	struct call *call = cls;

	if (size * count > 5 && memcmp(data, "HTTP/", 5) == 0)
		buffer_reset(&call->answer_headers);
	else
		(void)buffer_add(&call->answer_headers, data, size * count);
	return size * count;
}

static curl_socket_t open_socket(void *cls, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct call *call = cls;

	if (!call->allows(&address->addr)) {
		call->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	call->is_refused = false;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_guard(struct call *call)
{
	if (!call->allows)
		return;
	curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
}

static void set_options(struct call *call, const struct http_client_request *request)
{
	CURL *easy = call->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_response);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S);
	set_headers(call);
	set_guard(call);
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
	call->answer_headers = BUFFER_INIT(HEADERS_MAX);
	call->url = xstrdup(request->url);
	call->is_cut = request->is_cut;
	call->allows = request->allows;
	call->redirects_left = request->max_redirects;
	call->ends_ms = clock_monotonic_ms() + request->timeout_ms;
	call->at = &client->calls;
	call->next = client->calls;
	if (call->next)
		call->next->at = &call->next;
	client->calls = call;
	for (const char *const *header = request->headers; header && *header; header++)
		call->headers = curl_slist_append(call->headers, *header);
	for (const char *const *header = request->private_headers; header && *header; header++)
		call->private_headers = curl_slist_append(call->private_headers, *header);
	call->easy = curl_easy_init();
	if (!call->easy)
		BUG("out of memory");
	set_options(call, request);
	curl_multi_add_handle(client->multi, call->easy);
}
