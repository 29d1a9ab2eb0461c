/* SPDX-License-Identifier: Apache-2.0 */
/* The TCP half of dns_relay.h: each connection is passed on to a server, byte by byte. */
#ifndef HEARTH_CONTAINER_DNS_STREAM_H
#define HEARTH_CONTAINER_DNS_STREAM_H

#include "container/dns_plan.h"
#include "container/poller.h"

struct dns_listener;

/* `plan` is borrowed; the descriptor is taken. */
struct dns_listener *dns_listener_new(struct poller *poller, const struct dns_plan *plan,
                                      int take_fd);
void dns_listener_free(struct dns_listener *listener);

socklen_t dns_server_length(const struct sockaddr_storage *server);

#endif
