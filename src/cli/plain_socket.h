/* SPDX-License-Identifier: Apache-2.0 */
/* TCP and Unix connections with timeouts, for transport_plain.c. Sockets are non-blocking. */
#ifndef HEARTH_CLI_PLAIN_SOCKET_H
#define HEARTH_CLI_PLAIN_SOCKET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

int plain_socket_connect(const char *host, const char *port, int *ret_fd, struct error *err);
int plain_socket_connect_unix(const char *path, int *ret_fd, struct error *err);
/* Write all. *ret_early: the peer has answered before the end; what is left was not sent. */
int plain_socket_send(int fd, const void *data, size_t len, bool *ret_early, struct error *err);
/* As transport_read(). */
ssize_t plain_socket_receive(int fd, void *data, size_t max, int timeout_ms, struct error *err);

#endif
