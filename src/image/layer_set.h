/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of one image, brought into the store: several at once, each by a process that gives its
 * blob (a fetcher, or simply a file of an imported archive) and one that unpacks it. A layer that
 * another hearth-pull unpacks right now is waited for.
 */
#ifndef HEARTH_IMAGE_LAYER_SET_H
#define HEARTH_IMAGE_LAYER_SET_H

#include "base/configuration.h"
#include "base/error.h"
#include "base/json.h"
#include "image/image_writer.h"
#include "image/manifest.h"

#include <sys/types.h>

/* What a fetcher tells at its end, over a pipe. */
struct layer_fetch_result {
	int code;	     /* enum error_code */
	bool is_reader_gone; /* the unpacker stopped first and knows better */
	char text[ERROR_TEXT_SIZE];
};

/* A blob that can be read now. */
struct layer_source {
	int in_fd;
	pid_t fetch_pid;  /* 0: no fetcher */
	int fetch_out_fd; /* its struct layer_fetch_result; -1: no fetcher */
};

struct layer_set_spec {
	struct image_writer *writer;
	const struct configuration *configuration;
	const struct manifest *manifest; /* blob.digest "": not known, only the diff id counts */
	const char *name;		 /* of the image, for sentences */
	int link_fd;			 /* progress goes there; its end cancels */
	/* Give layer `index`; its bytes are counted in *progress, which fetchers share. */
	int (*open)(void *arg, size_t index, volatile int64_t *progress, struct layer_source *ret,
		    struct error *err);
	void *arg;
};

/* All or nothing, except that layers which are complete stay for the next try. */
int layer_set_bring(const struct layer_set_spec *spec, struct error *err);

/* What overlayfs gets: [<hex of diff id>, …], lowest first, each once, nothing below an opaque root;
 * and the sum of their sizes. Yours. */
json_t *layer_set_list(struct image_writer *writer, const struct manifest *manifest,
		       int64_t *ret_bytes);

#endif
