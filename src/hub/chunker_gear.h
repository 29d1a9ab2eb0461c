/* SPDX-License-Identifier: Apache-2.0 */
/* Data of the chunker. */
#ifndef HEARTH_HUB_CHUNKER_GEAR_H
#define HEARTH_HUB_CHUNKER_GEAR_H

#include <stdint.h>

extern const uint64_t CHUNKER_GEAR[256];

#endif
