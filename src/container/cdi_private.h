/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the CDI reader: cdi.c (what all folders say together), cdi_file.c (one file),
 * cdi_edits.c (what one container needs). */
#ifndef HEARTH_CONTAINER_CDI_PRIVATE_H
#define HEARTH_CONTAINER_CDI_PRIVATE_H

#include "base/buffer.h"
#include "container/cdi.h"

#define CDI_FILE_MAX (4 * 1024 * 1024)

struct cdi_spec {
	char *origin; /* its path, or what it was made of */
	json_t *json; /* as cdi_check() has made it */
	int rank;     /* of its folder; the higher one counts */
};

struct cdi_device {
	char *name; /* qualified */
	struct cdi_spec *spec;
	const json_t *edits; /* of the specification */
	const char *rival;   /* origin of another one of the same rank; NULL: none */
};

struct cdi {
	struct cdi_spec **specs;
	struct cdi_device *devices;
	size_t n_specs, n_devices;
	struct buffer warnings;
};

const struct cdi_device *cdi_find(const struct cdi *cdi, const char *name);

/* Read DIR/name. E_FORBIDDEN: others could have written it. */
int cdi_file_read(int dir_fd, const char *name, json_t **ret, struct error *err);
/* The folder itself: whoever can write there can exchange the files. */
int cdi_file_check_folder(int dir_fd, struct error *err);

#endif
