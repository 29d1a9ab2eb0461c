/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a pull that speak to the registry. Each runs as the user of hearthd, without new
 * privileges, and has nothing but a pipe to write to.
 */
#ifndef HEARTH_IMAGE_PULL_RESOLVE_H
#define HEARTH_IMAGE_PULL_RESOLVE_H

#include "base/error.h"
#include "base/json.h"
#include "image/layer_set.h"
#include "image/registry.h"

/* What a reference is now. */
struct pull_plan {
	bool is_known; /* still the digest that the caller knows; nothing else is filled */
	char digest[DIGEST_SIZE];   /* of what the reference names: an index or a manifest */
	char manifest_digest[DIGEST_SIZE];
	struct manifest manifest;
	char *architecture;
	json_t *config;
};
void pull_plan_clear(struct pull_plan *plan);

/* Ask the registry in a process of its own, and wait for it; the end of `link_fd` cancels.
 * `known_digest` "": none. The repository gets the token that was used. */
int pull_resolve(struct repository *repository, const struct reference *ref,
		 const char *architecture, const char *known_digest,
		 const struct configuration *configuration, int link_fd, struct pull_plan *ret,
		 struct error *err);

/* Start a process that writes the blob to a pipe. */
int pull_fetch_start(struct repository *repository, const struct manifest_blob *blob,
		     const struct configuration *configuration, volatile int64_t *progress,
		     struct layer_source *ret, struct error *err);

#endif
