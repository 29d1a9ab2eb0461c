/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A repository at a registry: manifests, configs and layers by the OCI distribution protocol, with
 * tokens, mirrors, retries and resumed transfers. Blocks; runs in processes without rights.
 */
#ifndef HEARTH_IMAGE_REGISTRY_H
#define HEARTH_IMAGE_REGISTRY_H

#include "base/buffer.h"
#include "base/configuration.h"
#include "base/error.h"
#include "image/manifest.h"
#include "image/reference.h"

#include <stdint.h>

struct repository;

/* Reads the credentials (setting images.docker_config), so it is called before rights are dropped.
 * Speaks to nobody yet. */
int repository_new(const struct configuration *configuration, const struct reference *ref,
                   struct repository **ret, struct error *err);
void repository_free(struct repository *repository);
/* In the process that will speak to the registry, before anything below. */
void repository_connect(struct repository *repository);

/* The token that was given so far ("" if none), to be handed to another process, and back. */
const char *repository_get_token(const struct repository *repository);
void repository_set_token(struct repository *repository, const char *token);

/* Digest of what the tag names now; "" if the registry does not say, for whatever reason. One try
 * only: it fails if nobody answers, and then the caller has the image of yesterday. */
int repository_head_manifest(struct repository *repository, const char *tag_or_digest,
                             char digest[DIGEST_SIZE], struct error *err);
/* Checked against the digest if `tag_or_digest` is one; its digest goes to `digest`. */
int repository_get_manifest(struct repository *repository, const char *tag_or_digest,
                            struct buffer *ret, char digest[DIGEST_SIZE], struct error *err);
/* A small blob, checked. */
int repository_get_blob(struct repository *repository, const struct manifest_blob *blob,
                        struct buffer *ret, struct error *err);
/* A layer, written to `out_fd` piece by piece; exactly blob->size bytes or a failure. The digest is
 * NOT checked here but by who reads. `*progress` counts bytes. *ret_is_reader_gone: it failed because
 * nobody reads any more. */
int repository_copy_blob(struct repository *repository, const struct manifest_blob *blob,
                         int out_fd, volatile int64_t *progress, bool *ret_is_reader_gone,
			 struct error *err);

#endif
