/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One delivery to a URL: headers, signature, what is kept of the request and of the answer. The
 * secret goes to the receiver and never into what is kept.
 */
#include "base/address_guard.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/memory.h"
#include "job/webhook_private.h"
#include "net/http_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REDIRECTS_MAX 3
#define ANSWER_MAX (64 * 1024) /* read, so that the connection can be used again */
#define ANSWER_KEPT_MAX (4 * 1024)
#define LOG_TEXT_MAX ((size_t)256 * 1024)
#define HEADERS_MAX 8

struct webhook_request {
	struct webhook_request *next, **at;
	struct webhook_service *service;
	struct webhook_delivery delivery;
	webhook_request_fn *fn;
	void *arg;
	int64_t started_us;
};

static void request_free(struct webhook_request *request)
{
	*request->at = request->next;
	if (request->next)
		request->next->at = request->at;
	webhook_delivery_clear(&request->delivery);
	free(request);
}

void webhook_request_stop(struct webhook_service *service)
{
	struct webhook_request *request, *next;

	http_client_free(service->client);
	service->client = NULL;
	for (request = service->requests; request; request = next) {
		next = request->next;
		request_free(request);
	}
}

bool webhook_request_allows(const struct sockaddr *address)
{
	return !address_guard_refuses(address) && !address_guard_is_private(address);
}

/* Answers that speak of the request itself: the same one again would get the same. */
static bool request_is_refusal(int status)
{
	switch (status) {
	case 400:
	case 405:
	case 406:
	case 410:
	case 411:
	case 413:
	case 414:
	case 415:
	case 422:
	case 431:
		return true;
	default:
		return false;
	}
}

static void request_add_string(struct buffer *ret, const char *text, size_t len)
{
	(void)buffer_add_byte(ret, '"');
	(void)json_escape(ret, text, len);
	(void)buffer_add_byte(ret, '"');
}

/* "Name: value" as a member; the value of a secret is not kept. */
static void request_add_header(struct buffer *ret, const char *line, size_t len, bool is_first)
{
	static const char secret[] = "X-Webhook-Secret:";
	const char *colon = memchr(line, ':', len);
	bool is_secret = strncmp(line, secret, sizeof(secret) - 1) == 0;
	size_t skip;

	if (!is_first)
		(void)buffer_add_byte(ret, ',');
	request_add_string(ret, line, (size_t)(colon - line));
	(void)buffer_add_byte(ret, ':');
	skip = (size_t)(colon - line) + 1;
	while (skip < len && line[skip] == ' ')
		skip++;
	if (is_secret)
		request_add_string(ret, "***", 3);
	else
		request_add_string(ret, line + skip, len - skip);
}

static char *request_describe(const char *url, const char *const *headers)
{
	autobuffer struct buffer text = BUFFER_INIT(LOG_TEXT_MAX);

	(void)buffer_add_text(&text, "{\"method\":\"POST\",\"url\":");
	request_add_string(&text, url, strlen(url));
	(void)buffer_add_text(&text, ",\"headers\":{");
	for (size_t i = 0; headers[i]; i++)
		request_add_header(&text, headers[i], strlen(headers[i]), i == 0);
	(void)buffer_add_text(&text, "}}");
	return buffer_take(&text);
}

static void request_add_answer_headers(struct buffer *text, const char *lines)
{
	bool is_first = true;

	while (*lines) {
		size_t len = strcspn(lines, "\r\n");

		if (memchr(lines, ':', len)) {
			request_add_header(text, lines, len, is_first);
			is_first = false;
		}
		lines += len;
		lines += strspn(lines, "\r\n");
	}
}

static char *request_describe_answer(const struct http_client *client, int status, const char *body,
                                     size_t len)
{
	autobuffer struct buffer text = BUFFER_INIT(LOG_TEXT_MAX);
	size_t kept = len < ANSWER_KEPT_MAX ? len : ANSWER_KEPT_MAX;

	while (kept < len && kept > 0 && ((unsigned char)body[kept] & 0xc0) == 0x80)
		kept--;
	(void)buffer_printf(&text, "{\"status\":%d,\"url\":", status);
	request_add_string(&text, http_client_answer_url(client),
	                   strlen(http_client_answer_url(client)));
	(void)buffer_add_text(&text, ",\"headers\":{");
	request_add_answer_headers(&text, http_client_answer_headers(client));
	(void)buffer_add_text(&text, "},\"body\":");
	request_add_string(&text, body, kept);
	(void)buffer_printf(&text, ",\"isCut\":%s}", kept < len ? "true" : "false");
	return buffer_take(&text);
}

static void request_answered(void *arg, int status, const char *body, size_t len,
                             const struct error *err)
{
	struct webhook_request *request = arg;
	struct webhook_delivery *delivery = &request->delivery;
	bool is_final = status ? request_is_refusal(status) : err->code == E_FORBIDDEN;

	delivery->status = status;
	delivery->duration_ms = (clock_monotonic_us() - request->started_us) / 1000;
	if (status)
		delivery->response =
		        request_describe_answer(request->service->client, status, body, len);
	if (!status && err->code == E_FORBIDDEN)
		delivery->error =
		        xasprintf("%s is an address of this machine or of a private network; the "
		                  "operator can allow that (setting "
		                  "webhooks.private_addresses)",
		                  http_client_answer_url(request->service->client));
	else if (!status)
		delivery->error = xstrdup(err->text);
	else if (status < 200 || status > 299)
		delivery->error = xasprintf("the receiver answered %d", status);
	request->fn(request->arg, delivery, is_final);
	request_free(request);
}

