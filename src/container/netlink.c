/* SPDX-License-Identifier: Apache-2.0 */
/* Building and sending rtnetlink requests (netlink.h). */
#include "container/netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int netlink_open(int *ret_fd, struct error *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (fd < 0)
		return fail_errno(err, E_INTERNAL, errno, "no netlink socket");
	/* Answers without a copy of the request. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	*ret_fd = fd;
	return 0;
}

void netlink_batch_init(struct netlink_batch *batch)
{
	batch->len = 0;
	batch->message = NULL;
	batch->count = 0;
}

static void *space(struct netlink_batch *batch, size_t len)
{
	void *at = batch->data + batch->len;

	len = NLMSG_ALIGN(len);
	if (len > sizeof(batch->data) - batch->len)
		BUG("a netlink message is too long");
	memset(at, 0, len);
	batch->len += len;
	if (batch->message)
		batch->message->nlmsg_len =
		        (uint32_t)(batch->data + batch->len - (char *)batch->message);
	return at;
}

void *netlink_message(struct netlink_batch *batch, const char *what, uint16_t type, uint16_t flags,
                      size_t size)
{
	struct nlmsghdr *message;

	if (batch->count == NETLINK_BATCH_MESSAGES)
		BUG("too many netlink messages");
	batch->message = NULL;
	message = space(batch, sizeof(*message));
	message->nlmsg_len = sizeof(*message);
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	message->nlmsg_seq = batch->count;
	batch->what[batch->count++] = what;
	batch->message = message;
	return space(batch, size);
}

void *netlink_extra(struct netlink_batch *batch, size_t size)
{
	return space(batch, size);
}

void netlink_put(struct netlink_batch *batch, uint16_t type, const void *data, size_t len)
{
	struct rtattr *attr = space(batch, RTA_LENGTH(len));

	attr->rta_type = type;
	attr->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(attr), data, len);
}

void netlink_put_u8(struct netlink_batch *batch, uint16_t type, uint8_t value)
{
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_u32(struct netlink_batch *batch, uint16_t type, uint32_t value)
{
	netlink_put(batch, type, &value, sizeof(value));
}

void netlink_put_text(struct netlink_batch *batch, uint16_t type, const char *text)
{
	netlink_put(batch, type, text, strlen(text) + 1);
}

struct rtattr *netlink_nest(struct netlink_batch *batch, uint16_t type)
{
	struct rtattr *attr = space(batch, RTA_LENGTH(0));

	attr->rta_type = type;
	return attr;
}

void netlink_nest_end(struct netlink_batch *batch, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)(batch->data + batch->len - (char *)nest);
}

/* Take the answers out of one datagram; each message of the batch gets one. */
static unsigned answers_read(const char *data, size_t len, int *errors, unsigned count)
{
	const struct nlmsghdr *answer = (const struct nlmsghdr *)data;
	unsigned seen = 0;

	for (; NLMSG_OK(answer, len); answer = NLMSG_NEXT(answer, len)) {
		const struct nlmsgerr *result = NLMSG_DATA(answer);

		if (answer->nlmsg_type != NLMSG_ERROR || answer->nlmsg_seq >= count)
			continue;
		errors[answer->nlmsg_seq] = -result->error;
		seen++;
	}
	return seen;
}

int netlink_run(int fd, const struct netlink_batch *batch, int *ret_errno, struct error *err)
{
	_Alignas(struct nlmsghdr) char answer[8192];
	int errors[NETLINK_BATCH_MESSAGES] = {0};

	if (send(fd, batch->data, batch->len, MSG_NOSIGNAL) != (ssize_t)batch->len)
		return fail_errno(err, E_INTERNAL, errno, "netlink");
	for (unsigned seen = 0; seen < batch->count;) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail_errno(err, E_INTERNAL, errno, "netlink");
		seen += answers_read(answer, (size_t)n, errors, batch->count);
	}
	for (unsigned i = 0; i < batch->count; i++) {
		if (errors[i] == 0)
			continue;
		if (ret_errno)
			*ret_errno = errors[i];
		return fail_errno(err, E_INTERNAL, errors[i], "%s", batch->what[i]);
	}
	return 0;
}
