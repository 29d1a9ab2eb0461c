/* SPDX-License-Identifier: Apache-2.0 */
/* Names of accelerators: as drivers tell them ("NVIDIA A100-SXM4-80GB"), and as people do ("A100"). */
#ifndef HEARTH_JOB_FLAVOR_MODEL_H
#define HEARTH_JOB_FLAVOR_MODEL_H

#include <stdbool.h>

#define FLAVOR_MODEL_SIZE 48

/* Are the words of `pattern` in the model, one after the other, in any case? Whole words: L4 is not an
 * L40S, A10 no A100. NULL or "" fits all. */
bool flavor_model_matches(const char *pattern, const char *model);
/* What tells it from others: without maker, memory, socket and the like. "NVIDIA GeForce RTX 4090" gives
 * "RTX 4090"; returns `ret`. */
char *flavor_model_short(const char *model, char ret[FLAVOR_MODEL_SIZE]);
/* The same as part of a flavor's name: "rtx-4090". */
char *flavor_model_slug(const char *model, char ret[FLAVOR_MODEL_SIZE]);

#endif
