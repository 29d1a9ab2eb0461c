/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image store, write side (layout: image_store.h). Only hearth-pull, as root, writes here.
 *
 * Locks, all by flock: `lock` shared by pulls and imports, exclusive by remove and prune;
 * `tmp/<hex>.lock` exclusive by whoever unpacks that layer into `tmp/<hex>`. A folder in tmp/ whose
 * lock is free belongs to a dead process and is removed.
 *
 * Durability: layers are moved to their place, then one syncfs(), then their records are written.
 */
#ifndef HEARTH_IMAGE_IMAGE_WRITER_H
#define HEARTH_IMAGE_IMAGE_WRITER_H

#include "base/error.h"
#include "base/json.h"
#include "image/unpack.h"

#include <stdbool.h>
#include <stdint.h>

struct image_writer;

/* Make what is missing and take the store's lock; an exclusive one is waited for, within reason
 * (E_BUSY). `owner` is the user of hearthd, who notes uses. */
int image_writer_open(const char *state_dir, const char *owner, bool is_exclusive,
		      struct image_writer **ret, struct error *err);
void image_writer_close(struct image_writer *writer);
int image_writer_fd(const struct image_writer *writer); /* STATE/images, borrowed */

/* A name in tmp/, locked, with its empty folder. */
struct image_slot {
	char name[80]; /* hex of the diff id, or "import.<random>" */
	int lock_fd, dir_fd;
};
#define IMAGE_SLOT_NONE ((struct image_slot){ .lock_fd = -1, .dir_fd = -1 })

/* E_CONFLICT when another process unpacks it now. */
int image_writer_open_slot(struct image_writer *writer, const char *name, struct image_slot *ret,
			   struct error *err);
/* Remove the folder if it is still there, and give up the lock. */
void image_writer_close_slot(struct image_writer *writer, struct image_slot *slot);

bool image_writer_has_layer(struct image_writer *writer, const char *hex);
/* Size on disk, and whether nothing of lower layers is visible; false if there is no such layer. */
bool image_writer_read_layer(struct image_writer *writer, const char *hex, int64_t *ret_bytes,
			     bool *ret_is_opaque);
/* The slot's folder is the layer: move it to its place. It does not exist before the commit. */
int image_writer_place_layer(struct image_writer *writer, struct image_slot *slot, const char *hex,
			     struct error *err);
/* After all were placed: make everything durable. */
int image_writer_sync(struct image_writer *writer, struct error *err);
/* From here on the layer exists. */
int image_writer_commit_layer(struct image_writer *writer, const char *hex,
			      const struct unpack_result *result, struct error *err);

/* Write the record of an image, durably, and note its use. A record of the same reference with
 * another digest is kept as HOST/PATH@DIGEST: jobs may run on it. */
int image_writer_put_record(struct image_writer *writer, const json_t *record, struct error *err);
int image_writer_remove_record(struct image_writer *writer, const char *reference,
			       struct error *err);
/* Milliseconds of the last use; 0 if there was none. */
int64_t image_writer_last_used_ms(struct image_writer *writer, const char *digest);

/* With the exclusive lock: delete every layer that no record names, and whatever else is left over.
 * Returns the bytes that were freed. */
int64_t image_writer_collect(struct image_writer *writer);

#endif
