/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Just enough rtnetlink: requests are built one behind the other in a fixed buffer and sent with
 * one call; the kernel works on them in order and answers each.
 */
#ifndef HEARTH_CONTAINER_NETLINK_H
#define HEARTH_CONTAINER_NETLINK_H

#include "base/error.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_BATCH_SIZE 4096
#define NETLINK_BATCH_MESSAGES 8

struct netlink_batch {
	_Alignas(struct nlmsghdr) char data[NETLINK_BATCH_SIZE];
	size_t len;
	struct nlmsghdr *message;                 /* the last one */
	const char *what[NETLINK_BATCH_MESSAGES]; /* for the error's sentence; borrowed */
	unsigned count;
};

/* A socket in the calling thread's present network namespace. */
int netlink_open(int *ret_fd, struct error *err);

void netlink_batch_init(struct netlink_batch *batch);
/* Begin a message with `size` bytes of fixed header (ifinfomsg, …). NLM_F_REQUEST and NLM_F_ACK are
 * added. Overflow of the buffer is a bug. */
void *netlink_message(struct netlink_batch *batch, const char *what, uint16_t type, uint16_t flags,
                      size_t size);
void netlink_put(struct netlink_batch *batch, uint16_t type, const void *data, size_t len);
void netlink_put_u8(struct netlink_batch *batch, uint16_t type, uint8_t value);
void netlink_put_u32(struct netlink_batch *batch, uint16_t type, uint32_t value);
void netlink_put_text(struct netlink_batch *batch, uint16_t type, const char *text);
/* Nesting: everything until netlink_nest_end() lies inside. */
struct rtattr *netlink_nest(struct netlink_batch *batch, uint16_t type);
/* `size` bytes of a fixed header inside of a nest (the ifinfomsg of a veth peer). */
void *netlink_extra(struct netlink_batch *batch, size_t size);
void netlink_nest_end(struct netlink_batch *batch, struct rtattr *nest);

/* Send and read all answers. Fails with the first error ("<what>: <reason>"); *ret_errno (may be
 * NULL) is then its errno value. Messages behind a failed one were still carried out. */
int netlink_run(int fd, const struct netlink_batch *batch, int *ret_errno, struct error *err);

#endif
