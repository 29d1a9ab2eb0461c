/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of jobs: one bridge with source NAT, one veth pair per attempt.
 *
 * The host's half is made once by the spawner: bridge, forwarding, and the nftables table named
 * after the bridge, `inet <bridge>` (what leaves is masqueraded; host services, metadata addresses,
 * configured networks and other jobs are out of reach; a source address must be the job's own).
 *
 * A job's half is made by its monitor, which starts in the host's network namespace and returns to
 * it. The namespace itself comes from the caller: the process that holds the attempt's user
 * namespace is cloned with CLONE_NEWUSER | CLONE_NEWNET in one step, so that the network namespace
 * is owned by the user namespace; `netns_fd` is /proc/<its pid>/ns/net. Everything vanishes with
 * the namespace.
 */
#ifndef HEARTH_CONTAINER_NETWORK_H
#define HEARTH_CONTAINER_NETWORK_H

#include "base/configuration.h"
#include "base/error.h"
#include "container/dns_plan.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>

/* Slot 0 has the subnet's second host address (the first is the bridge's). */
#define NETWORK_SLOTS_MAX 8192

/* Idempotent; also adopts what an earlier hearthd left. Does nothing in mode "none". */
int network_host_setup(const struct configuration *c, struct error *err);
void network_host_teardown(const struct configuration *c);

struct network_attachment {
	char host_link[IF_NAMESIZE];   /* the host's end: its tx is the job's rx */
	char address[INET_ADDRSTRLEN]; /* of the job */
	int dns_udp_fd, dns_tcp_fd; /* sockets in the job's namespace on 127.0.0.11:53, -1: none */
	int rx_fd, tx_fd;           /* sysfs counters of the *job's* received and sent bytes; -1 */
};

/* `dns` says whether relay sockets are wanted. On success descriptors in `ret` are the caller's. */
int network_attach(const struct configuration *c, int slot, int netns_fd,
                   const struct dns_plan *dns, struct network_attachment *ret, struct error *err);
/* Mode "none": only lo, up. */
int network_isolate(int netns_fd, struct error *err);

#endif
