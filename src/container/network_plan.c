/* SPDX-License-Identifier: Apache-2.0 */
/* Working out names and addresses from the settings [network]. */
#include "container/network_plan.h"

#include "base/cleanup.h"
#include "base/memory.h"
#include "container/network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SLOTS_MIN 4096

int network_range_parse(const char *text, const char *what, struct network_range *ret,
                        struct error *err)
{
	char address[INET_ADDRSTRLEN + 1];
	struct in_addr in;
	int prefix = 32;
	char rest;
	uint32_t base, mask;

	if (strchr(text, '/')) {
		if (sscanf(text, "%16[0-9.]/%2d%c", address, &prefix, &rest) != 2)
			return fail(err, E_INVALID, "%s: \"%s\" is not a network like 10.0.0.0/8",
			            what, text);
	} else if (sscanf(text, "%16[0-9.]%c", address, &rest) != 1) {
		return fail(err, E_INVALID, "%s: \"%s\" is not a network like 10.0.0.0/8", what,
		            text);
	}
	if (inet_pton(AF_INET, address, &in) != 1 || prefix < 0 || prefix > 32)
		return fail(err, E_INVALID, "%s: \"%s\" is not a network like 10.0.0.0/8", what,
		            text);
	base = ntohl(in.s_addr);
	mask = prefix == 0 ? 0 : ~(uint32_t)0 << (32 - prefix);
	if (base & ~mask)
		return fail(err, E_INVALID, "%s: \"%s\" has bits set behind the prefix", what,
		            text);
	*ret = (struct network_range){base, mask, prefix};
	return 0;
}

bool network_range_holds(const struct network_range *range, uint32_t address)
{
	return (address & range->mask) == range->base;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IF_NAMESIZE)
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_')
			return false;
	}
	return true;
}

int network_plan_read(const struct configuration *c, struct network_plan *ret, struct error *err)
{
	struct network_plan plan;
	int64_t addresses, wanted;

	if (!name_is_valid(c->bridge))
		return fail(err, E_INVALID,
		            "network.bridge: \"%s\" must be 1 to 15 letters, digits, - or _",
		            c->bridge);
	if (network_range_parse(c->subnet, "network.subnet", &plan.subnet, err) < 0)
		return -1;
	if (plan.subnet.prefix < 8 || plan.subnet.prefix > 29)
		return fail(err, E_INVALID,
		            "network.subnet: the prefix must be between /8 and /29");
	(void)snprintf(plan.bridge, sizeof(plan.bridge), "%s", c->bridge);
	plan.gateway = plan.subnet.base + 1;
	addresses = (int64_t)1 << (32 - plan.subnet.prefix);
	/* A slot is less than max_running. Not fewer than usual, because jobs that run may be older
	 * than a smaller setting. */
	wanted = c->max_running > SLOTS_MIN ? c->max_running : SLOTS_MIN;
	if (wanted > NETWORK_SLOTS_MAX)
		wanted = NETWORK_SLOTS_MAX;
	plan.slots = (int)(addresses - 3 < wanted ? addresses - 3 : wanted);
	*ret = plan;
	return 0;
}

uint32_t network_plan_address(const struct network_plan *plan, int slot)
{
	return plan->gateway + 1 + (uint32_t)slot;
}

void network_plan_mac(uint32_t address, uint8_t mac[NETWORK_MAC_SIZE])
{
	mac[0] = 0x02;
	mac[1] = 0x48;
	mac[2] = (uint8_t)(address >> 24);
	mac[3] = (uint8_t)(address >> 16);
	mac[4] = (uint8_t)(address >> 8);
	mac[5] = (uint8_t)address;
}

int network_plan_each_denied(const struct configuration *c,
                             void (*fn)(void *arg, const struct network_range *range), void *arg,
                             struct error *err)
{
	autofree char *list = xstrdup(c->deny ? c->deny : "");
	char *rest = NULL;

	for (char *item = strtok_r(list, ", \t", &rest); item;
	     item = strtok_r(NULL, ", \t", &rest)) {
		struct network_range range;

		if (network_range_parse(item, "network.deny", &range, err) < 0)
			return -1;
		fn(arg, &range);
	}
	return 0;
}
