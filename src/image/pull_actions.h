/* SPDX-License-Identifier: Apache-2.0 */
/* What hearth-pull can be asked to do (pull_protocol.h). Each sends its own answer on success. */
#ifndef HEARTH_IMAGE_PULL_ACTIONS_H
#define HEARTH_IMAGE_PULL_ACTIONS_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "image/reference.h"

struct pull_context {
	const struct configuration *configuration;
	json_t *request;
	int link_fd;
	int archive_fd;
};

int pull_image(const struct pull_context *context, struct error *err);   /* pull.c */
int pull_import(const struct pull_context *context, struct error *err);  /* import.c */
int pull_remove(const struct pull_context *context, struct error *err);  /* prune.c */
int pull_prune(const struct pull_context *context, struct error *err);   /* prune.c */

/* The request's reference. */
int pull_read_reference(const struct pull_context *context, struct reference *ret,
			struct error *err);
/* The request's architecture, or this machine's ("amd64"). */
const char *pull_architecture(const struct pull_context *context);

#endif
