/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded backend: image service, attempt folder, monitor by the spawner. */
#ifndef HEARTH_BACKEND_LOCAL_H
#define HEARTH_BACKEND_LOCAL_H

#include "job/backend.h"
#include "job/image_service.h"
#include "net/loop.h"

struct backend *backend_local_new(struct loop *loop, const struct configuration *configuration,
				  struct image_service *images, int attempts_fd, int spawner_fd,
				  const struct backend_events *events);

#endif
