/* SPDX-License-Identifier: Apache-2.0 */
/* Shards as clients upload them (xet-cas.md, 3.3 and 4.5): which files there are and of which
 * pieces of xorbs they consist. Parsed in one pass over a buffer; what the shard says about xorbs
 * is not used. */
#ifndef HEARTH_HUB_SHARD_H
#define HEARTH_HUB_SHARD_H

#include "base/error.h"
#include "hub/xet_hash.h"

#include <stddef.h>
#include <stdint.h>

#define SHARD_BODY_MAX (68 * 1024 * 1024)

struct shard_term {
	struct xet_hash xorb, range_hash;
	uint32_t first, end; /* chunks; `end` exclusive */
	uint32_t bytes;      /* of data */
};

struct shard_file {
	struct xet_hash hash;
	const uint8_t *terms, *verifications; /* records in the buffer; shard_file_term() */
	uint32_t n_terms;
};

/* Check the structure and call `fn` for each file, in order; it returns -1 to stop with its own
 * `err`. E_INVALID says what is wrong and where. */
int shard_parse(const uint8_t *data, size_t len,
                int (*fn)(void *arg, const struct shard_file *file, struct error *err), void *arg,
                struct error *err);
void shard_file_term(const struct shard_file *file, uint32_t index, struct shard_term *ret);

#endif
