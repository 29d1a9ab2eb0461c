/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: "[HOST[:PORT]/]PATH[:TAG][@sha256:…]" (distribution spec, "Pulling manifests").
 * "python" is docker.io/library/python:latest.
 */
#ifndef HEARTH_IMAGE_REFERENCE_H
#define HEARTH_IMAGE_REFERENCE_H

#include "base/digest.h"
#include "base/error.h"

#define REFERENCE_MAX 768 /* of the full form, which is longer than what users write */

struct reference {
	char host[256];		  /* "docker.io", "ghcr.io", "localhost:5000" */
	char path[256];		  /* "library/python" */
	char tag[129];		  /* "" when only a digest was given */
	char digest[DIGEST_SIZE]; /* "" when none */
};

/* E_INVALID with a sentence for people: a reference that begins with '-' "looks like an option; put
 * options before the image". */
int reference_parse(const char *text, struct reference *ret, struct error *err);
/* Full form, always with the host: "docker.io/library/python:3.12". */
void reference_format(const struct reference *ref, char text[REFERENCE_MAX]);

#endif
