/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that hosts named by users must not lead to (S21): this machine, its link, and the
 * metadata services of cloud providers. Private networks are a question of their own: registries
 * live there, but webhooks have no business there unless the operator says so.
 */
#ifndef HEARTH_BASE_ADDRESS_GUARD_H
#define HEARTH_BASE_ADDRESS_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

bool address_guard_refuses(const struct sockaddr *address);
/* Networks that are not of the Internet: RFC 1918, shared and benchmarking space, unique local
 * IPv6. */
bool address_guard_is_private(const struct sockaddr *address);

#endif
