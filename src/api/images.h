/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of images share. */
#ifndef HEARTH_API_IMAGES_H
#define HEARTH_API_IMAGES_H

#include "base/error.h"
#include "image/reference.h"

#include <jansson.h>

/* "python" → "docker.io/library/python:latest". E_INVALID also for NULL and "". */
int images_full_reference(const char *text, char ret[REFERENCE_MAX], struct error *err);
/* An image record as the API shows it, with its layers and configuration when `with_details`. */
json_t *images_render(const json_t *record, int with_details);

#endif
