/* SPDX-License-Identifier: Apache-2.0 */
/* The way from jobs to this server, with network.give_endpoint: the bridge's address and the port of server.listen, or
 * server.public_url. Nothing else of this machine can be reached from jobs. */
#ifndef HEARTH_CONTAINER_NETWORK_ENDPOINT_H
#define HEARTH_CONTAINER_NETWORK_ENDPOINT_H

#include "base/configuration.h"

#include <stdbool.h>
#include <stdint.h>

/* "http://10.213.0.1:7423", yours to free; NULL: jobs get none. */
char *network_endpoint_url(const struct configuration *configuration);
/* "10.213.0.1:7423", where the server has to listen besides; yours to free; NULL: nowhere, or it does already. */
char *network_endpoint_listen(const struct configuration *configuration);
/* TCP ports that jobs may reach: on the bridge's address that of the server, on any address of this machine that of
 * server.public_url. 0: none. */
void network_endpoint_ports(const struct configuration *configuration, uint16_t *ret_gateway, uint16_t *ret_any);

#endif
