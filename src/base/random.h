/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes from the kernel, for names and ids; needs no library, unlike seal.h. */
#ifndef HEARTH_BASE_RANDOM_H
#define HEARTH_BASE_RANDOM_H

#include <stddef.h>

void random_fill(void *data, size_t len); /* at most 256 bytes; cannot fail */

#endif
