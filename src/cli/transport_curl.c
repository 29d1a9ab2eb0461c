/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport by libcurl, for https:// and for proxies. The library is opened on first use:
 * linking it would make every command load some thirty libraries. One multi handle per stream;
 * bytes that curl hands over wait in a buffer, and the transfer pauses when nobody takes them.
 */
#include "cli/transport_kind.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "cli/terminal.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo

#define PENDING_MAX (1u << 20)

/* What we use of the library. */
static struct {
	void *library;
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_pause) *easy_pause;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_info_read) *multi_info_read;
} lib;

struct curl_transport {
	struct transport base;
	char *url;
	CURLM *multi;
};

struct curl_stream {
	struct transport_stream base;
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	struct buffer pending;
	int body_fd;
	bool has_head, is_paused, is_over;
	CURLcode result;
	char reason[CURL_ERROR_SIZE];
};

static int load_library(struct error *err)
{
	static const struct {
		const char *name;
		void *place;
	} symbols[] = {
	        {"curl_global_init", &lib.global_init},
	        {"curl_easy_init", &lib.easy_init},
	        {"curl_easy_cleanup", &lib.easy_cleanup},
	        {"curl_easy_setopt", &lib.easy_setopt},
	        {"curl_easy_getinfo", &lib.easy_getinfo},
	        {"curl_easy_pause", &lib.easy_pause},
	        {"curl_easy_strerror", &lib.easy_strerror},
	        {"curl_slist_append", &lib.slist_append},
	        {"curl_slist_free_all", &lib.slist_free_all},
	        {"curl_multi_init", &lib.multi_init},
	        {"curl_multi_cleanup", &lib.multi_cleanup},
	        {"curl_multi_add_handle", &lib.multi_add_handle},
	        {"curl_multi_remove_handle", &lib.multi_remove_handle},
	        {"curl_multi_perform", &lib.multi_perform},
	        {"curl_multi_poll", &lib.multi_poll},
	        {"curl_multi_info_read", &lib.multi_info_read},
	};
	if (lib.library)
		return 0;
	void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return fail(
		        err, E_UNSUPPORTED,
		        "https:// addresses and proxies need libcurl (Debian package libcurl4): "
		        "%s",
		        dlerror());
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *symbol = dlsym(library, symbols[i].name);
		if (!symbol)
			return fail(err, E_UNSUPPORTED, "This libcurl has no %s: it is too old",
			            symbols[i].name);
		memcpy(symbols[i].place, &symbol, sizeof symbol);
	}
	if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail(err, E_INTERNAL, "libcurl does not start");
	lib.library = library;
	return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct curl_stream *s = arg;
	size_t len = size * count;
	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	long status = 0;
	(void)lib.easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (len == 0 && status >= 200) {
		s->base.head.status = (int)status;
		s->has_head = true;
	} else if (status >= 200) {
		transport_head_line(&s->base.head, line, len);
	}
	return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct curl_stream *s = arg;
	if (s->pending.len >= PENDING_MAX) {
		s->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return buffer_add(&s->pending, data, size * count) == 0 ? size * count : 0;
}

static size_t on_upload(char *data, size_t size, size_t count, void *arg)
{
	struct curl_stream *s = arg;
	ssize_t n = read(s->body_fd, data, size * count);
	return n < 0 ? CURL_READFUNC_ABORT : (size_t)n;
}

static void set_options(struct curl_transport *t, struct curl_stream *s,
                        const struct transport_question *q)
{
	autofree char *url = xasprintf("%s%s", t->url, q->path);
	const char *ca_file = getenv("SSL_CERT_FILE");
	(void)lib.easy_setopt(s->easy, CURLOPT_URL, url);
	(void)lib.easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)lib.easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
	(void)lib.easy_setopt(s->easy, CURLOPT_ERRORBUFFER, s->reason);
	(void)lib.easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSPORT_CONNECT_MS);
	(void)lib.easy_setopt(s->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)lib.easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)lib.easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
	(void)lib.easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)lib.easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
	if (ca_file && *ca_file)
		(void)lib.easy_setopt(s->easy, CURLOPT_CAINFO, ca_file);
	for (const char *const *h = q->headers; h && *h; h++)
		s->headers = lib.slist_append(s->headers, *h);
	s->headers = lib.slist_append(s->headers, "Expect:");
	if (q->body_fd >= 0) {
		s->body_fd = q->body_fd;
		(void)lib.easy_setopt(s->easy, CURLOPT_POST, 1L);
		(void)lib.easy_setopt(s->easy, CURLOPT_READFUNCTION, on_upload);
		(void)lib.easy_setopt(s->easy, CURLOPT_READDATA, s);
		s->headers = lib.slist_append(s->headers, "Transfer-Encoding: chunked");
	} else if (q->body || strcmp(q->method, "GET") != 0) {
		(void)lib.easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE,
		                      (curl_off_t)q->body_len);
		(void)lib.easy_setopt(s->easy, CURLOPT_COPYPOSTFIELDS, q->body ? q->body : "");
	}
	(void)lib.easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, q->method);
	(void)lib.easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers);
}

