/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's half of the jobs' network, made once at start: a bridge, forwarding and one nftables
 * table. Everything is replaced in one transaction, so starting again changes nothing for jobs that
 * run.
 */
#include "container/network.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "container/netlink.h"
#include "container/network_endpoint.h"
#include "container/network_plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULES_MAX (2 * 1024 * 1024)

static void address_text(uint32_t address, char text[INET_ADDRSTRLEN])
{
	struct in_addr in = {.s_addr = htonl(address)};

	(void)inet_ntop(AF_INET, &in, text, INET_ADDRSTRLEN);
}

/* The MTU of the link with the default route; jobs must not send larger packets than it takes. */
static uint32_t uplink_mtu(void)
{
	autofile FILE *routes = fopen("/proc/self/net/route", "re");
	char line[256], name[IF_NAMESIZE], path[64];
	unsigned long destination;
	unsigned mtu = 0;

	while (routes && fgets(line, sizeof(line), routes)) {
		autofile FILE *file = NULL;

		if (sscanf(line, "%15s %lx", name, &destination) != 2 || destination != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/class/net/%s/mtu", name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%u", &mtu) == 1)
			break;
	}
	return mtu >= 576 && mtu <= 65535 ? mtu : 1500;
}

static void put_bridge(struct netlink_batch *batch, const struct network_plan *plan)
{
	struct rtattr *info, *data;
	uint8_t mac[NETWORK_MAC_SIZE];

	(void)netlink_message(batch, "the bridge of setting network.bridge cannot be made",
	                      RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, plan->bridge);
	/* A fixed address: otherwise it would change with each port, and jobs' caches with it. */
	network_plan_mac(plan->gateway, mac);
	netlink_put(batch, IFLA_ADDRESS, mac, sizeof(mac));
	info = netlink_nest(batch, IFLA_LINKINFO);
	netlink_put_text(batch, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(batch, IFLA_INFO_DATA);
	netlink_put_u32(batch, IFLA_BR_FORWARD_DELAY, 0);
	netlink_put_u32(batch, IFLA_BR_STP_STATE, 0);
	netlink_put_u8(batch, IFLA_BR_MCAST_SNOOPING, 0);
	netlink_nest_end(batch, data);
	netlink_nest_end(batch, info);
}

static void put_bridge_settings(struct netlink_batch *batch, const struct network_plan *plan,
                                uint32_t mtu)
{
	struct rtattr *spec, *inet6;
	struct ifinfomsg *link;

	(void)netlink_message(batch, "the bridge", RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	netlink_put_text(batch, IFLA_IFNAME, plan->bridge);
	netlink_put_u32(batch, IFLA_MTU, mtu);
	spec = netlink_nest(batch, IFLA_AF_SPEC);
	inet6 = netlink_nest(batch, AF_INET6);
	netlink_put_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	netlink_nest_end(batch, inet6);
	netlink_nest_end(batch, spec);
	link = netlink_message(batch, "the bridge", RTM_NEWLINK, 0, sizeof(*link));
	link->ifi_flags = link->ifi_change = IFF_UP;
	netlink_put_text(batch, IFLA_IFNAME, plan->bridge);
}

static int bridge_address(int fd, const struct network_plan *plan, struct error *err)
{
	struct netlink_batch batch;
	struct ifaddrmsg *head;

	netlink_batch_init(&batch);
	head = netlink_message(&batch, "the bridge's address", RTM_NEWADDR,
	                       NLM_F_CREATE | NLM_F_REPLACE, sizeof(*head));
	head->ifa_family = AF_INET;
	head->ifa_prefixlen = (uint8_t)plan->subnet.prefix;
	head->ifa_index = if_nametoindex(plan->bridge);
	netlink_put_u32(&batch, IFA_LOCAL, htonl(plan->gateway));
	netlink_put_u32(&batch, IFA_ADDRESS, htonl(plan->gateway));
	return netlink_run(fd, &batch, NULL, err);
}

static int bridge_make(const struct network_plan *plan, struct error *err)
{
	autoclose int fd = -1;
	struct netlink_batch batch;
	int reason = 0;

	if (netlink_open(&fd, err) < 0)
		return -1;
	netlink_batch_init(&batch);
	put_bridge(&batch, plan);
	if (netlink_run(fd, &batch, &reason, err) < 0 && reason != EEXIST)
		return -1;
	netlink_batch_init(&batch);
	put_bridge_settings(&batch, plan, uplink_mtu());
	if (netlink_run(fd, &batch, NULL, err) < 0)
		return -1;
	return bridge_address(fd, plan, err);
}

static int forwarding_on(struct error *err)
{
	autoclose int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDWR | O_CLOEXEC);
	char now = '0';

	if (fd >= 0 && read(fd, &now, 1) == 1 && now == '1')
		return 0;
	if (fd < 0 || pwrite(fd, "1", 1, 0) != 1)
		return fail_errno(err, E_UNAVAILABLE, errno,
		                  "packet forwarding (net.ipv4.ip_forward) cannot be turned on");
	return 0;
}

/* Each job's hardware and network address belong together. */
static void rules_hosts(struct buffer *text, const struct network_plan *plan)
{
	char address[INET_ADDRSTRLEN];
	uint8_t mac[NETWORK_MAC_SIZE];

	(void)buffer_add_text(text,
	                      "\tset hosts {\n\t\ttype ether_addr . ipv4_addr\n\t\telements = {\n");
	for (int slot = 0; slot < plan->slots; slot++) {
		uint32_t a = network_plan_address(plan, slot);

		address_text(a, address);
		network_plan_mac(a, mac);
		(void)buffer_printf(text, "\t\t\t%02x:%02x:%02x:%02x:%02x:%02x . %s,\n", mac[0],
		                    mac[1], mac[2], mac[3], mac[4], mac[5], address);
	}
	(void)buffer_add_text(text, "\t\t}\n\t}\n");
}

static void rules_denied_one(void *arg, const struct network_range *range)
{
	char address[INET_ADDRSTRLEN];

	address_text(range->base, address);
	(void)buffer_printf(arg, "%s/%d, ", address, range->prefix);
}

static int rules_denied(struct buffer *text, const struct configuration *c, struct error *err)
{
	(void)buffer_add_text(text, "\tset denied {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
	                            "\t\tauto-merge\n\t\telements = { 169.254.0.0/16, ");
	if (network_plan_each_denied(c, rules_denied_one, text, err) < 0)
		return -1;
	(void)buffer_add_text(text, "}\n\t}\n");
	return 0;
}

/* The server itself, for jobs that get its address. */
static void rules_endpoint(struct buffer *text, const struct configuration *c,
                           const struct network_plan *plan, const char *prefix)
{
	char gateway[INET_ADDRSTRLEN];
	uint16_t at_gateway, at_any;

	network_endpoint_ports(c, &at_gateway, &at_any);
	address_text(plan->gateway, gateway);
	if (at_gateway)
		(void)buffer_printf(text, "\t\t%sip daddr %s tcp dport %u accept\n", prefix,
		                    gateway, at_gateway);
	if (at_any)
		(void)buffer_printf(text, "\t\t%sfib daddr type local tcp dport %u accept\n",
		                    prefix, at_any);
}

static int rules_chains(struct buffer *text, const struct configuration *c,
                        const struct network_plan *plan)
{
	const char *bridge = plan->bridge;
	char subnet[INET_ADDRSTRLEN], to_server[64];

	address_text(plan->subnet.base, subnet);
	(void)snprintf(to_server, sizeof(to_server), "iifname \"%s\" ", bridge);
	/* The host's own addresses are refused before any address translation: a published port of
	 * another container is a service of the host, too. */
	(void)buffer_printf(text,
	                    "\tchain from_jobs {\n"
	                    "\t\ttype filter hook prerouting priority raw; policy accept;\n"
	                    "\t\tiifname != \"%s\" return\n"
	                    "\t\tmeta nfproto != ipv4 drop\n"
	                    "\t\tether saddr . ip saddr != @hosts drop\n",
	                    bridge);
	rules_endpoint(text, c, plan, "");
	(void)buffer_printf(text,
	                    "\t\tip daddr @denied drop\n"
	                    "\t\tfib daddr type { local, broadcast, multicast, anycast } drop\n"
	                    "\t}\n"
	                    "\tchain to_host {\n"
	                    "\t\ttype filter hook input priority filter; policy accept;\n");
	rules_endpoint(text, c, plan, to_server);
	return buffer_printf(text,
	                     "\t\tiifname \"%s\" drop\n"
	                     "\t}\n"
	                     "\tchain between {\n"
	                     "\t\ttype filter hook forward priority filter; policy accept;\n"
	                     "\t\tiifname \"%s\" oifname \"%s\" drop\n"
	                     "\t\tiifname \"%s\" accept\n"
	                     "\t\toifname \"%s\" ct state established,related accept\n"
	                     "\t\toifname \"%s\" drop\n"
	                     "\t}\n"
	                     "\tchain leaving {\n"
	                     "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	                     "\t\tip saddr %s/%d oifname != \"%s\" masquerade\n"
	                     "\t}\n",
	                     bridge, bridge, bridge, bridge, bridge, bridge, subnet,
	                     plan->subnet.prefix, bridge);
}

static int rules_load(const struct configuration *c, const struct network_plan *plan,
                      struct error *err)
{
	static const char *const nft[] = {"nft", "-f", "-", NULL};
	autobuffer struct buffer text = BUFFER_INIT(RULES_MAX);
	autobuffer struct buffer output = BUFFER_INIT(4096);

	/* Made first so that deleting it never fails. */
	(void)buffer_printf(&text, "table inet %s\ndelete table inet %s\ntable inet %s {\n",
	                    plan->bridge, plan->bridge, plan->bridge);
	rules_hosts(&text, plan);
	if (rules_denied(&text, c, err) < 0)
		return -1;
	if (rules_chains(&text, c, plan) < 0 || buffer_add_text(&text, "}\n") < 0)
		return fail(err, E_INTERNAL, "too many network rules");
	if (child_run(nft, buffer_text(&text), &output, err) < 0)
		return error_prefix(err, "the network rules cannot be loaded");
	return 0;
}

/* Docker drops what it does not forward itself; its chain for others' rules lets our jobs pass.
 * Only what iptables can express may stand there: it refuses a table that holds anything else. Who
 * may reach jobs is decided by our own rules, which see the packet too. */
static void docker_let_pass(const struct network_plan *plan)
{
	const char *const list[] = {"nft", "list", "chain", "ip", "filter", "DOCKER-USER", NULL};
	const char *const out[] = {"nft",         "insert",  "rule",       "ip",     "filter",
	                           "DOCKER-USER", "iifname", plan->bridge, "accept", NULL};
	const char *const in[] = {"nft",         "insert",  "rule",       "ip",     "filter",
	                          "DOCKER-USER", "oifname", plan->bridge, "accept", NULL};
	autobuffer struct buffer output = BUFFER_INIT(65536);
	struct error err = ERROR_INIT;

	if (child_run(list, NULL, &output, &err) < 0 || strstr(buffer_text(&output), plan->bridge))
		return;
	if (child_run(out, NULL, NULL, &err) < 0 || child_run(in, NULL, NULL, &err) < 0)
		log_warning("Docker's firewall may block the jobs' network: %s", err.text);
}

int network_host_setup(const struct configuration *c, struct error *err)
{
	struct network_plan plan;

	if (strcmp(c->network_mode, "bridge") != 0)
		return 0;
	/* Rules first: the bridge never passes a packet without them. */
	if (network_plan_read(c, &plan, err) < 0 || rules_load(c, &plan, err) < 0 ||
	    bridge_make(&plan, err) < 0 || forwarding_on(err) < 0)
		return -1;
	docker_let_pass(&plan);
	return 0;
}

void network_host_teardown(const struct configuration *c)
{
	const char *const nft[] = {"nft", "delete", "table", "inet", c->bridge, NULL};
	struct error ignored = ERROR_INIT;
	struct netlink_batch batch;
	autoclose int fd = -1;

	(void)child_run(nft, NULL, NULL, &ignored);
	if (netlink_open(&fd, &ignored) < 0)
		return;
	netlink_batch_init(&batch);
	(void)netlink_message(&batch, "the bridge", RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	netlink_put_text(&batch, IFLA_IFNAME, c->bridge);
	(void)netlink_run(fd, &batch, NULL, &ignored);
}
