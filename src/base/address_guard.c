/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are refused or private, as tables. An IPv4 address inside an IPv6 one (mapped,
 * compatible, NAT64, 6to4) is judged as the IPv4 address that it reaches.
 */
#include "base/address_guard.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

struct guard_ipv4 {
	uint32_t network;
	int bits; /* 0 ends a table */
};

struct guard_ipv6 {
	uint8_t network[16];
	int bits;
};

struct guard_tables {
	const struct guard_ipv4 *ipv4;
	const struct guard_ipv6 *ipv6;
};

static const struct guard_ipv4 refused_ipv4[] = {
        {IPV4(0, 0, 0, 0), 8},          /* "this host" */
        {IPV4(127, 0, 0, 0), 8},        /* loopback */
        {IPV4(169, 254, 0, 0), 16},     /* link-local: metadata of most clouds */
        {IPV4(100, 100, 100, 200), 32}, /* metadata: Alibaba */
        {IPV4(192, 0, 0, 192), 32},     /* metadata: Oracle */
        {IPV4(168, 63, 129, 16), 32},   /* metadata: Azure */
        {IPV4(224, 0, 0, 0), 3},        /* multicast, reserved, broadcast */
        {0},
};

static const struct guard_ipv4 private_ipv4[] = {
        {IPV4(10, 0, 0, 0), 8},
        {IPV4(172, 16, 0, 0), 12},
        {IPV4(192, 168, 0, 0), 16},
        {IPV4(100, 64, 0, 0), 10}, /* shared by customers of a provider */
        {IPV4(192, 0, 0, 0), 24},  /* protocol assignments */
        {IPV4(198, 18, 0, 0), 15}, /* benchmarks */
        {0},
};

static const struct guard_ipv6 refused_ipv6[] = {
        {{0xfe, 0x80}, 10},                                                     /* link-local */
        {{0xfe, 0xc0}, 10},                                                     /* site-local */
        {{0xff}, 8},                                                            /* multicast */
        {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, /* EC2 */
        {{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, /* Google */
        {{0}, 0},
};

static const struct guard_ipv6 private_ipv6[] = {
        {{0xfc}, 7}, /* unique local */
        {{0}, 0},
};

static const struct guard_tables refused = {refused_ipv4, refused_ipv6};
static const struct guard_tables private = {private_ipv4, private_ipv6};

static bool address_guard_finds_ipv4(const struct guard_tables *tables, uint32_t address)
{
	for (const struct guard_ipv4 *row = tables->ipv4; row->bits; row++) {
		int shift = 32 - row->bits;

		if (address >> shift == row->network >> shift)
			return true;
	}
	return false;
}

static bool address_guard_has_prefix(const uint8_t *address, const uint8_t *network, int bits)
{
	int bytes = bits / 8, rest = bits % 8;

	if (memcmp(address, network, (size_t)bytes) != 0)
		return false;
	return rest == 0 || (address[bytes] ^ network[bytes]) >> (8 - rest) == 0;
}

static uint32_t address_guard_ipv4_at(const uint8_t *bytes)
{
	return IPV4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

static bool address_guard_finds_ipv6(const struct guard_tables *tables, const uint8_t *address)
{
	static const uint8_t zeros[12];
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t six_to_four[2] = {0x20, 0x02};

	/* The first covers :: and ::1 too: 0.0.0.0/8. */
	if (memcmp(address, zeros, 12) == 0 || memcmp(address, mapped, 12) == 0 ||
	    memcmp(address, nat64, 12) == 0)
		return address_guard_finds_ipv4(tables, address_guard_ipv4_at(address + 12));
	if (memcmp(address, six_to_four, 2) == 0)
		return address_guard_finds_ipv4(tables, address_guard_ipv4_at(address + 2));
	for (const struct guard_ipv6 *row = tables->ipv6; row->bits; row++) {
		if (address_guard_has_prefix(address, row->network, row->bits))
			return true;
	}
	return false;
}

static bool address_guard_finds(const struct guard_tables *tables, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return address_guard_finds_ipv4(tables, ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return address_guard_finds_ipv6(tables, in6.sin6_addr.s6_addr);
	}
	return true;
}

bool address_guard_refuses(const struct sockaddr *address)
{
	return address_guard_finds(&refused, address);
}

bool address_guard_is_private(const struct sockaddr *address)
{
	return address_guard_finds(&private, address);
}
