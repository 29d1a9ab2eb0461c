/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing name servers for a job (dns_plan.h). */
#include "container/dns_plan.h"

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "container/network_plan.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct candidates {
	struct sockaddr_storage servers[DNS_SERVERS_MAX];
	size_t count;
	struct buffer other_lines; /* search, options */
};

/* IPv4 or IPv6, the latter perhaps with a scope ("fe80::1%eth0"). */
static bool server_parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	char address[INET6_ADDRSTRLEN + 1], scope[32] = "";

	*ret = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(ret, &in, sizeof(in));
		return true;
	}
	if (sscanf(text, "%46[^%]%%%31s", address, scope) < 1 ||
	    inet_pton(AF_INET6, address, &in6.sin6_addr) != 1)
		return false;
	in6.sin6_scope_id = scope[0] ? if_nametoindex(scope) : 0;
	memcpy(ret, &in6, sizeof(in6));
	return true;
}

static void candidate_add(struct candidates *c, const char *text)
{
	if (c->count < DNS_SERVERS_MAX && server_parse(text, &c->servers[c->count]))
		c->count++;
}

static void read_list(struct candidates *c, const char *text)
{
	autofree char *list = xstrdup(text);
	char *rest = NULL;

	for (char *item = strtok_r(list, ", \t", &rest); item; item = strtok_r(NULL, ", \t", &rest))
		candidate_add(c, item);
}

static void read_file(struct candidates *c, const char *path)
{
	autofile FILE *file = fopen(path, "re");
	char line[1024], value[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %255s", value) == 1)
			candidate_add(c, value);
		else if (strncmp(line, "search ", 7) == 0 || strncmp(line, "options ", 8) == 0 ||
		         strncmp(line, "domain ", 7) == 0)
			(void)buffer_add_text(&c->other_lines, line);
	}
}

static bool is_own_address(uint32_t address)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
			found = ntohl(((const struct sockaddr_in *)(const void *)i->ifa_addr)
			                      ->sin_addr.s_addr) == address;
	}
	freeifaddrs(list);
	return found;
}

struct denied_search {
	uint32_t address;
	bool found;
};

static void denied_look(void *arg, const struct network_range *range)
{
	struct denied_search *search = arg;

	search->found = search->found || network_range_holds(range, search->address);
}

/* Can packets of a job reach it, by the rules of network_host.c? */
static bool is_reachable(const struct configuration *c, const struct sockaddr_storage *server)
{
	struct denied_search search = {0};
	struct error ignored = ERROR_INIT;

	if (server->ss_family != AF_INET)
		return false;
	search.address = ntohl(((const struct sockaddr_in *)(const void *)server)->sin_addr.s_addr);
	if (search.address >> 24 == 127 || search.address >> 16 == 0xa9fe || search.address == 0)
		return false;
	(void)network_plan_each_denied(c, denied_look, &search, &ignored);
	return !search.found && !is_own_address(search.address);
}

static void plan_text(struct dns_plan *plan, const char *other_lines)
{
	struct buffer text = BUFFER_INIT(sizeof(plan->resolv_conf) - 1);

	if (plan->relay) {
		(void)buffer_add_text(&text, "nameserver " DNS_RELAY_ADDRESS "\n");
	} else {
		for (size_t i = 0; i < plan->n_servers; i++) {
			char address[INET_ADDRSTRLEN];
			const struct sockaddr_in *in = (const void *)&plan->servers[i];

			(void)inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
			(void)buffer_printf(&text, "nameserver %s\n", address);
		}
	}
	/* Too long a search list is left out as a whole. */
	(void)buffer_add_text(&text, other_lines);
	(void)snprintf(plan->resolv_conf, sizeof(plan->resolv_conf), "%s", buffer_text(&text));
	buffer_clear(&text);
}

void dns_plan_read(const struct configuration *c, const char *resolv_conf_path,
                   struct dns_plan *ret)
{
	struct candidates candidates = {.other_lines = BUFFER_INIT(1536)};
	struct dns_plan plan = {0};

	if (c->dns && strcmp(c->dns, "auto") != 0)
		read_list(&candidates, c->dns);
	else
		read_file(&candidates, resolv_conf_path ? resolv_conf_path : "/etc/resolv.conf");
	/* One that can be reached directly is enough. */
	for (size_t i = 0; i < candidates.count; i++) {
		if (is_reachable(c, &candidates.servers[i]))
			plan.servers[plan.n_servers++] = candidates.servers[i];
	}
	if (plan.n_servers == 0 && candidates.count > 0) {
		plan.relay = true;
		plan.n_servers = candidates.count;
		memcpy(plan.servers, candidates.servers, sizeof(plan.servers));
	}
	plan_text(&plan, buffer_text(&candidates.other_lines));
	buffer_clear(&candidates.other_lines);
	*ret = plan;
}
