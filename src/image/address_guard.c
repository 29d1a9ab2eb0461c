/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses are refused, as two tables. An IPv4 address inside an IPv6 one (mapped,
 * compatible, NAT64, 6to4) is judged as the IPv4 address that it reaches.
 */
#include "image/address_guard.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct {
	uint32_t network;
	int bits;
} address_guard_ipv4[] = {
        {IPV4(0, 0, 0, 0), 8},          /* "this host" */
        {IPV4(127, 0, 0, 0), 8},        /* loopback */
        {IPV4(169, 254, 0, 0), 16},     /* link-local: metadata of most clouds */
        {IPV4(100, 100, 100, 200), 32}, /* metadata: Alibaba */
        {IPV4(192, 0, 0, 192), 32},     /* metadata: Oracle */
        {IPV4(168, 63, 129, 16), 32},   /* metadata: Azure */
        {IPV4(224, 0, 0, 0), 3},        /* multicast, reserved, broadcast */
};

static const struct {
	uint8_t network[16];
	int bits;
} address_guard_ipv6[] = {
        {{0xfe, 0x80}, 10},                                                     /* link-local */
        {{0xfe, 0xc0}, 10},                                                     /* site-local */
        {{0xff}, 8},                                                            /* multicast */
        {{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, /* EC2 */
        {{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128}, /* Google */
};

static bool address_guard_refuses_ipv4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(address_guard_ipv4) / sizeof(address_guard_ipv4[0]); i++) {
		int shift = 32 - address_guard_ipv4[i].bits;

		if (address >> shift == address_guard_ipv4[i].network >> shift)
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

static bool address_guard_refuses_ipv6(const uint8_t *address)
{
	static const uint8_t zeros[12];
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
	static const uint8_t six_to_four[2] = {0x20, 0x02};

	/* The first covers :: and ::1 too: 0.0.0.0/8. */
	if (memcmp(address, zeros, 12) == 0 || memcmp(address, mapped, 12) == 0 ||
	    memcmp(address, nat64, 12) == 0)
		return address_guard_refuses_ipv4(address_guard_ipv4_at(address + 12));
	if (memcmp(address, six_to_four, 2) == 0)
		return address_guard_refuses_ipv4(address_guard_ipv4_at(address + 2));
	for (size_t i = 0; i < sizeof(address_guard_ipv6) / sizeof(address_guard_ipv6[0]); i++) {
		if (address_guard_has_prefix(address, address_guard_ipv6[i].network,
		                             address_guard_ipv6[i].bits))
			return true;
	}
	return false;
}

bool address_guard_refuses(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return address_guard_refuses_ipv4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return address_guard_refuses_ipv6(in6.sin6_addr.s6_addr);
	}
	return true;
}
