/* SPDX-License-Identifier: Apache-2.0 */
/* Our side of the link to the spawner: make a pair, keep one end, send the other with the wish. */
#include "base/spawner_link.h"
#include "base/cleanup.h"
#include "base/id.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool spawn_name_is_valid(const char *name)
{
	size_t len = strnlen(name, SPAWN_NAME_MAX);
	if (len < ID_LENGTH + 2 || len > ID_LENGTH + 5 || name[ID_LENGTH] != '.')
		return false;
	char id[ID_SIZE];
	memcpy(id, name, ID_LENGTH);
	id[ID_LENGTH] = '\0';
	if (!id_is_valid(id) || name[ID_LENGTH + 1] == '0')
		return false;
	for (const char *p = name + ID_LENGTH + 1; *p; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return true;
}

void spawn_name_format(char name[SPAWN_NAME_MAX], const char *job_id, int attempt)
{
	(void)snprintf(name, SPAWN_NAME_MAX, "%.24s.%d", job_id, attempt);
}

static int send_with_fds(int link_fd, const struct spawn_message *message, const int *fds, size_t n,
                         int flags, struct error *err)
{
	union {
		char space[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr head = {
	        .msg_iov = &iov,
	        .msg_iovlen = 1,
	        .msg_control = control.space,
	        .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *part = CMSG_FIRSTHDR(&head);
	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(part), fds, n * sizeof(int));
	ssize_t sent;
	do
		sent = sendmsg(link_fd, &head, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN)
		return fail(err, E_BUSY, "the spawner is busy");
	if (sent < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "the spawner does not answer");
	return 0;
}

static int ask(int link_fd, enum spawn_kind kind, const char *name, int extra_fd, int flags,
               int *ret_fd, struct error *err)
{
	struct spawn_message message = {.kind = kind};
	if (strlen(name) >= sizeof(message.name))
		BUG("spawn name too long: %s", name);
	memcpy(message.name, name, strlen(name) + 1);
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "cannot ask the spawner");
	autoclose int ours = pair[0];
	autoclose int theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(err, E_INTERNAL, errno, "cannot ask the spawner");
	int fds[2] = {theirs, extra_fd};
	if (send_with_fds(link_fd, &message, fds, extra_fd >= 0 ? 2 : 1, flags, err) < 0)
		return -1;
	*ret_fd = take_fd(&ours);
	return 0;
}

int spawner_link_send(int link_fd, enum spawn_kind kind, const char *name, int extra_fd,
                      int *ret_fd, struct error *err)
{
	return ask(link_fd, kind, name, extra_fd, 0, ret_fd, err);
}

int spawner_link_try(int link_fd, enum spawn_kind kind, const char *name, int extra_fd, int *ret_fd,
                     struct error *err)
{
	return ask(link_fd, kind, name, extra_fd, MSG_DONTWAIT, ret_fd, err);
}
