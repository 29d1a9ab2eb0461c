/* SPDX-License-Identifier: Apache-2.0 */
/* hearth-pull's side of pull_protocol.h, and the same kind of messages among its own processes. */
#ifndef HEARTH_IMAGE_PULL_LINK_H
#define HEARTH_IMAGE_PULL_LINK_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

/* One message. E_UNAVAILABLE when the other side is gone. */
int pull_link_send(int fd, const json_t *message, struct error *err);
int pull_link_receive(int fd, json_t **ret, struct error *err);
/* {"type":"error",…}; nobody may be listening any more. */
void pull_link_send_error(int fd, const struct error *problem);
/* Has hearthd closed its end? That is how a pull is cancelled. */
bool pull_link_is_closed(int fd);

/* {"type":"progress",…}, at most ten a second. */
struct pull_progress {
	int layers_done, layers;
	int64_t bytes_done, bytes;
};
void pull_link_send_progress(int fd, const struct pull_progress *progress);

#endif
