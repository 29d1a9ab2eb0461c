/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which name servers a job gets. Setting network.dns: "auto" takes those of the host's
 * /etc/resolv.conf; else a comma-separated list. Servers that the job cannot reach from its own
 * namespace (loopback, link-local, an address of this host, IPv6, denied networks) are asked by the
 * monitor instead (dns_relay.h): then the job's resolv.conf says 127.0.0.11.
 */
#ifndef HEARTH_CONTAINER_DNS_PLAN_H
#define HEARTH_CONTAINER_DNS_PLAN_H

#include "base/configuration.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define DNS_RELAY_ADDRESS "127.0.0.11"
#define DNS_SERVERS_MAX 3

struct dns_plan {
	bool relay;
	struct sockaddr_storage servers[DNS_SERVERS_MAX]; /* whom the relay asks */
	size_t n_servers;
	char resolv_conf[2048]; /* text of the job's /etc/resolv.conf */
};

/* Cannot fail: without any server there is no relay and an empty resolv.conf. Call it in the host's
 * network namespace. `resolv_conf_path` NULL: /etc/resolv.conf. */
void dns_plan_read(const struct configuration *c, const char *resolv_conf_path,
                   struct dns_plan *ret);

#endif