/* Job events carry a signature and not the secret, which is the key of it. */
struct headers {
	char *made[HEADERS_MAX + 1];
	size_t n;
	char *secret[2];
};

static int headers_make(struct webhook_service *service, const struct webhook *webhook,
                        const struct webhook_delivery *delivery, const char *body,
                        struct headers *ret, struct error *err)
{
	char secret[WEBHOOK_SECRET_MAX + 1] = "", stamp[32], sum[HMAC_HEX_SIZE];
	bool is_repo = strncmp(delivery->event.name, "repo", 4) == 0 ||
	               strncmp(delivery->event.name, "discussion", 10) == 0;

	*ret = (struct headers){0};
	if (webhook->has_secret && webhook_secret(service, webhook->id, secret, err) < 0)
		return -1;
	ret->made[ret->n++] = xstrdup("Content-Type: application/json");
	ret->made[ret->n++] = xstrdup("Expect:"); /* no waiting for "100 Continue" */
	ret->made[ret->n++] = xasprintf("X-Hearth-Event: %s", delivery->event.name);
	ret->made[ret->n++] = xasprintf("X-Hearth-Event-Id: %s", delivery->event.id);
	ret->made[ret->n++] = xasprintf("X-Hearth-Delivery: %s", delivery->id);
	if (!webhook->has_secret)
		return 0;
	snprintf(stamp, sizeof(stamp), "%lld.", (long long)(clock_now_ms() / 1000));
	hmac_sha256(secret, stamp, body, strlen(body), sum);
	ret->made[ret->n++] =
	        xasprintf("X-Hearth-Signature: t=%.*s,v1=%s", (int)strlen(stamp) - 1, stamp, sum);
	if (is_repo)
		ret->secret[0] = xasprintf("X-Webhook-Secret: %s", secret);
	seal_wipe(secret, sizeof(secret));
	return 0;
}

static char *headers_describe(const struct headers *headers, const char *url)
{
	const char *all[HEADERS_MAX + 2] = {0};
	size_t n = 0;

	for (size_t i = 0; i < headers->n; i++)
		if (strcmp(headers->made[i], "Expect:") != 0)
			all[n++] = headers->made[i];
	all[n] = headers->secret[0];
	return request_describe(url, all);
}

static void headers_clear(struct headers *headers)
{
	for (size_t i = 0; i < headers->n; i++)
		free(headers->made[i]);
	if (headers->secret[0])
		seal_wipe(headers->secret[0], strlen(headers->secret[0]));
	free(headers->secret[0]);
}

static void request_post(struct webhook_request *request, const char *url,
                         const struct headers *headers, const char *body)
{
	struct webhook_service *service = request->service;
	const struct configuration *c = service->configuration;
	struct http_client_request post = {
	        .method = "POST",
	        .url = url,
	        .headers = (const char *const *)headers->made,
	        .private_headers = (const char *const *)headers->secret,
	        .body = body,
	        .body_len = strlen(body),
	        .max_response = ANSWER_MAX,
	        .is_cut = true,
	        .timeout_ms = c->webhook_timeout_s * 1000,
	        .max_redirects = REDIRECTS_MAX,
	        .allows = c->webhook_private_addresses ? NULL : webhook_request_allows,
	};

	/* Not the one of the upstream Hub, whose connections nobody judged. */
	if (!service->client)
		service->client = http_client_new(service->loop);
	request->delivery.request = headers_describe(headers, url);
	request->started_us = clock_monotonic_us();
	http_client_send(service->client, &post, request_answered, request);
}

/* What cannot be sent at all is told from a later turn too. */
static void request_fail(void *arg)
{
	struct webhook_request *request = arg;

	request->fn(request->arg, &request->delivery, true);
	request_free(request);
}

void webhook_request_send(struct webhook_service *service, const struct webhook *webhook,
                          struct webhook_delivery *take_delivery, webhook_request_fn *fn, void *arg)
{
	struct webhook_request *request = xcalloc(1, sizeof(*request));
	autofree char *body = webhook_payload_text(take_delivery->event.payload, webhook->id);
	struct error err = ERROR_INIT;
	struct headers headers;

	*request = (struct webhook_request){
	        .service = service, .delivery = *take_delivery, .fn = fn, .arg = arg};
	*take_delivery = (struct webhook_delivery){0};
	request->at = &service->requests;
	request->next = service->requests;
	if (request->next)
		request->next->at = &request->next;
	service->requests = request;
	free(request->delivery.request);
	free(request->delivery.response);
	free(request->delivery.error);
	request->delivery.request = request->delivery.response = request->delivery.error = NULL;
	request->delivery.attempts++;
	if (headers_make(service, webhook, &request->delivery, body, &headers, &err) < 0) {
		request->delivery.error = xstrdup(err.text);
		loop_defer(service->loop, request_fail, request);
	} else {
		request_post(request, webhook->url, &headers, body);
	}
	headers_clear(&headers);
}
