/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP process: everything of hearthd that has no special rights. */
#ifndef HEARTH_SERVER_SERVE_H
#define HEARTH_SERVER_SERVE_H

#include "base/configuration.h"
#include "base/error.h"
#include "server/options.h"
#include "server/sockets.h"

/* Wires the services and runs the loop until a signal or the end of the spawner. */
int serve(struct configuration *c, const struct options *options, struct sockets *sockets,
	  int state_fd, int link_fd, struct error *err);

#endif
