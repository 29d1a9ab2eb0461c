/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows about a TCP connection. Apart from the rest because linux/tcp.h and the
 * netinet/tcp.h of libuv's header exclude each other. */
#ifndef HEARTH_NET_TCP_H
#define HEARTH_NET_TCP_H

#include <stdint.h>

uint64_t tcp_bytes_received(int fd); /* since the connection began, plus 1; never 0 */

#endif
