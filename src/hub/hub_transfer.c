/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface with HTTP/1.1 on several kept connections: one connection alone does
 * not fill a line with a long way to the Hub, and streams inside of one are no more than one. */
#include "hub/hub_transfer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECTIONS_MAX 16
#define RECEIVE_BYTES (512L * 1024)
#define CONNECT_MAX_S 10
#define HEADER_TEXT_MAX 4096
#define STALL_LOOK_MS 250

struct hub_client {
	CURLM *multi;
	char *origin; /* "https://host" */
	struct curl_slist *headers, *token_headers;
	struct hub_transfer *transfers;
};

struct hub_transfer {
	struct hub_transfer *next, **at;
	struct hub_client *client;
	CURL *easy;
	struct hub_request request;
	int64_t offset, total; /* offset -1: no byte yet */
	bool is_enough;
	int64_t heard_ms; /* when something last came */
	char *next_link, *error_code, *error_message;
	int64_t retry_after_s;
	char problem[CURL_ERROR_SIZE];
};

/* Scheme, host and port. */
static char *hub_client_origin(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host)
		return xstrdup(url);
	len = (size_t)(host + 3 - url) + strcspn(host + 3, "/?#");
	return xstrndup(url, len);
}

bool hub_client_is_ours(const struct hub_client *client, const char *url)
{
	size_t len = strlen(client->origin);

	return strncasecmp(url, client->origin, len) == 0 &&
	       (url[len] == '\0' || strchr("/?#", url[len]));
}

struct hub_client *hub_client_new(const char *endpoint, const char *token)
{
	struct hub_client *client = xcalloc(1, sizeof(*client));
	autofree char *header = xasprintf("Authorization: Bearer %s", token);

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		BUG("libcurl cannot be initialized");
	client->origin = hub_client_origin(endpoint);
	client->headers = curl_slist_append(NULL, "Accept-Encoding: identity");
	client->token_headers = curl_slist_append(NULL, "Accept-Encoding: identity");
	if (*token)
		client->token_headers = curl_slist_append(client->token_headers, header);
	client->multi = curl_multi_init();
	if (!client->multi)
		BUG("out of memory");
	curl_multi_setopt(client->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
	explicit_bzero(header, strlen(header));
	return client;
}

void hub_client_free(struct hub_client *client)
{
	if (!client)
		return;
	while (client->transfers)
		hub_transfer_cancel(client->transfers);
	curl_multi_cleanup(client->multi);
	curl_slist_free_all(client->headers);
	curl_slist_free_all(client->token_headers);
	free(client->origin);
	free(client);
}

static int hub_transfer_status(const struct hub_transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* "Name: value" with CRLF; the value, yours to free, if it is that header. */
static bool hub_transfer_take_header(const char *line, size_t len, const char *name, char **value)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return false;
	line += name_len + 1;
	len -= name_len + 1;
	for (; len > 0 && (*line == ' ' || *line == '\t'); len--)
		line++;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	free(*value);
	*value = xstrndup(line, len < HEADER_TEXT_MAX ? len : HEADER_TEXT_MAX);
	return true;
}

/* <URL>; rel="next" among others. */
static char *hub_transfer_next(const char *link)
{
	while ((link = strchr(link, '<'))) {
		const char *end = strchr(++link, '>');
		const char *comma = end ? strchr(end, ',') : NULL;
		const char *rel = end ? strstr(end, "rel=\"next\"") : NULL;

		if (!end)
			return NULL;
		if (rel && (!comma || rel < comma))
			return xstrndup(link, (size_t)(end - link));
		link = end;
	}
	return NULL;
}

static void hub_transfer_note_range(struct hub_transfer *transfer, const char *value)
{
	const char *slash = strchr(value, '/');

	if (strncasecmp(value, "bytes ", 6) != 0)
		return;
	if (value[6] != '*')
		transfer->offset = strtoll(value + 6, NULL, 10);
	if (slash && slash[1] != '*')
		transfer->total = strtoll(slash + 1, NULL, 10);
}

static size_t hub_transfer_header(char *line, size_t size, size_t count, void *arg)
{
	struct hub_transfer *transfer = arg;
	size_t len = size * count;
	autofree char *value = NULL;

	transfer->heard_ms = clock_monotonic_ms();
	if (hub_transfer_take_header(line, len, "X-Error-Code", &transfer->error_code) ||
	    hub_transfer_take_header(line, len, "X-Error-Message", &transfer->error_message))
		return len;
	if (hub_transfer_take_header(line, len, "Link", &value)) {
		free(transfer->next_link);
		transfer->next_link = hub_transfer_next(value);
	} else if (hub_transfer_take_header(line, len, "Content-Range", &value)) {
		hub_transfer_note_range(transfer, value);
	} else if (hub_transfer_take_header(line, len, "Retry-After", &value)) {
		transfer->retry_after_s = strtoll(value, NULL, 10);
	}
	return len;
}

static void hub_transfer_first_byte(struct hub_transfer *transfer)
{
	curl_off_t length = -1;

	if (transfer->offset >= 0)
		return;
	transfer->offset = 0; /* 200 to a range: the whole file comes */
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	transfer->total = length;
}

static size_t hub_transfer_data(char *data, size_t size, size_t count, void *arg)
{
	struct hub_transfer *transfer = arg;
	size_t len = size * count;

	transfer->heard_ms = clock_monotonic_ms();
	if (hub_transfer_status(transfer) / 100 != 2)
		return len; /* what a refusal says is in its headers */
	hub_transfer_first_byte(transfer);
	if (!transfer->request.data(transfer->request.arg, transfer->offset, transfer->total, data,
	                            len)) {
		transfer->is_enough = true;
		return 0;
	}
	transfer->offset += (int64_t)len;
	return len;
}

static void hub_transfer_set_options(struct hub_transfer *transfer)
{
	const struct hub_request *request = &transfer->request;
	struct hub_client *client = transfer->client;
	bool is_ours = hub_client_is_ours(client, request->url);
	long connect_s = request->stall_s < CONNECT_MAX_S ? request->stall_s : CONNECT_MAX_S;
	CURL *easy = transfer->easy;
	char range[64];

	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
	                 strncasecmp(client->origin, "https:", 6) == 0 ? "https" : "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, connect_s);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
	                 is_ours ? client->token_headers : client->headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, hub_transfer_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, hub_transfer_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->problem);
	if (request->last >= 0) {
		(void)snprintf(range, sizeof(range), "%lld-%lld", (long long)request->first,
		               (long long)request->last);
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
	}
}

