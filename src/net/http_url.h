/* SPDX-License-Identifier: Apache-2.0 */
/* URLs that others give us to call. */
#ifndef HEARTH_NET_HTTP_URL_H
#define HEARTH_NET_HTTP_URL_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/socket.h>

#define HTTP_URL_MAX 2048

/* E_INVALID with a sentence unless it is an absolute http or https URL without user and password. A
 * host that is written as an address, or "localhost", is shown to `allows` (NULL: all are fine). */
int http_url_check(const char *url, bool (*allows)(const struct sockaddr *address),
                   struct error *err);
/* The same host, and not without TLS where there was TLS. */
bool http_url_may_share(const char *from, const char *to);

#endif
