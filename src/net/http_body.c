/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: in memory up to the route's maximum, or in an unlinked temporary file. */
#include "net/http_internal.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPOOL_BLOCK ((size_t)256 * 1024)

static int open_spool(struct http_request *request, struct error *err)
{
	char path[4200];

	request->body_fd = open(request->server->spool_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (request->body_fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		(void)snprintf(path, sizeof(path), "%s/body.XXXXXX", request->server->spool_dir);
		request->body_fd = mkostemp(path, O_CLOEXEC);
		if (request->body_fd >= 0)
			(void)unlink(path);
	}
	if (request->body_fd < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "the upload cannot be stored");
	return 0;
}

static int spool_write(struct http_request *request, const void *data, size_t len,
                       struct error *err)
{
	struct error cause = ERROR_INIT;

	if (file_write_all(request->body_fd, data, len, &cause) == 0)
		return 0;
	/* Not "unavailable", which a client tries again for minutes. */
	if (cause.code == E_UNAVAILABLE)
		return fail(err, E_TOO_LARGE, "the disk of this server is full");
	return fail(err, E_UNAVAILABLE, "the upload cannot be stored: %s", cause.text);
}

/* libmicrohttpd gives a few kilobytes at a time, of which writes would cost more than all else. */
static int spool_add(struct http_request *request, const char *data, size_t len, struct error *err)
{
	while (len > 0) {
		size_t n = SPOOL_BLOCK - request->spool_used;

		if (!request->spool_block)
			request->spool_block = xmalloc(SPOOL_BLOCK);
		if (n > len)
			n = len;
		memcpy(request->spool_block + request->spool_used, data, n);
		request->spool_used += n;
		data += n;
		len -= n;
		if (request->spool_used == SPOOL_BLOCK && http_body_end(request, err) < 0)
			return -1;
	}
	return 0;
}

int http_body_end(struct http_request *request, struct error *err)
{
	size_t used = request->spool_used;

	request->spool_used = 0;
	return used > 0 ? spool_write(request, request->spool_block, used, err) : 0;
}

static int spool(struct http_request *request, const char *data, size_t len, struct error *err)
{
	struct http_server *server = request->server;

	if (request->body_max >= 0 && server->spools_bytes + (int64_t)len > HTTP_SPOOLS_MAX_BYTES)
		return fail(err, E_UNAVAILABLE, "too many uploads at once, try again");
	if (request->body_fd < 0 && open_spool(request, err) < 0)
		return -1;
	if (request->body_max >= 0) {
		request->spooled_bytes += (int64_t)len;
		server->spools_bytes += (int64_t)len;
	}
	return spool_add(request, data, len, err);
}

int http_body_take(struct http_request *request, const char *data, size_t len, struct error *err)
{
	struct http_server *server = request->server;

	request->body_bytes += (int64_t)len;
	if (request->body_max >= 0 && request->body_bytes > request->body_max)
		return request->body_max == 0
		               ? fail(err, E_TOO_LARGE, "the body of this request must be empty")
		               : fail(err, E_TOO_LARGE,
		                      "the request body is larger than %lld bytes",
		                      (long long)request->body_max);
	if (request->match.route->spool)
		return spool(request, data, len, err);
	if (server->bodies_bytes + (int64_t)len > HTTP_BODIES_MAX_BYTES)
		return fail(err, E_UNAVAILABLE, "too many large requests at once, try again");
	if (buffer_add(&request->body, data, len) < 0)
		return fail(err, E_TOO_LARGE, "the request body is too large");
	server->bodies_bytes += (int64_t)len;
	return 0;
}

void http_body_clear(struct http_request *request)
{
	request->server->bodies_bytes -= (int64_t)request->body.len;
	buffer_clear(&request->body);
	request->server->spools_bytes -= request->spooled_bytes;
	request->spooled_bytes = 0;
	free(take_ptr(&request->spool_block));
	request->spool_used = 0;
	if (request->body_fd >= 0)
		(void)close(request->body_fd);
	request->body_fd = -1;
}

const char *http_body(const struct http_request *request, size_t *ret_len)
{
	*ret_len = request->body.len;
	return buffer_text(&request->body);
}

int http_body_fd(const struct http_request *request)
{
	if (request->body_fd >= 0)
		(void)lseek(request->body_fd, 0, SEEK_SET);
	return request->body_fd;
}

int http_body_json(const struct http_request *request, json_t **ret, struct error *err)
{
	autojson json_t *value = NULL;

	if (request->body.len == 0) {
		*ret = json_object();
		return 0;
	}
	if (json_parse(buffer_text(&request->body), request->body.len, "request body", &value,
	               err) < 0)
		return -1;
	if (!json_is_object(value))
		return fail(err, E_INVALID, "the request body must be a JSON object");
	*ret = take_ptr(&value);
	return 0;
}