struct hub_transfer *hub_transfer_start(struct hub_client *client,
                                        const struct hub_request *request)
{
	struct hub_transfer *transfer = xcalloc(1, sizeof(*transfer));

	*transfer = (struct hub_transfer){.client = client,
	                                  .request = *request,
	                                  .offset = -1,
	                                  .total = -1,
	                                  .retry_after_s = -1,
	                                  .heard_ms = clock_monotonic_ms(),
	                                  .next = client->transfers,
	                                  .at = &client->transfers};
	if (transfer->next)
		transfer->next->at = &transfer->next;
	client->transfers = transfer;
	transfer->easy = curl_easy_init();
	if (!transfer->easy)
		BUG("out of memory");
	hub_transfer_set_options(transfer);
	transfer->request.url = NULL; /* the caller's; curl has a copy */
	curl_multi_add_handle(client->multi, transfer->easy);
	return transfer;
}

void hub_transfer_cancel(struct hub_transfer *transfer)
{
	*transfer->at = transfer->next;
	if (transfer->next)
		transfer->next->at = transfer->at;
	curl_multi_remove_handle(transfer->client->multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	free(transfer->next_link);
	free(transfer->error_code);
	free(transfer->error_message);
	free(transfer);
}

static void hub_transfer_finish(struct hub_transfer *transfer, CURLcode result)
{
	bool is_complete = result == CURLE_OK || transfer->is_enough;
	char *location = NULL;
	struct hub_answer answer = {
	        .status = hub_transfer_status(transfer),
	        .is_complete = is_complete,
	        .problem = is_complete          ? ""
	                   : *transfer->problem ? transfer->problem
	                                        : curl_easy_strerror(result),
	        .next = transfer->next_link ? transfer->next_link : "",
	        .error_code = transfer->error_code ? transfer->error_code : "",
	        .error_message = transfer->error_message ? transfer->error_message : "",
	        .retry_after_s = transfer->retry_after_s,
	};

	curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);
	answer.location = location ? location : "";
	transfer->request.done(transfer->request.arg, &answer);
	hub_transfer_cancel(transfer);
}

/* libcurl's own limit is about an average of the last seconds, which is slow to notice the end of a
 * fast transfer. */
static bool hub_client_end_stalled(struct hub_client *client)
{
	int64_t now = clock_monotonic_ms();

	for (struct hub_transfer *transfer = client->transfers; transfer;
	     transfer = transfer->next) {
		if (now - transfer->heard_ms <= transfer->request.stall_s * 1000)
			continue;
		hub_transfer_finish(transfer, CURLE_OPERATION_TIMEDOUT);
		return true; /* `done` may have ended others: look again in the next turn */
	}
	return false;
}

bool hub_client_work(struct hub_client *client)
{
	bool has_finished = false;
	CURLMsg *message;
	int left, running;

	curl_multi_perform(client->multi, &running);
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct hub_transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		hub_transfer_finish(transfer, message->data.result);
		has_finished = true;
	}
	return hub_client_end_stalled(client) || has_finished;
}

bool hub_client_wait(struct hub_client *client, int fd, int wait_ms)
{
	struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};

	if (client->transfers && (wait_ms < 0 || wait_ms > STALL_LOOK_MS))
		wait_ms = STALL_LOOK_MS;
	curl_multi_poll(client->multi, &extra, fd >= 0 ? 1 : 0, wait_ms, NULL);
	return extra.revents != 0;
}
