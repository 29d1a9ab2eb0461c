/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The job's root file system: the image's layers, id-mapped and read-only, below a fresh upper layer
 * in the attempt folder. No layer is copied and no file of a layer is touched.
 */
#ifndef HEARTH_CONTAINER_OVERLAY_H
#define HEARTH_CONTAINER_OVERLAY_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* The folder of the attempt that holds upper and work layer; root only. */
#define OVERLAY_DISK "disk"

struct overlay_options {
	int images_fd;		/* the image store */
	const json_t *layers;	/* names under images/layers/, lowest first */
	int attempt_fd;		/* gets OVERLAY_DISK */
	int user_namespace_fd;
	uint32_t owner;	 /* host id of the job's root */
	const char *top; /* one more read-only layer above all, not id-mapped; NULL: none */
};

/* Whether `name` is a folder, or nothing at all, in the root of the merged layers, so that a folder of
 * that name in `top` merges with it. Its mode and (unmapped) owner go to *ret when there is one. */
bool overlay_can_merge(const struct overlay_options *options, const char *name, struct stat *ret);

/* Mount it at STAGE_ROOT. *ret_upper_fd is the upper layer (O_PATH), for measuring. */
int overlay_mount(const struct overlay_options *options, int *ret_upper_fd, struct error *err);
/* Remove OVERLAY_DISK, whatever a job has put there; a missing one is fine. */
int overlay_remove(int attempt_fd, struct error *err);
/* The same for any folder that a job has written. */
int overlay_remove_tree(int dir_fd, const char *name, struct error *err);

#endif
