/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image indexes, manifests and configs, OCI and Docker v2 schema 2 alike: what is read from them
 * and what is refused. Pure functions on parsed JSON; digests were checked by whoever fetched the
 * text.
 */
#ifndef HEARTH_IMAGE_MANIFEST_H
#define HEARTH_IMAGE_MANIFEST_H

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_MAX_BYTES (4 * 1024 * 1024)
#define MANIFEST_CONFIG_MAX_BYTES (8 * 1024 * 1024)
#define MANIFEST_LAYERS_MAX 200

#define MANIFEST_ACCEPT                                                                            \
	"application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "    \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.docker.distribution.manifest.v2+json"

/* A blob as a manifest names it. */
struct manifest_blob {
	char digest[DIGEST_SIZE];
	int64_t size;
};

struct manifest_layer {
	struct manifest_blob blob;
	char diff_id[DIGEST_SIZE]; /* of the uncompressed tar; from the config */
};

struct manifest {
	struct manifest_blob config;
	struct manifest_layer layers[MANIFEST_LAYERS_MAX]; /* lowest first */
	size_t n_layers;
};

/* An index (manifest list) rather than a manifest? A document that could be both is refused by both
 * readers (CVE-2021-41190). */
bool manifest_is_index(const json_t *document);

/* The manifest for linux/<architecture>; `architecture` may carry a variant ("arm/v7"). E_NOT_FOUND
 * with a list of what there is. */
int manifest_choose(const json_t *index, const char *architecture, struct manifest_blob *ret,
                    struct error *err);

/* Everything but the diff ids. */
int manifest_read(const json_t *document, struct manifest *ret, struct error *err);

/* Fill the diff ids, check the platform, and give what jobs need of the config: {"Env", "Cmd", …}
 * in *ret_config and the architecture, both yours. */
int manifest_read_config(struct manifest *manifest, const json_t *config, const char *architecture,
                         json_t **ret_config, char **ret_architecture, struct error *err);

/* The `config` member of an image config, checked and cut to the known members; yours. */
int manifest_filter_config(const json_t *config, json_t **ret, struct error *err);

#endif
