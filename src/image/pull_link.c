/* SPDX-License-Identifier: Apache-2.0 */
/* Messages over SOCK_SEQPACKET pairs: one JSON object each. */
#include "image/pull_link.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/memory.h"
#include "image/pull_protocol.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define PULL_PROGRESS_INTERVAL_MS 100

static int pull_link_send_text(int fd, const char *text, struct error *err)
{
	size_t len = strlen(text);
	ssize_t n;

	if (len > PULL_MESSAGE_MAX)
		return fail(err, E_TOO_LARGE, "The image's description is larger than %d KiB",
		            PULL_MESSAGE_MAX / 1024);
	for (;;) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n >= 0)
			return 0;
		if (errno == EAGAIN)
			(void)poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			return fail_errno(err, E_UNAVAILABLE, errno, "Message");
	}
}

int pull_link_send(int fd, const json_t *message, struct error *err)
{
	autofree char *text = json_to_text(message);

	return pull_link_send_text(fd, text, err);
}

int pull_link_receive(int fd, json_t **ret, struct error *err)
{
	autofree char *text = xmalloc(PULL_MESSAGE_MAX + 1);
	ssize_t n;

	for (;;) {
		n = recv(fd, text, PULL_MESSAGE_MAX + 1, 0);
		if (n >= 0)
			break;
		if (errno == EAGAIN)
			(void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
		else if (errno != EINTR)
			return fail_errno(err, E_UNAVAILABLE, errno, "Message");
	}
	if (n == 0)
		return fail(err, E_UNAVAILABLE, "The other side is gone");
	if (n > PULL_MESSAGE_MAX)
		return fail(err, E_TOO_LARGE, "Message larger than %d bytes", PULL_MESSAGE_MAX);
	return json_parse(text, (size_t)n, "message", ret, err);
}

void pull_link_send_error(int fd, const struct error *problem)
{
	struct error ignored = ERROR_INIT;
	autobuffer struct buffer text = BUFFER_INIT(16 * ERROR_TEXT_SIZE);

	(void)buffer_printf(&text, "{\"type\":\"error\",\"code\":\"%s\",\"text\":\"",
	                    error_code_name(problem->code));
	(void)json_escape(&text, problem->text, strlen(problem->text));
	(void)buffer_add_text(&text, "\"}");
	(void)pull_link_send_text(fd, buffer_text(&text), &ignored);
}

bool pull_link_is_closed(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLRDHUP};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

void pull_link_send_progress(int fd, const struct pull_progress *progress)
{
	static int64_t last_ms;
	int64_t now_ms = clock_monotonic_ms();

	if (last_ms && now_ms - last_ms < PULL_PROGRESS_INTERVAL_MS)
		return;
	last_ms = now_ms;
	autojson json_t *message =
	        json_pack("{s:s, s:i, s:i, s:I, s:I}", "type", "progress", "layers_done",
	                  progress->layers_done, "layers", progress->layers, "bytes_done",
	                  (json_int_t)progress->bytes_done, "bytes", (json_int_t)progress->bytes);
	autofree char *text = json_to_text(message);

	/* A reader who is slow misses some; it never slows the pull. */
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}