/* Let curl work once. False when it timed out or was interrupted. */
static bool turn(struct curl_stream *s, int timeout_ms)
{
	int running = 0, ready = 0, left;
	(void)lib.multi_perform(s->multi, &running);
	for (CURLMsg *m; (m = lib.multi_info_read(s->multi, &left));)
		if (m->msg == CURLMSG_DONE) {
			s->is_over = true;
			s->result = m->data.result;
		}
	if (s->is_over || s->pending.len || s->is_paused)
		return true;
	/* curl_multi_poll() goes on after a signal: short turns notice Ctrl-C. */
	int wait = timeout_ms < 0 || timeout_ms > 200 ? 200 : timeout_ms;
	(void)lib.multi_poll(s->multi, NULL, 0, wait, &ready);
	(void)lib.multi_perform(s->multi, &running);
	return ready > 0;
}

static int no_answer(const struct curl_transport *t, const struct curl_stream *s, struct error *err)
{
	if (strstr(s->reason, "wrong version number"))
		return fail(err, E_UNAVAILABLE,
		            "Cannot reach %s: the server there does not speak HTTPS; try "
		            "http:// in HF_ENDPOINT",
		            t->url);
	if (strstr(s->reason, "SSL_ERROR_SYSCALL")) /* plain HTTP that gave up too early */
		return fail(err, E_UNAVAILABLE,
		            "Cannot reach %s: the server there broke off; if it does not speak "
		            "HTTPS, try http:// in HF_ENDPOINT",
		            t->url);
	if (strstr(s->reason, "self-signed") || strstr(s->reason, "local issuer"))
		return fail(err, E_UNAVAILABLE,
		            "Cannot reach %s: %s; SSL_CERT_FILE names a file of certificates to "
		            "trust",
		            t->url, s->reason);
	return fail(err, E_UNAVAILABLE, "Cannot reach %s: %s", t->url,
	            *s->reason ? s->reason : lib.easy_strerror(s->result));
}

static int transfer_ask(struct transport *base, const struct transport_question *q,
                        struct transport_stream **ret, struct error *err)
{
	struct curl_transport *t = (struct curl_transport *)base;
	struct curl_stream *s = xcalloc(1, sizeof *s);
	s->base.transport = base;
	s->pending = BUFFER_INIT(PENDING_MAX * 2);
	s->easy = lib.easy_init();
	s->multi = t->multi ? take_ptr(&t->multi) : lib.multi_init();
	if (!s->easy || !s->multi)
		BUG("libcurl has no memory");
	set_options(t, s, q);
	(void)lib.multi_add_handle(s->multi, s->easy);
	int waited_ms = 0;
	while (!s->has_head && !s->is_over && !terminal_interrupted()) {
		if (!turn(s, 200) && q->body_fd < 0 && (waited_ms += 200) > TRANSPORT_ANSWER_MS)
			break;
	}
	if (s->has_head) {
		*ret = &s->base;
		return 0;
	}
	int rc = terminal_interrupted() ? fail(err, E_CONFLICT, "interrupted")
	                                : no_answer(t, s, err);
	transport_close(&s->base);
	return rc;
}

static ssize_t transfer_read(struct transport_stream *stream, void *data, size_t max,
                             int timeout_ms, struct error *err)
{
	struct curl_stream *s = (struct curl_stream *)stream;
	int left_ms = timeout_ms;
	for (;;) {
		if (s->pending.len) {
			size_t n = s->pending.len < max ? s->pending.len : max;
			memcpy(data, s->pending.data, n);
			buffer_drop(&s->pending, n);
			return (ssize_t)n;
		}
		if (s->is_paused) {
			s->is_paused = false;
			(void)lib.easy_pause(s->easy, CURLPAUSE_CONT);
		}
		if (s->pending.len)
			continue;
		if (s->is_over && s->result == CURLE_OK)
			return 0;
		if (s->is_over)
			return no_answer((struct curl_transport *)stream->transport, s, err);
		if (terminal_interrupted())
			return TRANSPORT_INTERRUPTED;
		if (!turn(s, left_ms) && timeout_ms >= 0) {
			left_ms -= 200;
			if (left_ms <= 0 && s->pending.len == 0 && !s->is_over)
				return TRANSPORT_TIMEOUT;
		}
	}
}

static int transfer_fd(const struct transport_stream *stream)
{
	const struct curl_stream *s = (const struct curl_stream *)stream;
	curl_socket_t fd = CURL_SOCKET_BAD;
	(void)lib.easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
	return fd == CURL_SOCKET_BAD ? -1 : (int)fd;
}

static void transfer_close(struct transport_stream *stream)
{
	struct curl_stream *s = (struct curl_stream *)stream;
	struct curl_transport *t = (struct curl_transport *)stream->transport;
	(void)lib.multi_remove_handle(s->multi, s->easy);
	lib.easy_cleanup(s->easy);
	/* The multi handle owns the kept connections. */
	if (!t->multi)
		t->multi = s->multi;
	else
		(void)lib.multi_cleanup(s->multi);
	lib.slist_free_all(s->headers);
	buffer_clear(&s->pending);
	free(s);
}

static void transfer_free(struct transport *base)
{
	struct curl_transport *t = (struct curl_transport *)base;
	if (t->multi)
		(void)lib.multi_cleanup(t->multi);
	free(t->url);
	free(t);
}

static const struct transport_kind transfer_kind = {
        .ask = transfer_ask,
        .read = transfer_read,
        .fd = transfer_fd,
        .close = transfer_close,
        .free = transfer_free,
};

int transport_curl_new(const char *url, struct transport **ret, struct error *err)
{
	if (load_library(err) < 0)
		return -1;
	struct curl_transport *t = xcalloc(1, sizeof *t);
	t->base.kind = &transfer_kind;
	t->url = xstrdup(url);
	*ret = &t->base;
	return 0;
}
