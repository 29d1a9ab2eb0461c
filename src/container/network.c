/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job's half of the network. Speed matters here (it lies between a submission and the first
 * instruction of the job), so there are two netlink calls, one on each side, each with all its
 * messages, and no program is run.
 *
 * The host's end has a random name: the kernel deletes the links of a dead namespace some time
 * later, and the slot may be used again before.
 */
#include "container/network.h"

#include "base/cleanup.h"
#include "container/netlink.h"
#include "container/network_plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IFLA_BRPORT_LOCKED
#define IFLA_BRPORT_LOCKED 39
#endif

struct bridge_facts {
	int index;
	uint32_t mtu;
};

static int link_index(const char *name, int *ret, struct error *err)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "no network link \"%s\"", name);
	*ret = request.ifr_ifindex;
	return 0;
}

static int bridge_look(const char *name, struct bridge_facts *ret, struct error *err)
{
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno,
		                  "the bridge \"%s\" of setting network.bridge is missing", name);
	ret->index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return fail_errno(err, E_UNAVAILABLE, errno, "the bridge \"%s\"", name);
	ret->mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

static void put_no_ipv6(struct netlink_batch *batch)
{
	struct rtattr *spec = netlink_nest(batch, IFLA_AF_SPEC);
	struct rtattr *inet6 = netlink_nest(batch, AF_INET6);

	netlink_put_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	netlink_nest_end(batch, inet6);
	netlink_nest_end(batch, spec);
}

static void put_pair(struct netlink_batch *batch, const char *name,
                     const struct bridge_facts *bridge, const uint8_t *mac, int netns_fd)
{
	struct rtattr *info, *data, *peer;

	(void)netlink_message(batch, "the job's network link cannot be made", RTM_NEWLINK,
	                      NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	netlink_put_u32(batch, IFLA_MASTER, (uint32_t)bridge->index);
	netlink_put_u32(batch, IFLA_MTU, bridge->mtu);
	netlink_put_u32(batch, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(batch, IFLA_NUM_RX_QUEUES, 1);
	info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_KIND, "veth");
	data = netlink_nest(batch, IFLA_INFO_DATA);
	peer = netlink_nest(batch, VETH_INFO_PEER);
	(void)netlink_extra(batch, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, "eth0");
	netlink_put(batch, IFLA_ADDRESS, mac, NETWORK_MAC_SIZE);
	netlink_put_u32(batch, IFLA_MTU, bridge->mtu);
	netlink_put_u32(batch, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(batch, IFLA_NUM_RX_QUEUES, 1);
	netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	netlink_nest_end(batch, peer);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, info);
}

/* No talk with other jobs' ports, and only from the address that belongs here (locked needs
 * Linux 5.18; before, unknown attributes are ignored). */
static void put_port_rules(struct netlink_batch *batch, const char *name)
{
	struct rtattr *info, *data;

	(void)netlink_message(batch, "the job's bridge port", RTM_NEWLINK, 0,
	                      sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, name);
	put_no_ipv6(batch);
	info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_SLAVE_KIND, "bridge");
	data = netlink_nest(batch, IFLA_INFO_SLAVE_DATA);
	netlink_put_u8(batch, IFLA_BRPORT_ISOLATED, 1);
	netlink_put_u8(batch, IFLA_BRPORT_LEARNING, 0);
	netlink_put_u8(batch, IFLA_BRPORT_LOCKED, 1);
	netlink_put_u8(batch, IFLA_BRPORT_UNICAST_FLOOD, 0);
	netlink_put_u8(batch, IFLA_BRPORT_MCAST_FLOOD, 0);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, info);
}

static void put_up(struct netlink_batch *batch, const char *what, int index, const char *name)
{
	struct ifinfomsg *link = netlink_message(batch, what, RTM_NEWLINK, 0, sizeof(*link));

	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	if (name)
		netlink_put_text(batch, IFLA_IFNAME, name);
}

static void put_port_address(struct netlink_batch *batch, int index, const uint8_t *mac)
{
	struct ndmsg *entry = netlink_message(batch, "the job's bridge address", RTM_NEWNEIGH,
	                                      NLM_F_CREATE | NLM_F_REPLACE, sizeof(*entry));

	entry->ndm_family = AF_BRIDGE;
	entry->ndm_ifindex = index;
	entry->ndm_state = NUD_NOARP;
	entry->ndm_flags = NTF_MASTER;
	netlink_put(batch, NDA_LLADDR, mac, NETWORK_MAC_SIZE);
}

static int host_side(const struct network_plan *plan, int slot, const uint8_t *mac, int netns_fd,
                     char name[IF_NAMESIZE], struct error *err)
{
	autoclose int fd = -1;
	struct netlink_batch batch;
	struct bridge_facts bridge = {0};
	uint32_t random;
	int index = 0;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint32_t)getpid();
	(void)snprintf(name, IF_NAMESIZE, "h%dx%06x", slot, random & 0xffffff);
	if (bridge_look(plan->bridge, &bridge, err) < 0 || netlink_open(&fd, err) < 0)
		return -1;
	netlink_batch_init(&batch);
	put_pair(&batch, name, &bridge, mac, netns_fd);
	put_port_rules(&batch, name);
	put_up(&batch, "the job's bridge port", 0, name);
	if (netlink_run(fd, &batch, NULL, err) < 0 || link_index(name, &index, err) < 0)
		return -1;
	netlink_batch_init(&batch);
	put_port_address(&batch, index, mac);
	return netlink_run(fd, &batch, NULL, err);
}

