/* SPDX-License-Identifier: Apache-2.0 */
/* Names and addresses of the jobs' network, worked out from the settings. */
#ifndef HEARTH_CONTAINER_NETWORK_PLAN_H
#define HEARTH_CONTAINER_NETWORK_PLAN_H

#include "base/configuration.h"
#include "base/error.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NETWORK_MAC_SIZE 6

struct network_range {
	uint32_t base, mask; /* host byte order */
	int prefix;
};

struct network_plan {
	char bridge[IF_NAMESIZE];
	struct network_range subnet;
	uint32_t gateway; /* host byte order; the bridge's address */
	int slots;
};

/* "a.b.c.d/n" with nothing set behind the prefix. `what` names the setting. */
int network_range_parse(const char *text, const char *what, struct network_range *ret,
                        struct error *err);
bool network_range_holds(const struct network_range *range, uint32_t address);

int network_plan_read(const struct configuration *c, struct network_plan *ret, struct error *err);
uint32_t network_plan_address(const struct network_plan *plan, int slot);
/* 02:48 and the four bytes of the address: unique on the bridge and known beforehand. */
void network_plan_mac(uint32_t address, uint8_t mac[NETWORK_MAC_SIZE]);

/* Calls `fn` for each network of setting network.deny. */
int network_plan_each_denied(const struct configuration *c,
                             void (*fn)(void *arg, const struct network_range *range), void *arg,
                             struct error *err);

#endif
