/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that hosts named by users must not lead to (S21): this machine, its link, and the
 * metadata services of cloud providers. Ordinary private networks are allowed: registries live
 * there.
 */
#ifndef HEARTH_IMAGE_ADDRESS_GUARD_H
#define HEARTH_IMAGE_ADDRESS_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

bool address_guard_refuses(const struct sockaddr *address);

#endif
