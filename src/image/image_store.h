/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store, read side. Writing is done by hearth-pull only.
 *
 *   STATE/images/                     root, 0755
 *     records/<sha256 of the full reference>.json   0644: one image record per known reference
 *     layers/<hex of the diff id>/     0700 root: an unpacked layer, ids 0–65535 as in the layer;
 *                                      whiteouts as character device 0:0, opaque folders by
 *                                      user.overlay.opaque (overlay is mounted with userxattr)
 *     layers/<hex>.json                {"size":…, "digest":…, "opaque":…}: written last; a layer
 *                                      without it does not exist
 *     used/<hex of manifest digest>    mtime = last use (eviction order)
 *     tmp/                             blobs and half-unpacked layers, emptied at start
 *     lock                             held shared by pulls, exclusively by remove and prune
 *
 * An image record: {"reference":…, "digest":<of what the reference names: an index or a manifest>,
 * "manifest":<of the platform's manifest>, "config":{Env, Entrypoint, Cmd, WorkingDir,
 * User, Volumes, …}, "architecture":…, "layers":[<hex of diff id>, …] lowest first, "size":<unpacked
 * bytes>, "pulled_ms":…, "local":<imported: never refreshed>}.
 */
#ifndef HEARTH_IMAGE_IMAGE_STORE_H
#define HEARTH_IMAGE_IMAGE_STORE_H

#include "base/error.h"
#include "base/json.h"
#include "image/reference.h"

#include <stdbool.h>
#include <stdint.h>

/* The record of a reference, or of a digest reference any record of the same repository with that
 * digest; NULL if there is none or one of its layers is missing. Yours to release. */
json_t *image_store_find(int images_fd, const struct reference *ref);
void image_store_each(int images_fd, void (*fn)(void *arg, const json_t *record), void *arg);
/* Note that an image is used now. */
void image_store_touch(int images_fd, const char *digest);

#endif
