/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name service for a job whose host uses a resolver that only the host can reach: queries that
 * reach 127.0.0.11 inside the job's network namespace, UDP and TCP, are passed on from the host's
 * one. The messages are not looked into, except for matching ids. At most 64 UDP queries and 16 TCP
 * connections at once; more are dropped.
 */
#ifndef HEARTH_CONTAINER_DNS_RELAY_H
#define HEARTH_CONTAINER_DNS_RELAY_H

#include "container/dns_plan.h"
#include "container/poller.h"

struct dns_relay;

/* Takes both sockets (struct network_attachment). `plan` is copied. */
struct dns_relay *dns_relay_new(struct poller *poller, const struct dns_plan *plan, int take_udp_fd,
                                int take_tcp_fd);
void dns_relay_free(struct dns_relay *relay);

#endif
