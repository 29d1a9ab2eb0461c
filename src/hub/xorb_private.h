/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of xorb.h share. */
#ifndef HEARTH_HUB_XORB_PRIVATE_H
#define HEARTH_HUB_XORB_PRIVATE_H

#include "hub/xorb.h"

#define XORB_COMPRESSED_MAX (256 * 1024) /* of one chunk */
#define XORB_PLAIN 0                     /* scheme */

struct xorb_header {
	uint32_t compressed, length;
	int scheme;
};

/* A chunk's header, checked as far as it can be alone; E_INVALID. */
int xorb_header_read(const uint8_t bytes[XORB_HEADER_SIZE], struct xorb_header *ret,
                     struct error *err);

#endif
