/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs that run uv (hub-jobs-api 5): which they are, what they get by the settings [uv], and the key of their environment:
 * two jobs with the same key need the same packages in the same interpreter at the same path.
 *
 * The key is SHA-256 over the image, the words of the command up to the script, uv's variables, and the script's inline metadata
 * (PEP 723): not over the rest of the script, so that an edited script finds its environment again. A script that
 * cannot be read here (a URL, a file of the image) counts by its name.
 */
#ifndef HEARTH_JOB_UV_JOB_H
#define HEARTH_JOB_UV_JOB_H

#include "base/configuration.h"
#include "base/json.h"

#include <stdbool.h>

/* The image of `hf jobs uv run` and `hearth uv run`. */
#define UV_JOB_USUAL_IMAGE "ghcr.io/astral-sh/uv:python3.12-bookworm"

struct uv_job_input {
	const struct configuration *configuration;
	const json_t *body;    /* normalized spec of the job */
	const json_t *secrets; /* object of strings; may be NULL */
	const char *image_digest, *namespace_id;
};

bool uv_job_is(const json_t *body);
/* What uv finds in the environment unless the user says otherwise: added to an object of strings. */
void uv_job_add_variables(const struct uv_job_input *input, json_t *variables);
/* Its elements of "mounts" (base/volume.h): cache and wheels. */
void uv_job_add_mounts(const struct uv_job_input *input, json_t *mounts);

#endif
