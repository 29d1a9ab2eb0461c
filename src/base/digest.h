/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 digests in the form of the OCI image spec, "sha256:<64 hex>" (descriptor.md#digests). */
#ifndef HEARTH_BASE_DIGEST_H
#define HEARTH_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_HEX_LENGTH 64
#define DIGEST_SIZE (7 + DIGEST_HEX_LENGTH + 1)

struct digest; /* a running computation */

struct digest *digest_new(void);
void digest_add(struct digest *d, const void *data, size_t len);
/* Writes "sha256:<hex>" and ends the computation; `d` must still be freed. */
void digest_finish(struct digest *d, char text[DIGEST_SIZE]);
void digest_free(struct digest *d);

void digest_of(const void *data, size_t len, char text[DIGEST_SIZE]);
bool digest_is_valid(const char *text);	    /* "sha256:" and 64 lower-case hex digits */
const char *digest_hex(const char *digest); /* the part behind "sha256:"; borrowed */

#endif
