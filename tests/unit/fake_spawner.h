/* SPDX-License-Identifier: Apache-2.0 */
/* The spawner's side of a link, played by a test: take the wishes, speak through the pairs. */
#ifndef HEARTH_TESTS_FAKE_SPAWNER_H
#define HEARTH_TESTS_FAKE_SPAWNER_H

#include "unit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/spawner_link.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct wish {
	struct spawn_message message;
	int fd;       /* the child's end */
	int extra_fd; /* -1: none */
};

static inline void run_until(struct loop *loop, const bool *flag, int ms)
{
	int64_t end = clock_monotonic_ms() + ms;
	while (!(flag && *flag) && clock_monotonic_ms() < end) {
		uv_run(loop_uv(loop), UV_RUN_NOWAIT);
		(void)usleep(200);
	}
}

/* False when nobody wishes for anything within a moment. */
static inline bool wish_take(struct loop *loop, int link_fd, struct wish *ret)
{
	for (int i = 0; i < 100; i++) {
		char space[CMSG_SPACE(2 * sizeof(int))];
		struct iovec iov = {&ret->message, sizeof(ret->message)};
		struct msghdr head = {.msg_iov = &iov,
		                      .msg_iovlen = 1,
		                      .msg_control = space,
		                      .msg_controllen = sizeof(space)};
		uv_run(loop_uv(loop), UV_RUN_NOWAIT);
		ssize_t n = recvmsg(link_fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n > 0) {
			struct cmsghdr *part = CMSG_FIRSTHDR(&head);
			int fds[2] = {-1, -1};
			assert_non_null(part);
			memcpy(fds, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
			ret->fd = fds[0];
			ret->extra_fd = fds[1];
			return true;
		}
		(void)usleep(300);
	}
	return false;
}

static inline void wish_say(const struct wish *wish, const char *text)
{
	assert_int_equal(send(wish->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What hearthd said, yours to release; NULL: nothing. */
static inline json_t *wish_hear(struct loop *loop, const struct wish *wish)
{
	char text[65536];
	for (int i = 0; i < 50; i++) {
		uv_run(loop_uv(loop), UV_RUN_NOWAIT);
		ssize_t n = recv(wish->fd, text, sizeof(text), MSG_DONTWAIT);
		if (n > 0)
			return json_loadb(text, (size_t)n, 0, NULL);
		if (n == 0)
			return NULL;
		(void)usleep(300);
	}
	return NULL;
}

static inline bool wish_is_closed(struct loop *loop, const struct wish *wish)
{
	char c;
	run_until(loop, NULL, 5);
	return recv(wish->fd, &c, 1, MSG_DONTWAIT) == 0;
}

static inline void wish_end(struct wish *wish)
{
	(void)close(wish->fd);
	if (wish->extra_fd >= 0)
		(void)close(wish->extra_fd);
}

#endif
