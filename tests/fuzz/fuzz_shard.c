/* SPDX-License-Identifier: Apache-2.0 */
/* Shards from strangers: every term of every file that is given must lie in the buffer. */
#include "hub/shard.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int see_file(void *arg, const struct shard_file *file, struct error *err)
{
	size_t *left = arg;
	struct shard_term term;

	if ((file->n_terms == 0) != xet_hash_is_zero(&file->hash))
		abort();
	for (uint32_t i = 0; i < file->n_terms; i++) {
		shard_file_term(file, i, &term);
		if (term.first >= term.end)
			abort();
	}
	if (*left < 48 * (2 * (size_t)file->n_terms + 1))
		abort(); /* more records than there are bytes */
	*left -= 48 * (2 * (size_t)file->n_terms + 1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	size_t left = size;

	if (shard_parse(data, size, see_file, &left, &err) < 0 && err.code != E_INVALID)
		abort();
	return 0;
}
