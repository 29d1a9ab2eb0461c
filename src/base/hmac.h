/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 (RFC 2104), by which a receiver knows that a message is from us and when it was sent.
 */
#ifndef HEARTH_BASE_HMAC_H
#define HEARTH_BASE_HMAC_H

#include <stddef.h>

#define HMAC_HEX_SIZE 65

/* Of `head` followed by `body`, as lower-case hex. */
void hmac_sha256(const char *key, const char *head, const void *body, size_t len,
                 char ret[HMAC_HEX_SIZE]);

#endif