static void put_address(struct netlink_batch *batch, const struct network_plan *plan, int index,
                        uint32_t address)
{
	struct ifaddrmsg *head = netlink_message(batch, "the job's address", RTM_NEWADDR,
	                                         NLM_F_CREATE | NLM_F_REPLACE, sizeof(*head));

	head->ifa_family = AF_INET;
	head->ifa_prefixlen = (uint8_t)plan->subnet.prefix;
	head->ifa_index = (uint32_t)index;
	netlink_put_u32(batch, IFA_LOCAL, htonl(address));
	netlink_put_u32(batch, IFA_ADDRESS, htonl(address));
}

static void put_default_route(struct netlink_batch *batch, int index, uint32_t gateway)
{
	struct rtmsg *head = netlink_message(batch, "the job's default route", RTM_NEWROUTE,
	                                     NLM_F_CREATE | NLM_F_REPLACE, sizeof(*head));

	head->rtm_family = AF_INET;
	head->rtm_table = RT_TABLE_MAIN;
	head->rtm_protocol = RTPROT_BOOT;
	head->rtm_scope = RT_SCOPE_UNIVERSE;
	head->rtm_type = RTN_UNICAST;
	netlink_put_u32(batch, RTA_GATEWAY, htonl(gateway));
	netlink_put_u32(batch, RTA_OIF, (uint32_t)index);
}

static int links_inside(const struct network_plan *plan, uint32_t address, struct error *err)
{
	autoclose int fd = -1;
	struct netlink_batch batch;
	struct ifinfomsg *link;
	int index = 0;

	if (netlink_open(&fd, err) < 0 || (plan && link_index("eth0", &index, err) < 0))
		return -1;
	netlink_batch_init(&batch);
	put_up(&batch, "the job's loopback", 1, NULL);
	if (plan) {
		link = netlink_message(&batch, "the job's network link", RTM_NEWLINK, 0,
		                       sizeof(*link));
		link->ifi_index = index;
		put_no_ipv6(&batch);
		put_up(&batch, "the job's network link", index, NULL);
		put_address(&batch, plan, index, address);
		put_default_route(&batch, index, plan->gateway);
	}
	return netlink_run(fd, &batch, NULL, err);
}

static int dns_socket(int type, int *ret_fd, struct error *err)
{
	autoclose int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};

	(void)inet_pton(AF_INET, DNS_RELAY_ADDRESS, &address.sin_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) < 0))
		return fail_errno(err, E_INTERNAL, errno, "no socket for the job's name service");
	*ret_fd = take_fd(&fd);
	return 0;
}

static int inside(const struct network_plan *plan, uint32_t address, bool with_dns,
                  struct network_attachment *ret, struct error *err)
{
	if (links_inside(plan, address, err) < 0)
		return -1;
	if (!with_dns)
		return 0;
	if (dns_socket(SOCK_DGRAM, &ret->dns_udp_fd, err) < 0)
		return -1;
	return dns_socket(SOCK_STREAM, &ret->dns_tcp_fd, err);
}

/* Do the inner half and come back. Not coming back would leave the monitor in the job's network. */
static int visit(int netns_fd, const struct network_plan *plan, uint32_t address, bool with_dns,
                 struct network_attachment *ret, struct error *err)
{
	autoclose int home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int result;

	if (home_fd < 0 || setns(netns_fd, CLONE_NEWNET) < 0)
		return fail_errno(err, E_INTERNAL, errno,
		                  "the job's network namespace cannot be entered");
	result = inside(plan, address, with_dns, ret, err);
	if (setns(home_fd, CLONE_NEWNET) < 0)
		BUG("cannot return to the host's network namespace: %s", strerror(errno));
	return result;
}

static int counter_open(const char *link, const char *name)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", link, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int network_attach(const struct configuration *c, int slot, int netns_fd,
                   const struct dns_plan *dns, struct network_attachment *ret, struct error *err)
{
	struct network_attachment made = {
	        .dns_udp_fd = -1, .dns_tcp_fd = -1, .rx_fd = -1, .tx_fd = -1};
	struct network_plan plan;
	uint8_t mac[NETWORK_MAC_SIZE];
	struct in_addr in;
	uint32_t address;

	if (network_plan_read(c, &plan, err) < 0)
		return -1;
	if (slot < 0 || slot >= plan.slots)
		return fail(err, E_UNAVAILABLE,
		            "no address for slot %d: network.subnet %s has room for %d jobs", slot,
		            c->subnet, plan.slots);
	address = network_plan_address(&plan, slot);
	network_plan_mac(address, mac);
	if (host_side(&plan, slot, mac, netns_fd, made.host_link, err) < 0)
		return -1;
	if (visit(netns_fd, &plan, address, dns->relay, &made, err) < 0) {
		fd_close(&made.dns_udp_fd);
		return -1;
	}
	in.s_addr = htonl(address);
	(void)inet_ntop(AF_INET, &in, made.address, sizeof(made.address));
	made.rx_fd = counter_open(made.host_link, "tx_bytes");
	made.tx_fd = counter_open(made.host_link, "rx_bytes");
	*ret = made;
	return 0;
}

int network_isolate(int netns_fd, struct error *err)
{
	return visit(netns_fd, NULL, 0, false, NULL, err);
}
